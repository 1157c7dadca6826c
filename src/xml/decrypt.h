/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * XML encryption held to what a SAML assertion needs (SAML core 2.3.4, 6): one EncryptedData, one EncryptedKey, both in
 * the message. Nothing is ever fetched: a RetrievalMethod is not followed, a CipherReference is refused.
 */
#ifndef ES_DECRYPT_H
#define ES_DECRYPT_H

#include "base/es.h"
#include "xml/dsig.h"
#include "xml/pair.h"

/* Opens `encrypted`, an element that holds EncryptedData and, beside it or in its KeyInfo, the EncryptedKey. The
 * refusals, in order; the first two are about what everybody can read, and come before a key is touched:
 *   ES_ENCRYPTION_SHAPE      other elements, none or several EncryptedKeys, a CipherReference, no base64, not a whole element
 *   ES_ENCRYPTION_ALGORITHM  not AES-CBC or AES-GCM with 128 or 256 bits under RSA-OAEP with SHA-1 or SHA-256
 *   ES_DECRYPTION_FAILED     it does not open
 * What opens may still be anything: CBC does not notice alterations, and anybody can encrypt for us. Unless the caller
 * finds a valid signature over it or inside of it, he must answer as for ES_DECRYPTION_FAILED, by es_decrypt_fail. */
es_rv_t es_decrypt_element(es_bytes_t *plain, const xmlNode *encrypted, const es_pair_t *const *pairs, es_why_t *why,
                           apr_pool_t *pool);

/* The same from inside proven octets, for the one child {ns}name of their root (ES_ENCRYPTION_SHAPE: there is not one):
 * what comes out is proven, too. */
es_rv_t es_decrypt_signed(const es_signed_t **inner, const es_signed_t *outer, const char *ns, const char *name,
                          const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool);

/* The one answer to everything that goes wrong behind the first use of a key, from a wrong key to a missing signature:
 * ES_DECRYPTION_FAILED and always the same sentence, so that nobody learns from us what a cipher text holds. */
es_rv_t es_decrypt_fail(const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool);

#endif
