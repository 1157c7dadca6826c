/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger.h"

#include "unit.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <strings.h>

es_account_t ledger_rows[LEDGER_ROWS];
int ledger_n_rows, ledger_asked, ledger_n_profile;
es_rv_t ledger_silence, ledger_refuses;
void (*ledger_meanwhile)(void);
const char *ledger_profile[8];

static es_rv_t ask(es_why_t *why)
{
    ledger_asked++;
    return ledger_silence == ES_OK ? ES_OK : es_fail(why, ledger_silence, "as the test says");
}

static int is_same(const char *a, const char *b)
{
    /* As databases are that do not care for case. */
    return a && b && strcasecmp(a, b) == 0;
}

static void copy_row(const es_account_t **rows, int *n_rows, es_account_t *list, int place)
{
    list[*n_rows] = ledger_rows[place];
    ++*n_rows;
    *rows = list;
}

static es_rv_t find(const es_account_t **rows, int *n_rows, es_accounts_t *accounts, const es_account_key_t *key,
                    es_why_t *why, apr_pool_t *pool)
{
    es_account_t *list = apr_pcalloc(pool, sizeof ledger_rows);

    (void)accounts;
    *n_rows = 0;
    for (int i = 0; i < ledger_n_rows; i++) {
        if (is_same(ledger_rows[i].key.authority, key->authority) &&
            is_same(ledger_rows[i].key.subject, key->subject)) {
            copy_row(rows, n_rows, list, i);
        }
    }
    return ask(why);
}

static es_rv_t match(const es_account_t **rows, int *n_rows, es_accounts_t *accounts, const char *address,
                     es_why_t *why, apr_pool_t *pool)
{
    es_account_t *list = apr_pcalloc(pool, sizeof ledger_rows);

    (void)accounts;
    *n_rows = 0;
    for (int i = 0; i < ledger_n_rows; i++) {
        if (is_same(ledger_rows[i].address, address)) {
            copy_row(rows, n_rows, list, i);
        }
    }
    return ask(why);
}

static void let_others_go_first(void)
{
    void (*meanwhile)(void) = ledger_meanwhile;

    ledger_meanwhile = NULL;
    if (meanwhile) {
        meanwhile();
    }
}

static es_rv_t finish(es_rv_t rv, es_why_t *why)
{
    return rv == ES_OK && ledger_refuses != ES_OK ? es_fail(why, ledger_refuses, "a unique key") : rv;
}

static es_rv_t bind_row(int *done, es_accounts_t *accounts, const char *id, const es_account_key_t *key, apr_time_t now,
                        es_why_t *why, apr_pool_t *pool)
{
    es_account_t *row = &ledger_rows[atoi(id)];

    (void)accounts;
    (void)now;
    let_others_go_first();
    *done = !row->key.subject;
    if (*done) {
        row->key = (es_account_key_t){ apr_pstrdup(pool, key->authority), apr_pstrdup(pool, key->subject) };
    }
    return finish(ask(why), why);
}

static es_rv_t create(int *done, es_accounts_t *accounts, const es_account_key_t *key, const char *connection,
                      es_account_state_t state, apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    const es_account_t *rows;
    es_why_t ignored = ES_WHY_INIT;
    int n_rows;

    (void)now;
    let_others_go_first();
    find(&rows, &n_rows, accounts, key, &ignored, pool);
    ledger_asked--;
    *done = n_rows == 0;
    if (*done) {
        ledger_add(key->authority, key->subject, connection, NULL, state);
    }
    return finish(ask(why), why);
}

static es_rv_t profile(es_accounts_t *accounts, const char *id, const char *const *values, int n_values, apr_time_t now,
                       es_why_t *why, apr_pool_t *pool)
{
    (void)accounts;
    (void)id;
    (void)now;
    (void)pool;
    memcpy(ledger_profile, values, (size_t)n_values * sizeof *values);
    ledger_n_profile = n_values;
    return ask(why);
}

es_accounts_t ledger = { NULL, find, match, bind_row, create, profile };

void ledger_open(void)
{
    memset(ledger_rows, 0, sizeof ledger_rows);
    memset(ledger_profile, 0, sizeof ledger_profile);
    ledger_n_rows = ledger_asked = ledger_n_profile = 0;
    ledger_silence = ledger_refuses = ES_OK;
    ledger_meanwhile = NULL;
}

void ledger_add(const char *authority, const char *subject, const char *connection, const char *address,
                es_account_state_t state)
{
    ck_assert_int_lt(ledger_n_rows, LEDGER_ROWS);
    ledger_rows[ledger_n_rows] =
        (es_account_t){ apr_itoa(unit_pool, ledger_n_rows), { authority, subject }, connection, address, state };
    ledger_n_rows++;
}
