/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Path 3: an authenticated request. Read-only but for the note that the session was used.
 */
#include "base/cookie.h"
#include "entra/issuer.h"
#include "flow/account.h"

/* A session's last use is noted when it moved by this fraction of the idle limit: a busy session writes its cache line
 * a few times an hour, and an idle one ends at most that much too early. Backwards counts too: after a clock was set
 * back, the first request heals what would else look used in the future. */
#define TOUCH_FRACTION 16

/* A tenant that was taken off the list is out at once, and not when its last session ends. */
static es_rv_t check_tenant(const es_session_t *session, const char *const *tenants, es_why_t *why)
{
    es_session_claim_t claim;

    if (tenants && (!es_session_find(&claim, session, es_claims_find("tenantid"), "tenantid") ||
                    !es_issuer_admits(tenants, claim.joined))) {
        return es_fail(why, ES_SESSION_FOREIGN, "the session's tenant is not one of EntraSAMLAllowedTenants");
    }
    return ES_OK;
}

/* The session that this cookie names, of this connection: the site's own, or one of the others. */
static es_rv_t find(es_session_t *session, es_place_t *place, const es_flow_t *flow, const es_connection_t *connection,
                    const char *cookie, apr_interval_time_t lifetime, apr_interval_time_t idle, es_why_t *why)
{
    const char *const *tenants = flow->site->connection->tenants;
    es_stored_t *stored = &place->stored;
    es_rv_t rv;

    if (!es_session_token_read(&place->key, cookie)) {
        return es_fail(why, ES_SESSION_NONE, "the session cookie has not the length of a token");
    }
    rv = flow->store->find(stored, flow->store, &place->key, flow->now, why, flow->pool);
    if (rv != ES_OK) {
        return rv;
    }
    if (!stored->record.data) {
        return es_fail(why, ES_SESSION_NONE, "the session cookie names no session");
    }
    rv = es_session_read(session, stored->record, why);
    if (rv == ES_OK) {
        rv = es_session_judge(session, &connection->id, stored->last_used, flow->now, lifetime, idle, why);
    }
    if (rv == ES_OK) {
        rv = check_tenant(session, tenants, why);
    }
    if (rv == ES_OK && connection->tenants != tenants) {
        rv = check_tenant(session, connection->tenants, why);
    }
    return rv == ES_OK && flow->site->accounts ? es_account_ask(flow, connection, session, &place->key, why) : rv;
}

/* Every cookie of the connection's name. A cookie that names a session says more than one that names none: the first
 * such reason is what *first tells. */
static es_rv_t find_any(es_session_t *session, es_place_t *place, const es_flow_t *flow,
                        const es_connection_t *connection, apr_interval_time_t lifetime, apr_interval_time_t idle,
                        es_why_t *first)
{
    const char *cursor = flow->cookies;
    const char *cookie;
    int tries = ES_COOKIE_TRIES;

    while (tries-- > 0 && (cookie = es_cookie_next(&cursor, connection->session_cookie, flow->pool))) {
        es_why_t tried = ES_WHY_INIT;
        const es_rv_t rv = find(session, place, flow, connection, cookie, lifetime, idle, &tried);

        if (rv == ES_OK) {
            return ES_OK;
        }
        if (es_account_holds(rv)) {
            *first = tried;
            return rv;
        }
        if (first->rv == ES_OK || first->rv == ES_SESSION_NONE) {
            *first = tried;
        }
    }
    return ES_SESSION_NONE;
}

es_rv_t es_resume_look(es_session_t *session, es_place_t *place, const es_flow_t *flow, apr_interval_time_t lifetime,
                       apr_interval_time_t idle, es_why_t *why)
{
    const es_site_t *const *other;
    es_why_t first = ES_WHY_INIT;
    es_rv_t rv = find_any(session, place, flow, flow->site->connection, lifetime, idle, &first);

    for (other = flow->others; rv == ES_SESSION_NONE && other && *other; other++) {
        rv = find_any(session, place, flow, (*other)->connection, lifetime, idle, &first);
    }
    if (rv == ES_OK) {
        return ES_OK;
    }
    if (first.rv == ES_OK) {
        return es_fail(why, ES_SESSION_NONE, "no session cookie");
    }
    return es_fail(why, first.rv, "%s", first.text);
}

es_rv_t es_resume_find(es_session_t *session, const es_flow_t *flow, apr_interval_time_t lifetime,
                       apr_interval_time_t idle, es_why_t *why)
{
    es_place_t place;
    apr_interval_time_t moved;
    es_rv_t rv = es_resume_look(session, &place, flow, lifetime, idle, why);

    if (rv != ES_OK && rv != ES_ACCOUNT_PENDING) { /* who waits and looks is not idle */
        return rv;
    }
    moved = flow->now - place.stored.last_used;
    if (moved > idle / TOUCH_FRACTION || -moved > idle / TOUCH_FRACTION) {
        flow->store->touch(flow->store, &place.key, &place.stored, flow->now);
    }
    return rv;
}
