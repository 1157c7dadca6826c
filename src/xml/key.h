/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Verification keys: the certificates of the metadata, decoded once. A certificate is a wrapping for a public key: its
 * dates and issuer do not matter (Entra goes on signing with an expired one), its RSA modulus does.
 */
#ifndef ES_KEY_H
#define ES_KEY_H

#include "base/es.h"

#include <xmlsec/keys.h>

/* Many threads may read a set that is complete: es_dsig_verify duplicates what xmlsec would write to. */
typedef struct {
    const char *thumbprint; /* SHA-1 of the DER, upper-case hex: what the portal calls Thumbprint */
    const char *subject;    /* RFC 2253, for the log */
    apr_time_t not_before, not_after;
    es_hash_t digest; /* SHA-256 of the DER, to compare with KeyInfo */
    xmlSecKeyPtr key; /* owned by the set */
} es_key_t;

typedef struct es_keys_t es_keys_t;

es_keys_t *es_keys_make(apr_pool_t *pool);

/* Adds a certificate (DER), once however often it is given. ES_METADATA_NO_KEY: not a certificate, not RSA, or RSA
 * below 2,048 bits; the set stays as it was. */
es_rv_t es_keys_add(es_keys_t *keys, es_bytes_t der, es_why_t *why);

int es_keys_count(const es_keys_t *keys);
const es_key_t *es_keys_at(const es_keys_t *keys, int index);

/* The key of this very certificate; NULL where it is none of the set. */
const es_key_t *es_keys_find(const es_keys_t *keys, es_bytes_t der);

/* The thumbprint of any certificate's DER. */
const char *es_keys_thumbprint(es_bytes_t der, apr_pool_t *pool);

/* The subject of any certificate, RFC 2253; "" where the octets are none, or far too many. */
const char *es_keys_subject(es_bytes_t der, apr_pool_t *pool);

/* All thumbprints, ", " between them, for a message. */
const char *es_keys_thumbprints(const es_keys_t *keys, apr_pool_t *pool);

#endif
