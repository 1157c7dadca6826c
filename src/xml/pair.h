/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Key pairs of our own: a certificate that is uploaded in the portal, and the private key that stays here. One signs
 * requests, another opens encrypted assertions. As with Entra's certificates the dates do not matter.
 */
#ifndef ES_PAIR_H
#define ES_PAIR_H

#include "base/es.h"

#include <openssl/evp.h>

/* Complete when made; many threads may use the key at once. Lists of pairs end with NULL; a NULL list is empty. */
typedef struct {
    const char *thumbprint; /* SHA-1 of the DER, upper-case hex: what the portal calls Thumbprint */
    const char *base64;     /* of the DER: the text of an X509Certificate element */
    EVP_PKEY *key;          /* RSA, at least 2,048 bits; owned by the pool */
} es_pair_t;

/* Reads a pair from two PEM texts, which may be the same: the first certificate, the first private key. The refusals, in
 * order:
 *   ES_PAIR_CERTIFICATE  no certificate
 *   ES_PAIR_ENCRYPTED    the private key wants a passphrase, and there is nobody to ask
 *   ES_PAIR_KEY          no private key
 *   ES_PAIR_WEAK         not RSA, or RSA below 2,048 bits
 *   ES_PAIR_MISMATCH     the private key is not the certificate's */
es_rv_t es_pair_load(const es_pair_t **pair, es_bytes_t certificate, es_bytes_t key, es_why_t *why, apr_pool_t *pool);

/* All thumbprints, ", " between them, for a message. */
const char *es_pair_thumbprints(const es_pair_t *const *pairs, apr_pool_t *pool);

#endif
