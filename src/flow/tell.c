/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session as JSON. Times stand there twice: as RFC 3339 in UTC, for people and logs, and as the seconds that are left, since
 * the clock of whoever reads them may be wrong. Both are cut to whole seconds, so that nothing ends before it is said to.
 */
#include "flow/tell.h"

#include "base/codec.h"
#include "xml/datetime.h"

#include <apr_strings.h>
#include <apr_tables.h>

static const char *join_values(const es_session_claim_t *claim, apr_pool_t *pool)
{
    apr_array_header_t *values = es_session_values(claim, pool);
    int i;

    for (i = 0; i < values->nelts; i++) {
        APR_ARRAY_IDX(values, i, const char *) = es_codec_json(APR_ARRAY_IDX(values, i, const char *), pool);
    }
    return apr_array_pstrcat(pool, values, ',');
}

/* Those that the administrator chose and the session has. A claim that is absent stays absent: no groups are something
 * else than groups that Entra left out. */
static const char *write_claims(const es_session_t *session, const char *const *names, apr_pool_t *pool)
{
    apr_array_header_t *members = apr_array_make(pool, 8, sizeof(const char *));

    for (; names && *names; names++) {
        es_session_claim_t claim;

        if (es_session_find(&claim, session, es_claims_find(*names), *names)) {
            APR_ARRAY_PUSH(members, const char *) =
                apr_pstrcat(pool, es_codec_json(*names, pool), ":[", join_values(&claim, pool), "]", NULL);
        }
    }
    return apr_array_pstrcat(pool, members, ',');
}

/* ,"name":"…","name_in":seconds */
static const char *write_end(const char *name, apr_time_t time, apr_time_t now, apr_pool_t *pool)
{
    char text[ES_DATETIME_LEN];

    return apr_psprintf(pool, ",\"%s\":\"%s\",\"%s_in\":%" APR_INT64_T_FMT, name, es_datetime_write(text, time), name,
                        time > now ? apr_time_sec(time - now) : 0);
}

static const char *write_time(const char *name, apr_time_t time, apr_pool_t *pool)
{
    char text[ES_DATETIME_LEN];

    return apr_psprintf(pool, ",\"%s\":\"%s\"", name, es_datetime_write(text, time));
}

const char *es_tell_sign_in(const es_connection_t *connection, const char *page, int anew, apr_pool_t *pool)
{
    return apr_pstrcat(pool, connection->login_url,
                       anew ? "?fresh=1&return=" : "?return=", es_codec_url_encode(page, pool), NULL);
}

static const char *write_session(const es_session_t *session, const es_flow_t *flow, const es_tell_limits_t *limits,
                                 apr_time_t last_used, const char *page)
{
    const es_connection_t *connection = flow->site->connection;
    const apr_time_t lasts = session->created + limits->lifetime;
    const apr_time_t ends = session->ends && session->ends < lasts ? session->ends : lasts;
    apr_pool_t *pool = flow->pool;

    return apr_pstrcat(
        pool, "{\"user\":", es_codec_json(session->user, pool), ",\"claims\":{",
        write_claims(session, flow->site->session_claims, pool), "}", write_time("now", flow->now, pool),
        write_time("authenticated", session->authenticated, pool), write_end("ends", ends, flow->now, pool),
        write_end("idle_ends", last_used + limits->idle, flow->now, pool),
        limits->fresh ? write_end("fresh_ends", session->authenticated + limits->fresh, flow->now, pool) : "",
        ",\"sign_in\":", es_codec_json(es_tell_sign_in(connection, page, 1, pool), pool),
        ",\"sign_out\":", es_codec_json(connection->logout_url, pool), "}\n", NULL);
}

es_rv_t es_tell_session(const char **json, const es_flow_t *flow, const es_tell_limits_t *limits, const char *page,
                        int extends, es_why_t *why)
{
    es_session_t session;
    es_place_t place;
    es_rv_t rv = es_resume_look(&session, &place, flow, limits->lifetime, limits->idle, why);

    if (rv == ES_OK && limits->fresh) {
        rv = es_session_check_fresh(&session, flow->now, limits->fresh, why);
    }
    if (rv != ES_OK) {
        return rv;
    }
    if (extends) {
        flow->store->touch(flow->store, &place.key, &place.stored, flow->now);
        place.stored.last_used = flow->now;
    }
    *json = write_session(&session, flow, limits, place.stored.last_used, page);
    return ES_OK;
}

es_rv_t es_tell_check_claims(const char *const *list, int count, es_why_t *why)
{
    int i, earlier;

    for (i = 0; i < count; i++) {
        for (earlier = 0; earlier < i; earlier++) {
            if (strcmp(list[earlier], list[i]) == 0) {
                return es_fail(why, ES_CONFIG_CLAIM, "\"%.200s\" stands twice", list[i]);
            }
        }
    }
    return es_claims_check_required(list, count, why);
}
