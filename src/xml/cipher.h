/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ciphers of XML encryption, as far as they are accepted (xmlenc 1.1 sections 5.2 and 5.5), on plain octets.
 */
#ifndef ES_CIPHER_H
#define ES_CIPHER_H

#include "base/es.h"
#include "xml/pair.h"

/* How the content is encrypted. */
typedef struct {
    const char *uri;
    const char *name; /* OpenSSL's */
    int key_len;
    int is_gcm;
} es_cipher_t;

/* The method of this URI; NULL where it is not accepted. */
const es_cipher_t *es_cipher_find(const char *uri);

/* How the content's key is: RSA-OAEP with these digests, by OpenSSL's names. */
typedef struct {
    const char *digest;
    const char *mgf_digest;
} es_cipher_oaep_t;

/* What can be told of a message before a key is touched. */
typedef struct {
    const es_cipher_t *cipher;
    es_cipher_oaep_t oaep;
    es_bytes_t wrapped; /* the content's key */
    es_bytes_t content; /* IV first; with GCM the tag last */
} es_cipher_text_t;

/* Opens the content with the first pair whose key fits. Every pair is tried, and where none fits an accidental key goes
 * on in its place, so that neither the result nor the work tells which step failed: *plain is NULL data, or octets which
 * mean something only if whoever reads them finds a valid signature. CBC does not notice what was altered, so that even
 * a wrong padding is not told: what has one is returned with it. ES_INTERNAL: OpenSSL has no memory or no random
 * octets. */
es_rv_t es_cipher_open(es_bytes_t *plain, const es_cipher_text_t *text, const es_pair_t *const *pairs, es_why_t *why,
                       apr_pool_t *pool);

#endif
