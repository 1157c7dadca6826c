/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 *   | kind 1 | owner 1 | connection 16 | binding 16 | user 32 | landing … NUL | body … |
 *
 * The layout's version is in the label, which the seal authenticates; it is another than those of what travels, so that
 * none opens as the other. Sealing is deterministic: a form that is sent twice is kept, and repeated, once.
 */
#include "session/kept.h"

#define LABEL "entra-saml kept 1"

typedef struct {
    unsigned char kind, owner;
    es_connection_id_t connection;
    unsigned char binding[ES_KEPT_BINDING];
    es_hash_t user;
} packed_t;
_Static_assert(sizeof(packed_t) == 66, "octets only, no padding");

es_rv_t es_kept_seal(es_bytes_t *sealed, es_hash_t *key, const es_kept_t *kept, const es_seal_key_t *with,
                     es_why_t *why, apr_pool_t *pool)
{
    const apr_size_t landing_len = strlen(kept->landing) + 1;
    const apr_size_t len = sizeof(packed_t) + landing_len + kept->body.len;
    unsigned char *octets = apr_palloc(pool, len);
    packed_t packed;
    es_rv_t rv;

    packed.kind = (unsigned char)kept->kind;
    packed.owner = (unsigned char)kept->owner;
    packed.connection = kept->connection;
    memcpy(packed.binding, kept->binding, sizeof packed.binding);
    packed.user = kept->user;
    memcpy(octets, &packed, sizeof packed);
    memcpy(octets + sizeof packed, kept->landing, landing_len);
    if (kept->body.len > 0) {
        memcpy(octets + sizeof packed + landing_len, kept->body.data, kept->body.len);
    }
    rv = es_crypto_seal(sealed, es_bytes(octets, len), LABEL, with, why, pool);
    es_crypto_wipe(octets, len);
    if (rv == ES_OK) {
        *key = es_crypto_sha256(*sealed);
    }
    return rv;
}

es_rv_t es_kept_open(es_kept_t **kept, es_bytes_t sealed, const es_seal_key_t *with, es_why_t *why, apr_pool_t *pool)
{
    es_kept_t *opened = apr_pcalloc(pool, sizeof *opened);
    const unsigned char *landing, *end;
    packed_t packed;
    es_bytes_t plain;
    es_rv_t rv = es_crypto_open(&plain, sealed, LABEL, with, why, pool);

    if (rv != ES_OK) {
        return rv;
    }
    *kept = NULL;
    if (!plain.data || plain.len <= sizeof packed) {
        return ES_OK;
    }
    memcpy(&packed, plain.data, sizeof packed);
    landing = plain.data + sizeof packed;
    end = memchr(landing, '\0', plain.len - sizeof packed);
    if (!end || packed.kind >= ES_KEPT_KINDS || packed.owner >= ES_KEPT_OWNERS) {
        return ES_OK;
    }
    opened->kind = (es_kept_kind_t)packed.kind;
    opened->owner = (es_kept_owner_t)packed.owner;
    opened->connection = packed.connection;
    memcpy(opened->binding, packed.binding, sizeof opened->binding);
    opened->user = packed.user;
    opened->landing = (const char *)landing;
    opened->body = es_bytes(end + 1, plain.len - sizeof packed - (apr_size_t)(end + 1 - landing));
    *kept = opened;
    return ES_OK;
}
