/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * In every process: from a document to the sites that requests use. What was judged elsewhere is judged again as it is
 * made, and all hosts of a source get the new one, or all keep the old.
 */
#include "httpd/refresh.h"

#include <apr_strings.h>

#define AT_ONCE 20 /* sources a look: making sites takes milliseconds */
#define RETRY apr_time_from_sec(30)
#define SWEEP apr_time_from_sec(1)

typedef struct {
    mes_server_t *conf;
    const mes_site_t *site;
    apr_pool_t *pool;
} made_t;

static es_rv_t make(made_t *made, es_bytes_t document, const mes_state_t *state, es_why_t *why)
{
    es_rv_t rv;

    made->pool = mes_site_make_pool();
    rv = mes_site_make(&made->site, made->conf, document, state, why, made->pool);
    if (rv == ES_OK) {
        rv = mes_agree_check(made->conf, made->site, why);
    }
    if (rv != ES_OK) {
        apr_pool_destroy(made->pool);
    }
    return rv;
}

es_rv_t mes_adopt_document(const mes_refresh_t *refresh, const mes_source_t *source, es_bytes_t document, es_why_t *why,
                           apr_pool_t *pool)
{
    const int count = source->servers->nelts;
    made_t *made = apr_pcalloc(pool, (apr_size_t)count * sizeof *made);
    es_rv_t rv = ES_OK;
    int i;

    for (i = 0; i < count; i++) {
        made[i].conf = APR_ARRAY_IDX(source->servers, i, mes_server_t *);
        if ((rv = make(&made[i], document, refresh->state, why)) != ES_OK) {
            break;
        }
    }
    while (i-- > 0) {
        if (rv == ES_OK) {
            es_slot_replace(made[i].conf->slot, made[i].site, made[i].pool);
        } else {
            apr_pool_destroy(made[i].pool);
        }
    }
    return rv;
}

static es_rv_t adopt(const mes_refresh_t *refresh, const mes_source_t *source, es_why_t *why, apr_pool_t *pool)
{
    es_copy_t *copy;
    es_rv_t rv = mes_copyfile_read(&copy, refresh, source, why, pool);

    if (rv == ES_OK && !copy) {
        rv = es_fail(why, ES_METADATA_COPY, "the copy of %.300s has gone", source->name);
    }
    if (rv == ES_OK && !mes_source_is_signed(source->shared, copy->document)) {
        rv = es_fail(why, ES_METADATA_COPY, "the copy of %.300s is not the one that was written last", source->name);
    }
    return rv == ES_OK ? mes_adopt_document(refresh, source, copy->document, why, pool) : rv;
}

/* Tells of a failure once an edition; what is there goes on to hold. Returns 0 where the source is still behind. */
static int catch_up(const mes_refresh_t *refresh, mes_source_t *source, apr_time_t now, apr_pool_t *pool)
{
    const unsigned edition = atomic_load(&source->shared->edition);
    es_why_t why = ES_WHY_INIT;

    if (now < source->retry && source->retry - now <= RETRY && edition == source->complained) {
        return 0;
    }
    if (adopt(refresh, source, &why, pool) != ES_OK) {
        if (atomic_load(&source->shared->edition) != edition) {
            return 0; /* the next one came in between */
        }
        if (source->complained != edition) {
            mes_io_report(why.rv, why.text);
        }
        /* Somebody meddled with the copy: the keeper makes it anew. */
        mes_refresh_ask(APR_ARRAY_IDX(source->servers, 0, mes_server_t *), now);
        atomic_store(&source->shared->taken, 0);
        source->complained = edition;
        source->retry = now + RETRY;
        return 0;
    }
    source->adopted = edition;
    source->retry = 0;
    return 1;
}

static void sweep(const mes_refresh_t *refresh)
{
    int i, n;

    for (i = 0; i < refresh->sources->nelts; i++) {
        const mes_source_t *source = APR_ARRAY_IDX(refresh->sources, i, mes_source_t *);

        for (n = 0; n < source->servers->nelts; n++) {
            es_slot_sweep(APR_ARRAY_IDX(source->servers, n, mes_server_t *)->slot);
        }
    }
}

void mes_adopt_all(mes_refresh_t *refresh, apr_pool_t *pool)
{
    const unsigned raised = atomic_load(refresh->raised);
    const apr_time_t now = apr_time_now();
    int i, left = AT_ONCE, is_late = 0;

    if (now - refresh->swept >= SWEEP || now < refresh->swept) {
        sweep(refresh);
        refresh->swept = now;
    }
    if (raised == refresh->seen && !refresh->is_late) {
        return;
    }
    for (i = 0; i < refresh->sources->nelts; i++) {
        mes_source_t *source = APR_ARRAY_IDX(refresh->sources, i, mes_source_t *);

        if (atomic_load(&source->shared->edition) == source->adopted) {
            continue;
        }
        if (left-- <= 0 || !catch_up(refresh, source, now, pool)) {
            is_late = 1;
        }
    }
    refresh->is_late = is_late;
    refresh->seen = raised;
}

void mes_adopt_begin(apr_pool_t *pool, server_rec *server)
{
    const mes_state_t *state = mes_conf_server(server)->state;
    apr_pool_t *scratch;

    if (state && state->refresh->raised) {
        apr_pool_create(&scratch, pool);
        mes_adopt_all(state->refresh, scratch);
        apr_pool_destroy(scratch);
    }
}
