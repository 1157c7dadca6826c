/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * OpenSSL EVP, and nothing of our own: random octets, SHA-256, comparison in constant time, deterministic sealing.
 * es_crypto_init() fetches the algorithms once per configuration pass; all other functions may run in any thread.
 */
#ifndef ES_CRYPTO_H
#define ES_CRYPTO_H

#include "base/es.h"

/* Fetches digest and cipher objects. Must have run before anything below, and may run again while nothing else of this
 * runs. ES_INTERNAL when OpenSSL has no such algorithm. */
es_rv_t es_crypto_init(es_why_t *why);

/* Cryptographic random octets; ES_INTERNAL when the system has none. */
es_rv_t es_crypto_random(void *out, apr_size_t len, es_why_t *why);

/* SHA-256 of the octets, of several pieces one after the other, of a text without its NUL. Ends the process when memory
 * has run out, as a pool does. */
es_hash_t es_crypto_sha256(es_bytes_t in);
es_hash_t es_crypto_sha256_of(const es_bytes_t *pieces, int count);
es_hash_t es_crypto_sha256_text(const char *text);

/* Equal, in a time that depends on the length only. */
int es_crypto_equal(const void *a, const void *b, apr_size_t len);

/* Overwrites a secret so that the compiler cannot drop it. */
void es_crypto_wipe(void *secret, apr_size_t len);

/* AES-256-SIV (RFC 5297), deterministic: the same plaintext under the same key and label seals to the same octets.
 * The key is 64 octets; sealed length = plaintext + 16. `label` is authenticated, not sent. Neither may be empty
 * (ES_INTERNAL). */
#define ES_SEAL_KEY_LEN 64
typedef struct {
    unsigned char octet[ES_SEAL_KEY_LEN];
} es_seal_key_t;

es_rv_t es_crypto_seal(es_bytes_t *sealed, es_bytes_t plain, const char *label, const es_seal_key_t *key, es_why_t *why,
                       apr_pool_t *pool);
/* data == NULL in *plain: not sealed by this key and label (a miss; the input is a stranger's). What is opened is
 * NUL-terminated one octet past its length. */
es_rv_t es_crypto_open(es_bytes_t *plain, es_bytes_t sealed, const char *label, const es_seal_key_t *key, es_why_t *why,
                       apr_pool_t *pool);

#endif
