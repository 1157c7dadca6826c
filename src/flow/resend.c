/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Path 5: a form that was posted without a session, and its sender is back. The page that repeats it is shown once, in
 * the browser that sent it, to a user who is signed in, and who is not known to be another than the sender.
 */
#include "flow/keep.h"
#include "flow/signon.h"

#include "base/codec.h"

/* Another user at the same computer gets neither the form nor the blame for it: it is gone. */
static es_rv_t check_owner(const es_kept_t *kept, const es_flow_t *flow, const es_hash_t *key,
                           const es_session_t *session, es_why_t *why)
{
    es_hash_t user;
    es_bytes_t gone;

    if (kept->owner != ES_KEPT_USERS ||
        (es_keep_owner(&user, session) && memcmp(&user, &kept->user, sizeof user) == 0)) {
        return ES_OK;
    }
    es_fail(why, ES_POST_FOREIGN, "a form for %.200s came in the session of another user than \"%.100s\"",
            kept->landing, session->user);
    flow->store->kept_take(&gone, flow->store, key, flow->now, why, flow->pool);
    return why->rv;
}

static es_rv_t read_key(es_hash_t *key, const char *id, es_why_t *why, apr_pool_t *pool)
{
    const es_bytes_t octets = es_codec_base64url_decode(id ? id : "", pool);

    if (!octets.data || octets.len != sizeof *key) {
        return es_fail(why, ES_POST_LOST, "the address names no form");
    }
    memcpy(key, octets.data, sizeof *key);
    return ES_OK;
}

/* Everything but taking it. */
static es_rv_t judge(es_kept_t **kept, es_hash_t *key, const es_flow_t *flow, const es_session_t *session,
                     const char *id, es_why_t *why)
{
    es_binding_t binding;
    es_rv_t rv;

    if ((rv = read_key(key, id, why, flow->pool)) != ES_OK || (rv = es_keep_find(kept, flow, key, why)) != ES_OK) {
        return rv;
    }
    if (!*kept || (*kept)->kind == ES_KEPT_LANDING) {
        return es_fail(why, ES_POST_LOST, "the form was sent already, has expired or had to give way");
    }
    if (!es_signon_binding(&binding, flow, (*kept)->binding)) {
        return es_fail(why, ES_POST_FOREIGN, "a form for %.200s was sent from another browser", (*kept)->landing);
    }
    return check_owner(*kept, flow, key, session, why);
}

es_rv_t es_resend_take(es_resend_t *resend, const es_flow_t *flow, const es_session_t *session, const char *id,
                       es_why_t *why)
{
    es_kept_t *kept;
    es_hash_t key;
    es_bytes_t taken;
    es_resend_t made;
    es_rv_t rv;

    if ((rv = judge(&kept, &key, flow, session, id, why)) != ES_OK ||
        (rv = es_landing_read_allowed(&made.action, kept->landing, flow->site->connection->origin, NULL, why,
                                      flow->pool)) != ES_OK ||
        (rv = es_repeat_make(&made.form, kept->kind == ES_KEPT_TEXT ? ES_REPEAT_TEXT : ES_REPEAT_URLENCODED, kept->body,
                             why, flow->pool)) != ES_OK ||
        (rv = flow->store->kept_take(&taken, flow->store, &key, flow->now, why, flow->pool)) != ES_OK) {
        return rv;
    }
    if (!taken.data) {
        return es_fail(why, ES_POST_LOST, "the form was sent already, at this moment");
    }
    made.asks = kept->owner == ES_KEPT_SOMEBODYS;
    *resend = made;
    return ES_OK;
}
