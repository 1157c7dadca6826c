/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sources' keeper: a singleton of mod_watchdog, in whichever child holds its lock. It keeps nothing of its own: when
 * a source is due stands in shared memory, what a conditional request needs stands in the copy, so that the next child
 * goes on where this one ended.
 *
 * A document is taken whole or not at all, and only after all that can be judged of it was judged; then comes the copy,
 * and last its number. Whatever goes wrong before leaves everything as it was.
 */
#include "httpd/refresh.h"

#include "entra/schedule.h"

#include <apr_optional.h>
#include <apr_strings.h>
#include <mod_watchdog.h>

#define AT_ONCE 4 /* sources a look: the others wait for the next, which comes at once */
#define LOOK apr_time_from_sec(2)
#define LOOK_AT_KEYS apr_time_from_sec(3600)

/* The issuer that the next document must have too, where EntraSAMLIssuer does not say what to expect. */
static const char *issuer_before(const mes_server_t *conf, const mes_site_t *site)
{
    return site->is_ready && !conf->value[MES_ISSUER].at ? site->connection->metadata->issuer : NULL;
}

/* By every host that would get it. One of another tenant than before is somebody's mistake, or worse. */
static es_rv_t judge(es_connection_t **connection, const mes_source_t *source, es_bytes_t document, es_why_t *why,
                     apr_pool_t *pool)
{
    es_rv_t rv = ES_OK;
    int i;

    for (i = 0; rv == ES_OK && i < source->servers->nelts; i++) {
        const mes_server_t *conf = APR_ARRAY_IDX(source->servers, i, mes_server_t *);
        es_edition_t *edition = es_slot_take(conf->slot);
        const mes_site_t *site = es_edition_object(edition);

        rv = mes_site_judge(connection, conf, document, issuer_before(conf, site), why, pool);
        es_slot_give_back(edition);
    }
    return rv;
}

static es_rv_t publish(const mes_refresh_t *refresh, const mes_source_t *source, const es_copy_t *copy, es_why_t *why,
                       apr_pool_t *pool)
{
    const es_metadata_t *metadata;
    es_connection_t *connection;
    es_rv_t rv;

    if ((rv = judge(&connection, source, copy->document, why, pool)) != ES_OK ||
        (rv = mes_copyfile_write(refresh, source, copy, why, pool)) != ES_OK) {
        return rv;
    }
    mes_source_sign(source->shared, copy->document);
    atomic_fetch_add(&source->shared->edition, 1);
    atomic_fetch_add(refresh->raised, 1);
    metadata = connection->metadata;
    mes_io_event(apr_psprintf(pool, "%s: metadata of %s taken, signing certificates %s", source->name, metadata->issuer,
                              es_keys_thumbprints(metadata->keys, pool)));
    return ES_OK;
}

static int same(es_bytes_t a, es_bytes_t b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static es_rv_t fetch(const mes_refresh_t *refresh, const mes_source_t *source, es_why_t *why, apr_pool_t *pool)
{
    es_why_t damaged = ES_WHY_INIT; /* then another takes its place */
    es_copy_t *before = NULL;
    mes_fetched_t fetched;
    es_copy_t copy;
    es_rv_t rv;

    mes_copyfile_read(&before, refresh, source, &damaged, pool);
    rv = mes_fetch_get(&fetched, source, before, &refresh->is_stopping, why, pool);
    if (rv != ES_OK || fetched.is_unchanged || (before && same(before->document, fetched.document))) {
        return rv;
    }
    copy.etag = fetched.etag;
    copy.modified = fetched.modified;
    copy.fetched = apr_time_now();
    copy.document = fetched.document;
    return publish(refresh, source, &copy, why, pool);
}

/* Only a file that has looked the same twice: somebody may still be writing it. */
static int has_settled(mes_shared_t *shared, const char *path)
{
    const apr_uint64_t now = mes_source_look(path);
    const apr_uint64_t before = atomic_exchange(&shared->seen, now);

    return now == before && now != atomic_load(&shared->taken);
}

static es_rv_t read_file(const mes_refresh_t *refresh, const mes_source_t *source, es_why_t *why, apr_pool_t *pool)
{
    es_copy_t copy = { .etag = "", .modified = "", .fetched = apr_time_now() };
    es_rv_t rv;

    atomic_store(&source->shared->taken, atomic_load(&source->shared->seen));
    rv = mes_judge_read_file(&copy.document, source->name, MES_METADATA_MAX, ES_METADATA_UNREADABLE, why, pool);
    return rv == ES_OK ? publish(refresh, source, &copy, why, pool) : rv;
}

/* One line for each change of state, however often it is tried. */
static void note(const mes_source_t *source, es_rv_t rv, const es_why_t *why, apr_pool_t *pool)
{
    const es_rv_t before = (es_rv_t)atomic_exchange(&source->shared->fault, (int)rv);

    if (rv == before) {
        return;
    }
    if (rv == ES_OK) {
        mes_io_event(apr_psprintf(pool, "%s: the metadata is good again", source->name));
    } else {
        mes_io_report(rv, apr_psprintf(pool, "%s; what was fetched before holds", why->text));
    }
}

static void look_after_file(const mes_refresh_t *refresh, const mes_source_t *source, apr_time_t now, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;

    if (has_settled(source->shared, source->name)) {
        note(source, read_file(refresh, source, &why, pool), &why, pool);
    }
    atomic_store(&source->shared->due, now + LOOK);
}

static void look_after_address(const mes_refresh_t *refresh, const mes_source_t *source, apr_pool_t *pool)
{
    mes_shared_t *shared = source->shared;
    es_why_t why = ES_WHY_INIT, none = ES_WHY_INIT;
    unsigned chance = 0;
    es_rv_t rv;

    atomic_store(&shared->is_wanted, 0);
    rv = fetch(refresh, source, &why, pool);
    if (atomic_load(&refresh->is_stopping)) {
        return; /* the next child begins anew */
    }
    note(source, rv, &why, pool);
    atomic_store(&shared->failures, rv == ES_OK ? 0 : atomic_load(&shared->failures) + 1);
    es_crypto_random(&chance, sizeof chance, &none);
    atomic_store(&shared->due,
                 es_schedule_next(apr_time_now(), source->interval, atomic_load(&shared->failures), chance));
}

/* Once an hour is often enough for days. The certificates are those in use, whatever became of the last fetch. */
static void warn_of_expiry(const mes_source_t *source, apr_time_t now, apr_pool_t *pool)
{
    const mes_server_t *conf = APR_ARRAY_IDX(source->servers, 0, mes_server_t *);
    es_expiry_warning_t warnings[ES_EXPIRY_KEYS];
    es_edition_t *edition;
    const mes_site_t *site;
    int i, count = 0;

    if (now < source->shared->looked + LOOK_AT_KEYS && now >= source->shared->looked) {
        return;
    }
    edition = es_slot_take(conf->slot);
    site = es_edition_object(edition);
    if (site->is_ready) {
        source->shared->looked = now;
        count = es_expiry_due(warnings, &source->shared->warned, site->connection->metadata->keys, now, pool);
    }
    for (i = 0; i < count; i++) {
        mes_io_report(warnings[i].rv, apr_psprintf(pool, "%s: %s", source->name, warnings[i].text));
    }
    es_slot_give_back(edition);
}

/* A copy from before the clock was set back says when it was fetched, too: that is no reason to wait for years. */
static int is_due(const mes_source_t *source, apr_time_t now)
{
    const apr_interval_time_t most = source->is_file ? LOOK : source->interval + source->interval / 5;

    return es_schedule_is_due(now, atomic_load(&source->shared->due), most);
}

/* What somebody waits for comes first. */
static void look_after_all(const mes_refresh_t *refresh, apr_pool_t *pool)
{
    const apr_time_t now = apr_time_now();
    int is_second, i, left = AT_ONCE;

    for (is_second = 0; is_second < 2; is_second++) {
        for (i = 0; i < refresh->sources->nelts && left > 0; i++) {
            const mes_source_t *source = APR_ARRAY_IDX(refresh->sources, i, mes_source_t *);

            if (is_second) {
                warn_of_expiry(source, now, pool);
            }
            if (!atomic_load(&source->shared->is_wanted) && (!is_second || !is_due(source, now))) {
                continue;
            }
            if (source->is_file) {
                atomic_store(&source->shared->is_wanted, 0);
                look_after_file(refresh, source, now, pool);
            } else {
                look_after_address(refresh, source, pool);
                left--;
            }
        }
    }
}

void mes_refresh_ask(const mes_server_t *conf, apr_time_t now)
{
    mes_shared_t *shared = conf->source->shared;
    apr_time_t asked;

    if (!shared) {
        return; /* nobody would hear it */
    }
    asked = atomic_load(&shared->asked);
    if (es_schedule_may_ask(now, asked) && atomic_compare_exchange_strong(&shared->asked, &asked, now)) {
        atomic_store(&shared->is_wanted, 1);
    }
}

/* ---- mod_watchdog -------------------------------------------------------------------------------------------- */

/* The end is told by another thread, while this one may be in the middle of a fetch. */
static apr_status_t keep(int state, void *context, apr_pool_t *pool)
{
    mes_refresh_t *refresh = context;

    if (state == AP_WATCHDOG_STATE_STOPPING) {
        atomic_store(&refresh->is_stopping, 1);
    } else if (!atomic_load(&refresh->is_stopping)) {
        look_after_all(refresh, pool);
    }
    return APR_SUCCESS;
}

static apr_status_t follow(int state, void *context, apr_pool_t *pool)
{
    if (state != AP_WATCHDOG_STATE_STOPPING) {
        mes_adopt_all(context, pool);
    }
    return APR_SUCCESS;
}

static es_rv_t watch(const char *name, int is_singleton, ap_watchdog_callback_fn_t *callback, mes_refresh_t *refresh,
                     es_why_t *why, apr_pool_t *pool)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;

    if (!get || !add || get(&watchdog, name, 0, is_singleton, pool) != APR_SUCCESS ||
        add(watchdog, AP_WD_TM_SLICE, refresh, callback) != APR_SUCCESS) {
        return es_fail(why, ES_CONFIG_WATCHDOG, "mod_watchdog does not take our part %s", name);
    }
    return ES_OK;
}

/* From the copy, where there is a good one: so the server starts without a network. */
static void begin_address(const mes_refresh_t *refresh, const mes_source_t *source, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_copy_t *copy = NULL;
    es_rv_t rv = mes_copyfile_read(&copy, refresh, source, &why, pool);

    if (rv == ES_OK && copy) {
        rv = mes_adopt_document(refresh, source, copy->document, &why, pool);
    }
    if (rv != ES_OK) {
        mes_io_report(rv, why.text);
    } else if (copy) {
        atomic_store(&source->shared->due, copy->fetched + source->interval);
    }
}

es_rv_t mes_refresh_start(mes_refresh_t *refresh, es_why_t *why, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    es_rv_t rv;
    int i;

    if (!ap_find_linked_module("mod_watchdog.c")) {
        return ES_OK; /* files only, which then hold until the next restart */
    }
    if ((rv = mes_source_share(refresh, why, pconf)) != ES_OK ||
        (rv = watch("_entra_saml_keeper_", 1, keep, refresh, why, pconf)) != ES_OK ||
        (rv = watch("_entra_saml_follower_", 0, follow, refresh, why, pconf)) != ES_OK) {
        return rv;
    }
    for (i = 0; i < refresh->sources->nelts; i++) {
        mes_source_t *source = APR_ARRAY_IDX(refresh->sources, i, mes_source_t *);

        if (source->is_file) {
            atomic_store(&source->shared->seen, source->look);
            atomic_store(&source->shared->taken, source->look);
        } else {
            begin_address(refresh, source, ptemp);
        }
    }
    return ES_OK;
}
