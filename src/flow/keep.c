/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one thing that is remembered for a stranger, and the only one for which there must be a limit.
 */
#include "flow/keep.h"
#include "flow/subject.h"

#include "base/codec.h"

#include <apr_strings.h>
#include <arpa/inet.h>

/* The client's address, of IPv6 the part that a provider gives to one customer (RFC 6177): within it addresses are free
 * for the taking. */
static apr_uint32_t client_of(const es_flow_t *flow)
{
    const char *address = flow->client ? flow->client : "";
    unsigned char network[16];
    apr_uint32_t first;
    es_hash_t hash;

    if (strchr(address, ':') && inet_pton(AF_INET6, address, network) == 1) {
        hash = es_crypto_sha256(es_bytes(network, 8));
    } else {
        hash = es_crypto_sha256_text(address);
    }
    memcpy(&first, hash.octet, sizeof first);
    return first;
}

static es_holder_t holder_of(const es_flow_t *flow, const es_pending_t *pending)
{
    es_holder_t holder = { client_of(flow), 0 };

    memcpy(&holder.browser, pending->binding, sizeof holder.browser);
    return holder;
}

int es_keep_owner(es_hash_t *user, const es_session_t *session)
{
    return es_subject_of(user, ES_SUBJECT_USER, session) || es_subject_of(user, ES_SUBJECT_NAME_ID, session);
}

/* Whose session it was: one that has been idle for too long is as a rule still in the store. */
static void find_owner(es_kept_t *kept, const es_flow_t *flow, const es_pending_t *pending)
{
    es_why_t ignored = ES_WHY_INIT; /* then nobody knows */
    es_session_t session;
    es_stored_t stored;

    kept->owner = pending->has_session ? ES_KEPT_SOMEBODYS : ES_KEPT_NOBODYS;
    if (pending->has_session &&
        flow->store->find(&stored, flow->store, &pending->session, flow->now, &ignored, flow->pool) == ES_OK &&
        stored.record.data && es_session_read(&session, stored.record, &ignored) == ES_OK &&
        memcmp(&session.connection, &kept->connection, sizeof kept->connection) == 0 &&
        es_keep_owner(&kept->user, &session)) {
        kept->owner = ES_KEPT_USERS;
    }
}

es_rv_t es_keep_put(es_pending_t *pending, const es_flow_t *flow, const es_post_t *post, es_why_t *why)
{
    const es_holder_t holder = holder_of(flow, pending);
    es_kept_t kept = { .connection = flow->site->connection->id, .landing = pending->landing };
    es_bytes_t sealed;
    es_hash_t key;
    es_rv_t rv;

    memcpy(kept.binding, pending->binding, sizeof kept.binding);
    if (post) {
        kept.kind = post->kind;
        kept.body = post->body;
        find_owner(&kept, flow, pending);
    }
    if ((rv = es_kept_seal(&sealed, &key, &kept, flow->key, why, flow->pool)) != ES_OK ||
        (rv = flow->store->keep(flow->store, &key, sealed, &holder, flow->now + ES_PENDING_LIFETIME, flow->now, why)) !=
            ES_OK) {
        return rv;
    }
    pending->is_kept = 1;
    pending->is_post = post != NULL;
    pending->kept = key;
    if (!post || strlen(pending->landing) > ES_LANDING_MAX) {
        pending->landing = flow->site->connection->default_page;
    }
    return ES_OK;
}

es_rv_t es_keep_find(es_kept_t **kept, const es_flow_t *flow, const es_hash_t *key, es_why_t *why)
{
    const es_connection_id_t *connection = &flow->site->connection->id;
    es_kept_t *found = NULL;
    es_bytes_t sealed;
    es_rv_t rv = flow->store->kept_find(&sealed, flow->store, key, flow->now, why, flow->pool);

    if (rv == ES_OK && sealed.data) {
        rv = es_kept_open(&found, sealed, flow->key, why, flow->pool);
    }
    if (rv == ES_OK) {
        *kept = found && memcmp(&found->connection, connection, sizeof *connection) == 0 ? found : NULL;
    }
    return rv;
}

/* A landing is no secret of the browser's that it was kept for, no more than one in RelayState is: whoever restarts the
 * sign-on may follow it. */
const char *es_keep_landing(es_answer_t *answer, const es_flow_t *flow, const es_pending_t *pending)
{
    const es_connection_t *connection = flow->site->connection;
    es_why_t why = ES_WHY_INIT;
    es_kept_t *kept = NULL;
    const char *landing;

    if (!pending->is_kept) {
        return pending->landing;
    }
    if (pending->is_post) {
        return apr_pstrcat(flow->pool, connection->resend_path, "?id=",
                           es_codec_base64url_encode(es_bytes(&pending->kept, sizeof pending->kept), flow->pool), NULL);
    }
    if (es_keep_find(&kept, flow, &pending->kept, &why) == ES_OK && kept && kept->kind == ES_KEPT_LANDING &&
        es_landing_read_allowed(&landing, kept->landing, connection->origin, &flow->site->allow, &why, flow->pool) ==
            ES_OK) {
        return landing;
    }
    answer->noted = ES_LANDING_LOST;
    answer->note = why.rv != ES_OK ? apr_pstrdup(flow->pool, why.text) : "the page's address is no longer kept";
    return pending->landing;
}
