/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the module asks of the table. office.c has what the command asks.
 */
#include "db/accountdb.h"

#include <apr_strings.h>

#define COLUMNS 6 /* of find and match */
#define COLUMN_MAX 63
#define SELECT_ROW "SELECT id, authority, subject, connection, address, state FROM entra_accounts WHERE "
#define WHERE_ID "WHERE id = CAST(%s AS BIGINT)"

typedef enum { FIND, MATCH, BIND, CREATE, PROFILE, STATEMENTS } statement_t;

static const struct {
    const char *name, *sql;
    int parameters;
} statements[STATEMENTS] = {
    [FIND] = { "find", SELECT_ROW "authority = %s AND subject = %s", 2 },
    [MATCH] = { "match", SELECT_ROW "address = %s", 1 },
    [BIND] = { "bind",
               "UPDATE entra_accounts SET authority = %s, subject = %s, changed = %s " WHERE_ID
               " AND authority IS NULL AND subject IS NULL",
               4 },
    [CREATE] = { "create",
                 "INSERT INTO entra_accounts (authority, subject, connection, state, created) "
                 "VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                 5 },
    [PROFILE] = { "profile", NULL, 2 }, /* and those of the columns */
};

es_rv_t es_accountdb_check_column(const char *name, es_why_t *why)
{
    const apr_size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    static const char *const own[] = { "id",    "authority", "subject", "connection", "address",
                                       "state", "created",   "changed", "seen",       NULL };
    int i;

    if (len == 0 || name[len] != '\0' || len > COLUMN_MAX || (name[0] >= '0' && name[0] <= '9')) {
        return es_fail(why, ES_CONFIG_ACCOUNTS, "\"%.100s\" is no name of a column: a-z, 0-9 and _, at most %d", name,
                       COLUMN_MAX);
    }
    for (i = 0; own[i]; i++) {
        if (strcmp(own[i], name) == 0) {
            return es_fail(why, ES_CONFIG_ACCOUNTS, "column %s is no profile: it decides whose the account is", name);
        }
    }
    return ES_OK;
}

/* Its place in the list, -1 for none. */
static int find_statement(const char *name)
{
    int i;

    for (i = STATEMENTS - 1; i >= 0 && strcmp(statements[i].name, name) != 0; i--) {
    }
    return i;
}

es_rv_t es_accountdb_check_statement(const char *name, const char *sql, int n_columns, es_why_t *why)
{
    const int which = find_statement(name), count = es_dbd_parameters(sql);
    int wanted;

    if (which < 0) {
        return es_fail(why, ES_CONFIG_ACCOUNTS, "there is no statement \"%.40s\": find, match, bind, create, profile",
                       name);
    }
    wanted = statements[which].parameters + (which == PROFILE ? n_columns : 0);
    if (count != wanted) {
        return es_fail(why, ES_CONFIG_ACCOUNTS,
                       count < 0 ? "statement %s has a %% that is neither %%s nor %%%%"
                                 : "statement %s has %d parameters %%s, not %d",
                       name, count, wanted);
    }
    return ES_OK;
}

static const char *profile_sql(const char *const *columns, int n_columns, apr_pool_t *pool)
{
    const char *sql = "UPDATE entra_accounts SET ";
    int i;

    for (i = 0; i < n_columns; i++) {
        sql = apr_pstrcat(pool, sql, columns[i], " = %s, ", NULL);
    }
    return apr_pstrcat(pool, sql, "seen = %s " WHERE_ID, NULL);
}

es_rv_t es_accountdb_make(es_accountdb_conf_t **conf, const char *driver, const char *params, const char *const *said,
                          int n_said, const char *const *columns, int n_columns, es_why_t *why, apr_pool_t *pool)
{
    es_accountdb_conf_t *made = apr_pcalloc(pool, sizeof *made);
    int i;
    es_rv_t rv = es_dbd_driver(&made->driver, driver, why, pool);

    if (rv == ES_OK && n_columns > ES_ACCOUNTDB_PROFILE_MAX) {
        rv = es_fail(why, ES_CONFIG_ACCOUNTS, "the profile has more than %d columns", ES_ACCOUNTDB_PROFILE_MAX);
    }
    for (i = 0; i < n_columns && rv == ES_OK; i++) {
        rv = es_accountdb_check_column(columns[i], why);
    }
    for (i = 0; i < STATEMENTS; i++) {
        made->statements[i].name = statements[i].name;
        made->statements[i].sql = i == PROFILE ? profile_sql(columns, n_columns, pool) : statements[i].sql;
    }
    for (i = 0; i < n_said && rv == ES_OK; i++) {
        rv = es_accountdb_check_statement(said[2 * i], said[2 * i + 1], n_columns, why);
        if (rv == ES_OK) {
            made->statements[find_statement(said[2 * i])].sql = said[2 * i + 1];
        }
    }
    if (rv != ES_OK) {
        return rv;
    }
    made->params = params;
    made->n_profile = n_columns;
    *conf = made;
    return ES_OK;
}

static es_rv_t read_rows(const es_account_t **rows, int *n_rows, es_dbd_t *dbd, statement_t statement,
                         const char *const *values, es_why_t *why, apr_pool_t *pool)
{
    const es_dbd_row_t *found;
    es_account_t *list;
    int i, n;
    es_rv_t rv = es_dbd_select(&found, &n, dbd, (int)statement, values, COLUMNS, why, pool);

    if (rv != ES_OK) {
        return rv;
    }
    list = apr_pcalloc(pool, (apr_size_t)(n + 1) * sizeof *list);
    for (i = 0; i < n; i++) {
        const char *const *column = found[i].column;

        if (!column[0] || !es_account_state_read(&list[i].state, column[5])) {
            return es_fail(why, ES_ACCOUNTS_ROW, "statement %s: row %.40s has state \"%.40s\"",
                           statements[statement].name, column[0] ? column[0] : "(none)", column[5] ? column[5] : "");
        }
        list[i].id = column[0];
        list[i].key = (es_account_key_t){ column[1], column[2] };
        list[i].connection = column[3];
        list[i].address = column[4];
    }
    *rows = list;
    *n_rows = n;
    return ES_OK;
}

es_rv_t es_accountdb_find(const es_account_t **rows, int *n_rows, es_dbd_t *dbd, const es_account_key_t *key,
                          es_why_t *why, apr_pool_t *pool)
{
    const char *const values[] = { key->authority, key->subject };

    return read_rows(rows, n_rows, dbd, FIND, values, why, pool);
}

es_rv_t es_accountdb_match(const es_account_t **rows, int *n_rows, es_dbd_t *dbd, const char *address, es_why_t *why,
                           apr_pool_t *pool)
{
    return read_rows(rows, n_rows, dbd, MATCH, &address, why, pool);
}

es_rv_t es_accountdb_bind(int *done, es_dbd_t *dbd, const char *id, const es_account_key_t *key, apr_time_t now,
                          es_why_t *why, apr_pool_t *pool)
{
    const char *const values[] = { key->authority, key->subject, es_dbd_time(now, pool), id };

    return es_dbd_change(done, dbd, BIND, values, why, pool);
}

es_rv_t es_accountdb_create(int *done, es_dbd_t *dbd, const es_account_key_t *key, const char *connection,
                            es_account_state_t state, apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    const char *const values[] = { key->authority, key->subject, connection, es_account_state_text(state),
                                   es_dbd_time(now, pool) };

    return es_dbd_change(done, dbd, CREATE, values, why, pool);
}

es_rv_t es_accountdb_profile(es_dbd_t *dbd, const char *id, const char *const *values, int n_values, apr_time_t now,
                             es_why_t *why, apr_pool_t *pool)
{
    const char **all = apr_palloc(pool, (apr_size_t)(n_values + 2) * sizeof *all);
    int ignored;

    memcpy(all, values, (apr_size_t)n_values * sizeof *all);
    all[n_values] = es_dbd_time(now, pool);
    all[n_values + 1] = id;
    return es_dbd_change(&ignored, dbd, PROFILE, all, why, pool);
}
