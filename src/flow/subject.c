/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finding a subject's sessions and ending them.
 */
#include "flow/subject.h"

#include <stdlib.h>
#include <strings.h>

/* A session of the subject, for sorting. */
typedef struct {
    es_hash_t key;
    apr_time_t last_used, created;
} mine_t;

/* Two sign-ins of one user this close meet each other's sessions before they have counted. */
#define MEETING apr_time_from_sec(10)

/* Pieces of text, each with its NUL, so that none runs into the next. */
static es_hash_t hash_of(const char *kind, const es_connection_id_t *connection, const char *first, const char *second)
{
    const es_bytes_t pieces[] = { es_bytes(kind, strlen(kind) + 1), es_bytes(connection, sizeof *connection),
                                  es_bytes(first, strlen(first) + 1), es_bytes(second, strlen(second) + 1) };

    return es_crypto_sha256_of(pieces, 4);
}

/* A claim with one value, NULL where it is absent, or has several. */
static const char *value_of(const es_session_t *session, const char *name)
{
    es_session_claim_t claim;

    return es_session_find(&claim, session, es_claims_find(name), name) && claim.count == 1 && *claim.joined
               ? claim.joined
               : NULL;
}

const char *es_subject_tenant(const es_session_t *session)
{
    return value_of(session, "tenantid");
}

es_hash_t es_subject_named(es_subject_kind_t kind, const es_connection_id_t *connection, const char *name)
{
    return hash_of(kind == ES_SUBJECT_NAME_ID ? "name id" : "session index", connection, name, "");
}

int es_subject_of(es_hash_t *subject, es_subject_kind_t kind, const es_session_t *session)
{
    const char *tenant, *object;

    switch (kind) {
    case ES_SUBJECT_USER:
        tenant = es_subject_tenant(session);
        object = value_of(session, "objectidentifier");
        if (tenant && object) {
            *subject = hash_of("user", &session->connection, tenant, object);
            return 1;
        }
        return 0;
    case ES_SUBJECT_NAME_ID:
        if (*session->name_id) {
            *subject = es_subject_named(kind, &session->connection, session->name_id);
            return 1;
        }
        return 0;
    case ES_SUBJECT_SESSION_INDEX:
        if (*session->session_index) {
            *subject = es_subject_named(kind, &session->connection, session->session_index);
            return 1;
        }
        return 0;
    case ES_SUBJECTS:
        break;
    }
    return 0;
}

int es_subject_all(es_hash_t subjects[ES_SUBJECTS], const es_session_t *session)
{
    int kind, n = 0;

    for (kind = 0; kind < ES_SUBJECTS; kind++) {
        n += es_subject_of(&subjects[n], (es_subject_kind_t)kind, session);
    }
    return n;
}

int es_subject_is_same(const es_session_t *a, const es_session_t *b)
{
    const char *tenant = es_subject_tenant(a), *other_tenant = es_subject_tenant(b);
    const char *object = value_of(a, "objectidentifier"), *other_object = value_of(b, "objectidentifier");

    if (tenant && other_tenant && (strcasecmp(tenant, other_tenant) != 0 || (object && other_object))) {
        return strcasecmp(tenant, other_tenant) == 0 && strcasecmp(object, other_object) == 0;
    }
    if (memcmp(&a->connection, &b->connection, sizeof a->connection) != 0) {
        return strcmp(a->user, b->user) == 0;
    }
    return !tenant == !other_tenant && *a->name_id && strcmp(a->name_id, b->name_id) == 0;
}

/* Is the session of a list one of the subject's? The store does not promise it. And of the tenant: NameID and SessionIndex
 * are chosen by tenants, each of which may choose another's. */
static int is_of(es_session_t *session, const es_listed_t *listed, es_subject_kind_t kind, const es_hash_t *subject,
                 const char *tenant)
{
    es_why_t ignored = ES_WHY_INIT;
    const char *own;
    es_hash_t found;

    if (es_session_read(session, listed->stored.record, &ignored) != ES_OK || !es_subject_of(&found, kind, session) ||
        memcmp(&found, subject, sizeof found) != 0) {
        return 0;
    }
    own = es_subject_tenant(session);
    return !tenant || (own && strcasecmp(own, tenant) == 0);
}

/* The younger first. */
static int compare_ages(const mine_t *x, const mine_t *y)
{
    if (x->created != y->created) {
        return x->created > y->created ? -1 : 1;
    }
    return memcmp(&x->key, &y->key, sizeof x->key);
}

/* The session used last first; of two used in the same second, the younger. */
static int compare(const void *a, const void *b)
{
    const mine_t *x = a, *y = b;

    if (x->last_used != y->last_used) {
        return x->last_used > y->last_used ? -1 : 1;
    }
    return compare_ages(x, y);
}

/* Puts the kept session first, and before it those that were made just after it: their sign-ins do the same, and for
 * both sides the same ones must go. Would each keep its own, each could end the other's. */
static void prefer(mine_t *mine, int n, const es_hash_t *kept)
{
    mine_t *ours = NULL;
    int i;

    for (i = 0; i < n && !ours; i++) {
        ours = memcmp(&mine[i].key, kept, sizeof *kept) == 0 ? &mine[i] : NULL;
    }
    for (i = 0; ours && i < n; i++) {
        if (&mine[i] != ours && mine[i].created - ours->created < MEETING && compare_ages(&mine[i], ours) < 0) {
            mine[i].last_used = APR_INT64_MAX;
        }
    }
    if (ours) {
        ours->last_used = APR_INT64_MAX - 1;
    }
}

es_rv_t es_subject_end(int *ended, const es_flow_t *flow, es_subject_kind_t kind, const es_hash_t *subject,
                       const char *tenant, int most, const es_hash_t *kept, es_why_t *why)
{
    es_store_t *store = flow->store;
    int i, n_listed, n = 0, count = 0;
    es_listed_t *listed;
    mine_t *mine;
    es_rv_t rv = store->list(&listed, &n_listed, store, subject, flow->now, why, flow->pool);

    if (rv != ES_OK) {
        return rv;
    }
    mine = apr_palloc(flow->pool, (apr_size_t)(n_listed + 1) * sizeof *mine);
    for (i = 0; i < n_listed; i++) {
        es_session_t session;

        if (is_of(&session, &listed[i], kind, subject, tenant)) {
            mine[n++] = (mine_t){ listed[i].key, listed[i].stored.last_used, session.created };
        }
    }
    if (kept) {
        prefer(mine, n, kept);
    }
    qsort(mine, (size_t)n, sizeof *mine, compare);
    for (i = most; i < n; i++) {
        int removed = 0;

        if ((rv = store->remove(&removed, store, &mine[i].key, why)) != ES_OK) {
            return rv;
        }
        count += removed;
    }
    *ended = count;
    return ES_OK;
}
