/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Path 4: the local session ends first and always.
 */
#include "flow/signon.h"

es_rv_t es_logout_local(es_answer_t *answer, int *ended, const es_flow_t *flow, es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    const char *name = connection->session_cookie;
    const char *cursor = flow->cookies;
    const char *cookie;
    es_binding_t binding;
    es_rv_t rv = ES_OK;
    int tries = ES_COOKIE_TRIES;

    *ended = 0;
    es_signon_set_cookie(answer, name, "", ES_COOKIE_LAX, flow);
    if (es_signon_binding(&binding, flow, NULL) && binding.n_visits > 0) {
        binding.n_visits = 0; /* whoever signs out and in again within a minute has lost no cookie */
        es_signon_set_cookie(answer, connection->binding_cookie, es_binding_text(&binding, flow->pool), ES_COOKIE_NONE,
                             flow);
    }
    while (tries-- > 0 && (cookie = es_cookie_next(&cursor, name, flow->pool))) {
        es_hash_t key;
        int removed = 0;

        if (!es_session_token_read(&key, cookie)) {
            continue;
        }
        if (flow->store->remove(&removed, flow->store, &key, why) != ES_OK) {
            rv = why->rv;
        }
        *ended += removed;
    }
    return rv;
}
