/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Path 4 (SAML profiles 4.4). A user's own sign-out: the session here ends first and always, then Entra is asked to end
 * its own. Entra's: a verified request ends the sessions it is about, and is answered.
 */
#include "flow/signon.h"
#include "flow/subject.h"

#include "entra/issuer.h"
#include "saml/logout.h"
#include "session/leaving.h"

#include <apr_strings.h>

/* Whoever signs out and in again within a minute has lost no cookie. */
static void forget_visits(es_answer_t *answer, const es_flow_t *flow)
{
    es_binding_t binding;

    if (es_signon_binding(&binding, flow, NULL) && binding.n_visits > 0) {
        binding.n_visits = 0;
        es_signon_set_cookie(answer, flow->site->connection->binding_cookie, es_binding_text(&binding, flow->pool),
                             ES_COOKIE_NONE, flow);
    }
}

/* A session that ended, to tell Entra of: what was known of it, and whose connection's it was. */
typedef struct {
    es_session_t session;
    const es_site_t *site; /* NULL: none was found */
} parted_t;

/* The session of a key; 0 where there is none of the site's connection or none with a NameID. */
static int read_session(es_session_t *session, const es_hash_t *key, const es_flow_t *flow, const es_site_t *site)
{
    es_why_t ignored = ES_WHY_INIT; /* it ends all the same */
    es_store_t *store = flow->store;
    es_stored_t stored;

    return store->find(&stored, store, key, flow->now, &ignored, flow->pool) == ES_OK && stored.record.data &&
           es_session_read(session, stored.record, &ignored) == ES_OK && *session->name_id &&
           memcmp(&session->connection, &site->connection->id, sizeof session->connection) == 0;
}

/* Every session of the site whose cookie came along; returns whether one did. The first that Entra can be told of becomes
 * `parted`, unless there is one. */
static int end_sessions(int *ended, parted_t *parted, const es_flow_t *flow, const es_site_t *site, es_why_t *why)
{
    const char *cursor = flow->cookies;
    const char *cookie;
    int tries = ES_COOKIE_TRIES, came = 0;

    while (tries-- > 0 && (cookie = es_cookie_next(&cursor, site->connection->session_cookie, flow->pool))) {
        es_hash_t key;
        int removed = 0;

        came = 1;
        if (!es_session_token_read(&key, cookie)) {
            continue;
        }
        if (!parted->site && read_session(&parted->session, &key, flow, site)) {
            parted->site = site;
        }
        flow->store->remove(&removed, flow->store, &key, why);
        *ended += removed;
    }
    return came;
}

/* A request that ends on this page, "" for the one that says so. */
static es_rv_t write_request(const char **location, const es_flow_t *flow, const parted_t *parted, const char *landing,
                             es_why_t *why)
{
    const es_session_t *session = &parted->session;
    const es_signoff_user_t user = { session->name_id, session->name_id_format, session->session_index };
    es_leaving_t leaving = { .connection = session->connection, .landing = landing };
    es_request_id_t id;
    const char *relay_state;
    es_rv_t rv;

    if ((rv = es_crypto_random(id.octet, sizeof id.octet, why)) != ES_OK) {
        return rv;
    }
    memcpy(leaving.request_id, id.octet, sizeof leaving.request_id);
    if ((rv = es_leaving_seal(&relay_state, &leaving, flow->key, why, flow->pool)) != ES_OK) {
        return rv;
    }
    return es_signoff_request(location, parted->site->signoff, &user, es_request_id_text(&id, flow->pool), relay_state,
                              flow->now, why, flow->pool);
}

/* Entra refuses a query that is too long (AADSTS90015): then the user does without the page to return to. It answers to the
 * logout URL of the connection that it was asked for, from where another site's page needs its whole address. */
static es_rv_t ask_entra(const char **location, const es_flow_t *flow, const parted_t *parted, const char *landing,
                         es_why_t *why)
{
    const char *url;
    es_rv_t rv;

    if (landing && parted->site != flow->site) {
        landing = apr_pstrcat(flow->pool, flow->site->connection->origin, landing, NULL);
    }
    rv = write_request(&url, flow, parted, landing ? landing : "", why);
    if (rv == ES_OK && landing && strlen(url) > ES_REQUEST_URL_MAX) {
        rv = write_request(&url, flow, parted, "", why);
    }
    if (rv == ES_OK) {
        *location = url;
    }
    return rv;
}

static void erase(es_answer_t *answer, const es_flow_t *flow, const es_site_t *site)
{
    es_signon_set_cookie(answer, site->connection->session_cookie, "", site->session_cookie, flow);
}

es_rv_t es_logout_start(es_answer_t *answer, int *ended, const es_flow_t *flow, const char *landing, int asks,
                        es_why_t *why)
{
    const es_site_t *const *other = flow->others;
    parted_t parted = { .site = NULL };

    *ended = 0;
    erase(answer, flow, flow->site);
    forget_visits(answer, flow);
    end_sessions(ended, &parted, flow, flow->site, why);
    for (; other && *other; other++) {
        if (end_sessions(ended, &parted, flow, *other, why)) {
            erase(answer, flow, *other);
        }
    }
    if (why->rv != ES_OK) {
        return why->rv;
    }
    if (parted.site && asks && parted.site->single_logout && parted.site->signoff) {
        return ask_entra(&answer->location, flow, &parted, landing, why);
    }
    answer->location = landing;
    return ES_OK;
}

/* Where the issuer stands for any tenant: the one on the list whose own issuer the message has. They share keys, so that
 * the issuer alone says who it was; and what merely repeats the template is nobody's. */
static es_rv_t find_tenant(es_logout_expected_t *expected, const es_logout_t *logout, const es_connection_t *connection,
                           es_why_t *why, apr_pool_t *pool)
{
    const char *const *tenant = connection->tenants;

    if (!es_issuer_is_template(connection->issuer)) {
        return ES_OK;
    }
    for (; tenant && *tenant; tenant++) {
        expected->issuer = es_issuer_of(connection->issuer, *tenant, pool);
        expected->tenant = *tenant;
        if (es_logout_is_from(logout, expected, pool)) {
            return ES_OK;
        }
    }
    return es_fail(why, ES_LOGOUT_ISSUER, "the message's issuer is %.300s, of none of EntraSAMLAllowedTenants",
                   logout->issuer ? logout->issuer : "missing");
}

/* A message of either kind, read and judged. */
typedef struct {
    es_logout_t *logout;
    const char *tenant; /* whose it is; NULL where there is only one */
    int is_signed;
    apr_time_t not_after;
} message_t;

static es_rv_t read_message(message_t *message, const es_flow_t *flow, const es_query_t *query, es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    es_logout_expected_t expected = { .issuer = connection->issuer,
                                      .sso_url = connection->metadata->sso_url,
                                      .logout_url = connection->logout_url,
                                      .skew = connection->skew };
    es_bytes_t text;
    es_rv_t rv;

    if ((rv = es_query_open(&text, &message->is_signed, query, connection->metadata->keys, flow->site->unsigned_logout,
                            why, flow->pool)) != ES_OK ||
        (rv = es_logout_read(&message->logout, text, query->is_response, why, flow->pool)) != ES_OK ||
        (rv = find_tenant(&expected, message->logout, connection, why, flow->pool)) != ES_OK) {
        return rv;
    }
    message->tenant = expected.tenant;
    return es_logout_check(&message->not_after, message->logout, &expected, flow->now, why, flow->pool);
}

/* An unsigned request leaves no mark: anybody can write any number of them, and fill the memory that sign-ins need. */
static es_rv_t mark_request(const es_flow_t *flow, const message_t *message, es_why_t *why)
{
    const es_connection_id_t *connection = &flow->site->connection->id;
    const es_bytes_t pieces[] = { es_bytes("logout", sizeof "logout"), es_bytes(connection, sizeof *connection),
                                  es_bytes_of(message->logout->id) };
    const es_hash_t mark = es_crypto_sha256_of(pieces, 3);
    int added;
    es_rv_t rv = flow->store->mark_add(&added, flow->store, &mark, message->not_after, flow->now, why);

    if (rv == ES_OK && !added) {
        return es_fail(why, ES_LOGOUT_REPLAYED, "request %.100s was used before", message->logout->id);
    }
    return rv;
}

/* What Entra puts into SessionIndex besides an assertion's ID nobody has seen: a request whose indexes lead nowhere ends
 * the user's sessions rather than none. */
static es_rv_t end_named(int *ended, const es_flow_t *flow, const message_t *message, es_why_t *why)
{
    const es_logout_t *logout = message->logout;
    const char *tenant = message->tenant;
    const es_connection_id_t *connection = &flow->site->connection->id;
    es_hash_t subject;
    int i, count, total = 0;
    es_rv_t rv;

    for (i = 0; i < logout->n_indexes; i++) {
        subject = es_subject_named(ES_SUBJECT_SESSION_INDEX, connection, logout->indexes[i]);
        if ((rv = es_subject_end(&count, flow, ES_SUBJECT_SESSION_INDEX, &subject, tenant, 0, NULL, why)) != ES_OK) {
            return rv;
        }
        total += count;
    }
    if (total == 0) {
        subject = es_subject_named(ES_SUBJECT_NAME_ID, connection, logout->name_id);
        if ((rv = es_subject_end(&total, flow, ES_SUBJECT_NAME_ID, &subject, tenant, 0, NULL, why)) != ES_OK) {
            return rv;
        }
    }
    *ended = total;
    return ES_OK;
}

es_rv_t es_logout_follow(es_answer_t *answer, es_logout_report_t *report, const es_flow_t *flow,
                         const es_query_t *query, es_why_t *why)
{
    es_request_id_t id;
    message_t message;
    es_rv_t rv;

    if ((rv = read_message(&message, flow, query, why)) != ES_OK ||
        (message.is_signed && (rv = mark_request(flow, &message, why)) != ES_OK) ||
        (rv = end_named(&report->ended, flow, &message, why)) != ES_OK ||
        (rv = es_crypto_random(id.octet, sizeof id.octet, why)) != ES_OK) {
        return rv;
    }
    report->request_id = message.logout->id;
    forget_visits(answer, flow);
    if (!flow->site->signoff) {
        return ES_OK;
    }
    return es_signoff_response(&answer->location, flow->site->signoff, message.logout->id,
                               es_request_id_text(&id, flow->pool), query->relay_state, flow->now, why, flow->pool);
}

/* What the sealed RelayState says of the request that this answers. */
static es_rv_t check_answer(const es_logout_t *logout, const es_leaving_t *leaving, const es_flow_t *flow,
                            es_why_t *why)
{
    es_request_id_t id;
    const char *wanted;

    if (!leaving) {
        return es_fail(why, ES_LOGOUT_UNASKED, "RelayState is none of ours");
    }
    memcpy(id.octet, leaving->request_id, sizeof id.octet);
    wanted = es_request_id_text(&id, flow->pool);
    if (!logout->in_response_to || strcmp(logout->in_response_to, wanted) != 0) {
        return es_fail(why, ES_LOGOUT_UNASKED, "InResponseTo is %.100s, the request was %.100s",
                       logout->in_response_to ? logout->in_response_to : "missing", wanted);
    }
    if (logout->failure) {
        return es_fail(why, ES_LOGOUT_STATUS, "status %.900s", logout->failure);
    }
    return ES_OK;
}

es_rv_t es_logout_finish(es_answer_t *answer, const es_flow_t *flow, const es_query_t *query, es_why_t *why)
{
    const es_connection_id_t *connection = &flow->site->connection->id;
    es_leaving_t *leaving = NULL;
    message_t message;
    es_rv_t rv = es_leaving_open(&leaving, query->relay_state, flow->key, why, flow->pool);

    if (leaving && memcmp(&leaving->connection, connection, sizeof *connection) != 0) {
        leaving = NULL;
    }
    answer->location = leaving && *leaving->landing ? leaving->landing : NULL;
    if (rv != ES_OK || (rv = read_message(&message, flow, query, why)) != ES_OK) {
        return rv;
    }
    return check_answer(message.logout, leaving, flow, why);
}
