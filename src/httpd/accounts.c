/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections to the accounts' databases. A child makes its own when it first needs one, a few at most, and keeps them for
 * a while. They are never closed with the child: its threads may be using them until the process ends (see
 * mes_site_make_pool).
 *
 * A connection whose statement failed is thrown away, since no driver says reliably whether the other side is gone. What
 * failed on one that was kept is tried again; what fails on a new one is refused. A database that cannot be reached is
 * left alone for a second, so that requests fail at once instead of waiting for it one after the other.
 */
#include "httpd/accounts.h"

#include <apr_reslist.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#define LINES_MAX 4
#define LINE_KEPT apr_time_from_sec(60)
#define LINE_AWAITED apr_time_from_sec(5)
#define LEFT_ALONE apr_time_from_sec(1)

/* A connection, and whether it has worked. */
typedef struct {
    es_dbd_t *dbd;
    int has_worked;
} line_t;

struct mes_lines_t {
    const es_accountdb_conf_t *conf;
    apr_reslist_t *list;
    /* Written by open_line, which runs under the list's own lock; the mutex is for those who read. */
    apr_thread_mutex_t *mutex;
    es_why_t failure;
    apr_time_t failed;
};

/* Once when it goes away, once when it is back: with EntraSAMLAccountsWhenDown trust nobody else may tell. */
static void report(const es_why_t *before, const es_why_t *now)
{
    if (now->rv == ES_ACCOUNTS_DOWN && before->rv != ES_ACCOUNTS_DOWN) {
        mes_io_report(now->rv, now->text);
    } else if (now->rv == ES_OK && before->rv == ES_ACCOUNTS_DOWN) {
        mes_io_event("the database of accounts answers again");
    }
}

static apr_status_t open_line(void **resource, void *context, apr_pool_t *pool)
{
    mes_lines_t *lines = context;
    const apr_time_t now = apr_time_now();
    es_why_t why = ES_WHY_INIT;
    line_t *line;

    if (lines->failure.rv != ES_ACCOUNTS_DOWN || now - lines->failed >= LEFT_ALONE || now < lines->failed) {
        line = apr_pcalloc(pool, sizeof *line);
        es_dbd_open(&line->dbd, lines->conf->driver, lines->conf->params, lines->conf->statements, &why, pool);
        report(&lines->failure, &why);
        apr_thread_mutex_lock(lines->mutex);
        lines->failure = why;
        lines->failed = apr_time_now();
        apr_thread_mutex_unlock(lines->mutex);
        *resource = line;
    }
    return lines->failure.rv == ES_OK ? APR_SUCCESS : APR_EGENERAL;
}

static apr_status_t close_line(void *resource, void *context, apr_pool_t *pool)
{
    line_t *line = resource;

    (void)context;
    (void)pool;
    es_dbd_close(line->dbd);
    return APR_SUCCESS;
}

static es_rv_t take_line(line_t **line, mes_lines_t *lines, es_why_t *why)
{
    void *resource;
    es_why_t failure;

    if (!lines) {
        return es_fail(why, ES_ACCOUNTS_DOWN, "this process has no connections to the database");
    }
    if (apr_reslist_acquire(lines->list, &resource) == APR_SUCCESS) {
        *line = resource;
        return ES_OK;
    }
    apr_thread_mutex_lock(lines->mutex);
    failure = lines->failure;
    apr_thread_mutex_unlock(lines->mutex);
    return failure.rv == ES_OK ? es_fail(why, ES_ACCOUNTS_DOWN, "all %d connections are busy for %d s", LINES_MAX,
                                         (int)apr_time_sec(LINE_AWAITED))
                               : es_fail(why, failure.rv, "%s", failure.text);
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

/* What is asked, and where the answer goes. */
typedef struct question_t {
    es_rv_t (*ask)(const struct question_t *question, es_dbd_t *dbd, es_why_t *why, apr_pool_t *pool);
    const es_account_t **rows;
    int *count;
    const es_account_key_t *key;
    const char *text; /* an id, an address, a connection */
    const char *const *values;
    int n_values;
    es_account_state_t state;
    apr_time_t now;
} question_t;

static es_rv_t put(es_accounts_t *accounts, const question_t *question, es_why_t *why, apr_pool_t *pool)
{
    mes_lines_t *lines = ((const mes_database_t *)accounts->self)->lines;
    int round;

    /* All that were kept may be of a database that has been restarted. */
    for (round = 0; round <= LINES_MAX; round++) {
        es_why_t tried = ES_WHY_INIT;
        line_t *line = NULL;
        es_rv_t rv = take_line(&line, lines, why);

        if (rv != ES_OK) {
            return rv;
        }
        rv = question->ask(question, line->dbd, &tried, pool);
        if (!es_dbd_is_broken(line->dbd)) {
            line->has_worked = 1;
            apr_reslist_release(lines->list, line);
            return rv == ES_OK ? ES_OK : es_fail(why, rv, "%s", tried.text);
        }
        if (!line->has_worked || round == LINES_MAX) {
            apr_reslist_invalidate(lines->list, line);
            return es_fail(why, rv, "%s", tried.text);
        }
        apr_reslist_invalidate(lines->list, line);
    }
    return es_fail(why, ES_INTERNAL, "no round was the last");
}

static es_rv_t ask_find(const question_t *question, es_dbd_t *dbd, es_why_t *why, apr_pool_t *pool)
{
    return es_accountdb_find(question->rows, question->count, dbd, question->key, why, pool);
}

static es_rv_t ask_match(const question_t *question, es_dbd_t *dbd, es_why_t *why, apr_pool_t *pool)
{
    return es_accountdb_match(question->rows, question->count, dbd, question->text, why, pool);
}

static es_rv_t ask_bind(const question_t *question, es_dbd_t *dbd, es_why_t *why, apr_pool_t *pool)
{
    return es_accountdb_bind(question->count, dbd, question->text, question->key, question->now, why, pool);
}

static es_rv_t ask_create(const question_t *question, es_dbd_t *dbd, es_why_t *why, apr_pool_t *pool)
{
    return es_accountdb_create(question->count, dbd, question->key, question->text, question->state, question->now, why,
                               pool);
}

static es_rv_t ask_profile(const question_t *question, es_dbd_t *dbd, es_why_t *why, apr_pool_t *pool)
{
    return es_accountdb_profile(dbd, question->text, question->values, question->n_values, question->now, why, pool);
}

static es_rv_t find(const es_account_t **rows, int *n_rows, es_accounts_t *accounts, const es_account_key_t *key,
                    es_why_t *why, apr_pool_t *pool)
{
    const question_t question = { .ask = ask_find, .rows = rows, .count = n_rows, .key = key };

    return put(accounts, &question, why, pool);
}

static es_rv_t match(const es_account_t **rows, int *n_rows, es_accounts_t *accounts, const char *address,
                     es_why_t *why, apr_pool_t *pool)
{
    const question_t question = { .ask = ask_match, .rows = rows, .count = n_rows, .text = address };

    return put(accounts, &question, why, pool);
}

/* `bind` is a system call's name. */
static es_rv_t bind_row(int *done, es_accounts_t *accounts, const char *id, const es_account_key_t *key, apr_time_t now,
                        es_why_t *why, apr_pool_t *pool)
{
    const question_t question = { .ask = ask_bind, .count = done, .text = id, .key = key, .now = now };

    return put(accounts, &question, why, pool);
}

static es_rv_t create(int *done, es_accounts_t *accounts, const es_account_key_t *key, const char *connection,
                      es_account_state_t state, apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    const question_t question = {
        .ask = ask_create, .count = done, .key = key, .text = connection, .state = state, .now = now
    };

    return put(accounts, &question, why, pool);
}

static es_rv_t profile(es_accounts_t *accounts, const char *id, const char *const *values, int n_values, apr_time_t now,
                       es_why_t *why, apr_pool_t *pool)
{
    const question_t question = { .ask = ask_profile, .text = id, .values = values, .n_values = n_values, .now = now };

    return put(accounts, &question, why, pool);
}

mes_database_t *mes_accounts_database(const es_accountdb_conf_t *conf, const char *identity, apr_pool_t *pool)
{
    mes_database_t *database = apr_pcalloc(pool, sizeof *database);

    database->accounts = (es_accounts_t){ database, find, match, bind_row, create, profile };
    database->conf = conf;
    database->identity = identity;
    return database;
}

static mes_lines_t *make_lines(const es_accountdb_conf_t *conf)
{
    apr_pool_t *pool = mes_site_make_pool();
    mes_lines_t *lines = apr_pcalloc(pool, sizeof *lines);

    lines->conf = conf;
    if (apr_thread_mutex_create(&lines->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_reslist_create(&lines->list, 0, 1, LINES_MAX, LINE_KEPT, open_line, close_line, lines, pool) !=
            APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    apr_reslist_timeout_set(lines->list, LINE_AWAITED);
    return lines;
}

void mes_accounts_begin(apr_pool_t *pchild, server_rec *main_server)
{
    const mes_state_t *state = mes_conf_server(main_server)->state;
    int i;

    (void)pchild;
    for (i = 0; state && i < state->databases->nelts; i++) {
        mes_database_t *database = APR_ARRAY_IDX(state->databases, i, mes_database_t *);

        database->lines = make_lines(database->conf);
    }
}
