/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 *   | connection 16 | request ID 16 | landing … |
 *
 * The layout's version is in the label, which the seal authenticates; it is another than a pending sign-in's, so that
 * neither opens as the other.
 */
#include "session/leaving.h"

#include "base/codec.h"

#include <apr_strings.h>

#define LABEL "entra-saml leaving 1"
#define TEXT_MAX 4096 /* as for a pending sign-in */

typedef struct {
    es_connection_id_t connection;
    unsigned char request_id[ES_LEAVING_TOKEN];
} packed_t;
_Static_assert(sizeof(packed_t) == 32, "octets only, no padding");

es_rv_t es_leaving_seal(const char **relay_state, const es_leaving_t *leaving, const es_seal_key_t *key, es_why_t *why,
                        apr_pool_t *pool)
{
    const apr_size_t landing_len = strlen(leaving->landing);
    unsigned char *octets = apr_palloc(pool, sizeof(packed_t) + landing_len);
    packed_t packed;
    es_bytes_t sealed;
    es_rv_t rv;

    packed.connection = leaving->connection;
    memcpy(packed.request_id, leaving->request_id, sizeof packed.request_id);
    memcpy(octets, &packed, sizeof packed);
    memcpy(octets + sizeof packed, leaving->landing, landing_len);
    rv = es_crypto_seal(&sealed, es_bytes(octets, sizeof packed + landing_len), LABEL, key, why, pool);
    if (rv == ES_OK) {
        *relay_state = es_codec_base64url_encode(sealed, pool);
    }
    return rv;
}

es_rv_t es_leaving_open(es_leaving_t **leaving, const char *relay_state, const es_seal_key_t *key, es_why_t *why,
                        apr_pool_t *pool)
{
    es_leaving_t *opened = apr_pcalloc(pool, sizeof *opened);
    es_bytes_t sealed = { NULL, 0 }, plain = { NULL, 0 };
    packed_t packed;
    es_rv_t rv;

    if (relay_state && strnlen(relay_state, TEXT_MAX + 1) <= TEXT_MAX) {
        sealed = es_codec_base64url_decode(relay_state, pool);
    }
    if (sealed.data && (rv = es_crypto_open(&plain, sealed, LABEL, key, why, pool)) != ES_OK) {
        return rv;
    }
    if (!plain.data || plain.len < sizeof packed) {
        *leaving = NULL;
        return ES_OK;
    }
    memcpy(&packed, plain.data, sizeof packed);
    opened->connection = packed.connection;
    memcpy(opened->request_id, packed.request_id, sizeof opened->request_id);
    opened->landing = apr_pstrmemdup(pool, (const char *)plain.data + sizeof packed, plain.len - sizeof packed);
    *leaving = opened;
    return ES_OK;
}
