/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Path 1: no session. The pending sign-in travels sealed in RelayState, so nothing is kept here for a stranger but what
 * does not fit in there (flow/keep.h); one small cookie binds any number of them to the browser.
 */
#include "flow/signon.h"
#include "flow/keep.h"

#include <apr_strings.h>

/* Sessions made for one landing within a minute whose cookie never came back: the next would be the same. With a dead
 * session cookie that the new one does not replace it takes more, since sections may end a session within seconds. */
#define LOST_SESSIONS 2
#define UNREPLACED_SESSIONS 4

int es_signon_binding(es_binding_t *binding, const es_flow_t *flow, const unsigned char *wanted)
{
    const char *cursor = flow->cookies;
    const char *cookie;
    int tries = ES_COOKIE_TRIES;

    while (tries-- > 0 && (cookie = es_cookie_next(&cursor, flow->site->connection->binding_cookie, flow->pool))) {
        unsigned char hash[ES_PENDING_TOKEN];
        es_binding_t found;

        if (!es_binding_read(&found, cookie, flow->pool)) {
            continue;
        }
        es_binding_hash(hash, &found);
        if (!wanted || es_crypto_equal(hash, wanted, sizeof hash)) {
            *binding = found;
            return 1;
        }
    }
    return 0;
}

void es_signon_set_cookie(es_answer_t *answer, const char *name, const char *value, es_cookie_site_t site,
                          const es_flow_t *flow)
{
    answer->cookies[answer->n_cookies++] = es_cookie_set(name, value, site, flow->pool);
}

/* Notes the first session that there is among the connection's cookies; returns 0 where there is none. What has but the
 * shape of a token says at least that the browser keeps cookies. */
static int note_one(es_pending_t *pending, const es_flow_t *flow, const es_connection_t *connection)
{
    const char *cursor = flow->cookies;
    const char *cookie;
    int tries = ES_COOKIE_TRIES;

    while (tries-- > 0 && (cookie = es_cookie_next(&cursor, connection->session_cookie, flow->pool))) {
        es_why_t ignored = ES_WHY_INIT;
        es_stored_t stored;
        es_hash_t key;

        if (!es_session_token_read(&key, cookie)) {
            continue;
        }
        if (!pending->has_session) {
            pending->session = key;
            pending->has_session = 1;
        }
        if (flow->store->find(&stored, flow->store, &key, flow->now, &ignored, flow->pool) == ES_OK &&
            stored.record.data) {
            pending->session = key;
            return 1;
        }
    }
    return 0;
}

/* The session that the sign-in will replace: the ACS will not see its cookie. Ours first, as resume looks for them. */
static void note_session(es_pending_t *pending, const es_flow_t *flow)
{
    const es_site_t *const *other = flow->others;
    int is_found = note_one(pending, flow, flow->site->connection);

    for (; !is_found && other && *other; other++) {
        is_found = note_one(pending, flow, (*other)->connection);
    }
    pending->is_raising = is_found && flow->is_known;
}

/* A landing that does not fit. */
static void put_landing_aside(es_answer_t *answer, const es_flow_t *flow, es_pending_t *pending)
{
    es_why_t why = ES_WHY_INIT;

    if (pending->is_kept || es_keep_put(pending, flow, NULL, &why) != ES_OK) {
        answer->noted = ES_LANDING_LOST;
        answer->note = apr_pstrdup(flow->pool, why.text);
        pending->landing = flow->site->connection->default_page;
    }
}

/* Where the page to return to makes the address too long, in a signed request or with a long entity ID, it is kept here. A
 * form's is kept with the form. */
static es_rv_t write_url(es_answer_t *answer, const es_flow_t *flow, es_pending_t *pending, const es_request_ask_t *ask,
                         const es_request_id_t *id, es_why_t *why)
{
    const char *relay_state, *url;
    es_rv_t rv;

    if ((rv = es_pending_seal(&relay_state, pending, flow->key, why, flow->pool)) != ES_OK ||
        (rv = es_request_url(&url, flow->site->request, ask, id, relay_state, flow->now, why, flow->pool)) != ES_OK) {
        return rv;
    }
    if (strlen(url) <= ES_REQUEST_URL_MAX || strcmp(pending->landing, flow->site->connection->default_page) == 0) {
        answer->location = url;
        return ES_OK;
    }
    if (pending->is_post) {
        pending->landing = flow->site->connection->default_page;
    } else {
        put_landing_aside(answer, flow, pending);
    }
    return write_url(answer, flow, pending, ask, id, why);
}

static es_request_kind_t kind_of(const es_pending_t *pending)
{
    if (pending->is_mfa) {
        return ES_REQUEST_MFA;
    }
    return pending->is_fresh ? ES_REQUEST_FRESH : pending->is_passive ? ES_REQUEST_PASSIVE : ES_REQUEST_PLAIN;
}

/* Everything but round, kind, landing and session is new. */
static es_rv_t begin(es_answer_t *answer, const es_flow_t *flow, es_pending_t *pending, const char *hints,
                     const es_post_t *post, es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    const es_request_ask_t ask = { kind_of(pending), hints };
    es_request_id_t request_id;
    es_binding_t binding;
    int known = es_signon_binding(&binding, flow, NULL);
    es_rv_t rv;

    if (!known && (rv = es_binding_make(&binding, why)) != ES_OK) {
        return rv;
    }
    if ((rv = es_crypto_random(request_id.octet, sizeof request_id.octet, why)) != ES_OK) {
        return rv;
    }
    pending->connection = connection->id;
    memcpy(pending->request_id, request_id.octet, sizeof pending->request_id);
    es_binding_hash(pending->binding, &binding);
    pending->started = flow->now;
    if (post && (rv = es_keep_put(pending, flow, post, why)) != ES_OK) {
        return rv;
    }
    if (strlen(pending->landing) > ES_LANDING_MAX) {
        put_landing_aside(answer, flow, pending);
    }
    if ((rv = write_url(answer, flow, pending, &ask, &request_id, why)) != ES_OK) {
        return rv;
    }
    if (!known) {
        es_signon_set_cookie(answer, connection->binding_cookie, es_binding_text(&binding, flow->pool), ES_COOKIE_NONE,
                             flow);
    }
    return ES_OK;
}

const char *es_signon_silent(const char *landing, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "silent ", landing, NULL);
}

/* What the paths to a sign-on differ in. */
typedef struct {
    const es_request_ask_t *ask;
    int is_step_up;
    const char *landing;   /* judged */
    const es_post_t *post; /* NULL: there is none */
} begun_t;

static es_rv_t start(es_answer_t *answer, const es_flow_t *flow, const begun_t *begun, es_why_t *why)
{
    const es_request_kind_t kind = begun->ask ? begun->ask->kind : ES_REQUEST_PLAIN;
    es_pending_t pending = { .is_fresh = kind == ES_REQUEST_FRESH || kind == ES_REQUEST_MFA,
                             .is_passive = kind == ES_REQUEST_PASSIVE,
                             .is_mfa = kind == ES_REQUEST_MFA,
                             .is_step_up = begun->is_step_up,
                             .landing = begun->landing };
    es_binding_t binding;
    int visits = 0;

    note_session(&pending, flow);
    if (es_signon_binding(&binding, flow, NULL)) {
        visits = es_binding_visits(&binding, pending.landing, flow->now);
        if (pending.is_passive &&
            es_binding_visits(&binding, es_signon_silent(pending.landing, flow->pool), flow->now) > 0) {
            answer->location = pending.landing;
            return ES_OK;
        }
    }
    if (visits >= (pending.has_session ? UNREPLACED_SESSIONS : LOST_SESSIONS)) {
        return es_fail(why, ES_SESSION_LOOP, "%d sessions made for %.200s within a minute, %s", visits, pending.landing,
                       pending.has_session ? "an old cookie comes in their place" : "none came back");
    }
    return begin(answer, flow, &pending, begun->ask ? begun->ask->hints : NULL, begun->post, why);
}

/* For the page that is asked for, or the default page. */
static es_rv_t start_for(es_answer_t *answer, const es_flow_t *flow, begun_t *begun, const char *landing, es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    es_why_t refused = ES_WHY_INIT;

    if (!landing || es_landing_read_allowed(&begun->landing, landing, connection->origin, &flow->site->allow, &refused,
                                            flow->pool) != ES_OK) {
        begun->landing = connection->default_page;
    }
    return start(answer, flow, begun, why);
}

es_rv_t es_signon_start(es_answer_t *answer, const es_flow_t *flow, const es_request_ask_t *ask, const char *landing,
                        es_why_t *why)
{
    begun_t begun = { .ask = ask };

    return start_for(answer, flow, &begun, landing, why);
}

es_rv_t es_signon_step_up(es_answer_t *answer, const es_flow_t *flow, const es_request_ask_t *ask, const char *landing,
                          es_why_t *why)
{
    begun_t begun = { .ask = ask, .is_step_up = 1 };

    return start_for(answer, flow, &begun, landing, why);
}

es_rv_t es_signon_start_post(es_answer_t *answer, const es_flow_t *flow, const es_request_ask_t *ask,
                             const char *landing, const es_post_t *post, es_why_t *why)
{
    begun_t begun = { .ask = ask, .post = post };
    es_rv_t rv =
        es_landing_read_allowed(&begun.landing, landing, flow->site->connection->origin, NULL, why, flow->pool);

    return rv == ES_OK ? start(answer, flow, &begun, why) : rv;
}

es_rv_t es_signon_restart(es_answer_t *answer, const es_flow_t *flow, const es_pending_t *pending, es_why_t *why)
{
    es_pending_t again = *pending;

    again.round++;
    if (again.round >= ES_PENDING_ROUNDS) {
        return es_fail(why, ES_SIGNON_LOOP, "the sign-on for %.200s was started %d times", again.landing,
                       ES_PENDING_ROUNDS);
    }
    return begin(answer, flow, &again, NULL, NULL, why);
}

int es_signon_has_tls(const es_flow_t *flow)
{
    const es_connection_t *connection = flow->site->connection;
    const char *binding = flow->cookies, *session = flow->cookies;

    return es_cookie_next(&binding, connection->binding_cookie, flow->pool) ||
           es_cookie_next(&session, connection->session_cookie, flow->pool);
}

/* On our own origin whatever the path says, so that no gate is needed. */
es_rv_t es_signon_move(es_answer_t *answer, const es_flow_t *flow, const char *path, es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    es_binding_t binding;
    es_rv_t rv = es_binding_make(&binding, why);

    if (rv != ES_OK) {
        return rv;
    }
    answer->location =
        apr_pstrcat(flow->pool, connection->origin, *path == '/' ? path : connection->default_page, NULL);
    es_signon_set_cookie(answer, connection->binding_cookie, es_binding_text(&binding, flow->pool), ES_COOKIE_NONE,
                         flow);
    return ES_OK;
}
