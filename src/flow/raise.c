/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "flow/raise.h"

#include "flow/subject.h"

#define METHODS "authnmethodsreferences"

/* Sign-ins of one browser that run side by side, as when it opens twenty tabs again, end within this time. A session used this lately
 * also speaks for whoever is at the browser now: which idle limits it has met the ACS does not know. */
#define SIDE_BY_SIDE apr_time_from_sec(300)

/* A session of the browser's. */
typedef struct {
    es_session_t session;
    es_stored_t stored;
    int is_ours; /* of this connection, not one of the others' */
} old_t;

static int is_of(const es_session_t *session, const es_site_t *site)
{
    return memcmp(&session->connection, &site->connection->id, sizeof session->connection) == 0;
}

/* 0: there is no such session, or it is none of our business. */
static int find(old_t *old, const es_hash_t *key, const es_flow_t *flow)
{
    const es_site_t *const *other = flow->others;
    es_why_t ignored = ES_WHY_INIT;

    if (flow->store->find(&old->stored, flow->store, key, flow->now, &ignored, flow->pool) != ES_OK ||
        !old->stored.record.data || es_session_read(&old->session, old->stored.record, &ignored) != ES_OK) {
        return 0;
    }
    old->is_ours = is_of(&old->session, flow->site);
    while (!old->is_ours && other && *other && !is_of(&old->session, *other)) {
        other++;
    }
    return old->is_ours || (other && *other);
}

static int has_value(const es_claim_t *claim, const char *value)
{
    int i;

    for (i = 0; i < claim->count; i++) {
        if (strcmp(claim->values[i], value) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The claim with the values that it lacks behind its own. Returns how many there were. */
static int add_values(es_claim_t *claim, const apr_array_header_t *values, apr_pool_t *pool)
{
    const char **all = apr_palloc(pool, (apr_size_t)(claim->count + values->nelts) * sizeof *all);
    const int before = claim->count;
    int i;

    memcpy(all, claim->values, (apr_size_t)before * sizeof *all);
    claim->values = all;
    for (i = 0; i < values->nelts; i++) {
        const char *value = APR_ARRAY_IDX(values, i, const char *);

        if (!has_value(claim, value)) {
            all[claim->count++] = value;
        }
    }
    return claim->count - before;
}

static int add_methods(es_session_new_t *fresh, const es_session_t *old, apr_pool_t *pool)
{
    const unsigned id = es_claims_find(METHODS);
    es_claim_t *claims = apr_palloc(pool, (apr_size_t)(fresh->n_claims + 1) * sizeof *claims);
    es_session_claim_t had;
    int i, added;

    if (!es_session_find(&had, old, id, NULL)) {
        return 0;
    }
    memcpy(claims, fresh->claims, (apr_size_t)fresh->n_claims * sizeof *claims);
    for (i = 0; i < fresh->n_claims && claims[i].id != id; i++) {
    }
    if (i == fresh->n_claims) {
        claims[i] = (es_claim_t){ .id = id, .name = METHODS, .short_name = METHODS };
    }
    added = add_values(&claims[i], es_session_values(&had, pool), pool);
    if (added > 0) {
        fresh->claims = claims;
        fresh->n_claims += i == fresh->n_claims;
    }
    return added;
}

static int take_over(es_session_new_t *fresh, const es_session_t *old, apr_pool_t *pool)
{
    int changed = add_methods(fresh, old, pool);

    if (old->authenticated > fresh->authenticated) {
        fresh->authenticated = old->authenticated;
        changed = 1;
    }
    return changed;
}

static void end_later(es_raise_t *raise, const es_hash_t *key)
{
    raise->ended[raise->n_ended++] = *key;
}

/* The one that was there when the sign-on started. It has something to say only if it was good there: a session that has
 * ended proves nothing any more. Another connection's is not ours to end, unless it is of somebody else: when the new session ends
 * before it, this browser would be that other again. */
static int judge_first(es_raise_t *raise, es_session_new_t *fresh, const es_flow_t *flow, const es_pending_t *pending,
                       const es_session_t *session)
{
    old_t old;
    int is_same;

    if (!find(&old, &pending->session, flow)) {
        return 0;
    }
    is_same = es_subject_is_same(&old.session, session);
    if (old.is_ours || !is_same) {
        end_later(raise, &pending->session);
    }
    return is_same && pending->is_raising && take_over(fresh, &old.session, flow->pool);
}

/* The one made last, when it is another. One that is young goes on: requests with its cookie may be under way. */
static int judge_last(es_raise_t *raise, es_session_new_t *fresh, const es_flow_t *flow, const es_hash_t *key,
                      const es_session_t *session)
{
    old_t old;
    int is_same;

    if (!find(&old, key, flow)) {
        return 0;
    }
    is_same = es_subject_is_same(&old.session, session);
    if (!is_same || flow->now - old.session.created > SIDE_BY_SIDE) {
        end_later(raise, key);
    }
    return is_same && flow->now - old.stored.last_used <= SIDE_BY_SIDE && take_over(fresh, &old.session, flow->pool);
}

int es_raise_judge(es_raise_t *raise, es_session_new_t *fresh, const es_flow_t *flow, const es_pending_t *pending,
                   const es_binding_t *binding, const es_session_t *session)
{
    int changed = 0;

    raise->n_ended = 0;
    if (pending->has_session) {
        changed |= judge_first(raise, fresh, flow, pending, session);
    }
    if (binding->has_session &&
        !(pending->has_session && memcmp(&binding->session, &pending->session, sizeof binding->session) == 0)) {
        changed |= judge_last(raise, fresh, flow, &binding->session, session);
    }
    return changed;
}

void es_raise_end(const es_raise_t *raise, const es_flow_t *flow)
{
    int i;

    for (i = 0; i < raise->n_ended; i++) {
        es_why_t ignored = ES_WHY_INIT;

        flow->store->remove(NULL, flow->store, &raise->ended[i], &ignored);
    }
}
