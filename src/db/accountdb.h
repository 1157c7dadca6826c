/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The accounts' table: the statements, ours or the site's, and what their parameters and columns mean. docs/accounts.md
 * tells administrators the same.
 *
 *   name     parameters                                          answer
 *   find     authority, subject                                  id, authority, subject, connection, address, state
 *   match    address                                             the same
 *   bind     authority, subject, time, id                        rows changed
 *   create   authority, subject, connection, state, time         rows changed
 *   profile  a value for each column of the profile, time, id    rows changed
 *
 * All are text; times are of the form 2026-01-31T23:59:59Z.
 */
#ifndef ES_ACCOUNTDB_H
#define ES_ACCOUNTDB_H

#include "db/dbd.h"
#include "session/account.h"

#define ES_ACCOUNTDB_PROFILE_MAX 32

typedef struct {
    const apr_dbd_driver_t *driver;
    const char *params;
    es_dbd_statement_t statements[ES_DBD_STATEMENTS + 1];
    int n_profile;
} es_accountdb_conf_t;

/* `said` are pairs of a statement's name and text, `columns` those of the profile, whose names go into our own statement
 * and are the only texts of the configuration that do: a-z, 0-9 and _, 63 at most. ES_CONFIG_ACCOUNTS. */
es_rv_t es_accountdb_make(es_accountdb_conf_t **conf, const char *driver, const char *params, const char *const *said,
                          int n_said, const char *const *columns, int n_columns, es_why_t *why, apr_pool_t *pool);
/* A pair by itself, and a column's name. ES_CONFIG_ACCOUNTS. */
es_rv_t es_accountdb_check_statement(const char *name, const char *sql, int n_columns, es_why_t *why);
es_rv_t es_accountdb_check_column(const char *name, es_why_t *why);

/* The functions of es_accounts_t over one connection, opened with the statements above. */
es_rv_t es_accountdb_find(const es_account_t **rows, int *n_rows, es_dbd_t *dbd, const es_account_key_t *key,
                          es_why_t *why, apr_pool_t *pool);
es_rv_t es_accountdb_match(const es_account_t **rows, int *n_rows, es_dbd_t *dbd, const char *address, es_why_t *why,
                           apr_pool_t *pool);
es_rv_t es_accountdb_bind(int *done, es_dbd_t *dbd, const char *id, const es_account_key_t *key, apr_time_t now,
                          es_why_t *why, apr_pool_t *pool);
es_rv_t es_accountdb_create(int *done, es_dbd_t *dbd, const es_account_key_t *key, const char *connection,
                            es_account_state_t state, apr_time_t now, es_why_t *why, apr_pool_t *pool);
es_rv_t es_accountdb_profile(es_dbd_t *dbd, const char *id, const char *const *values, int n_values, apr_time_t now,
                             es_why_t *why, apr_pool_t *pool);

/* ---- the command's part, for the table that it makes ---------------------------------------------------------- */

/* The statements of these functions, to open a connection with. */
extern const es_dbd_statement_t es_accountdb_office[];

/* Makes the table where it is not there, of SQLite or PostgreSQL. ES_CONFIG_ACCOUNTS for another driver. */
es_rv_t es_accountdb_init(const apr_dbd_driver_t *driver, const char *params, es_why_t *why, apr_pool_t *pool);

/* What a list shows of an account; NULL for what is absent. */
typedef struct {
    const char *id, *state, *authority, *subject, *connection, *address, *name, *email, *created, *seen;
} es_accountdb_entry_t;
/* All, or those in a state (NULL: any), in order of their creation. */
es_rv_t es_accountdb_list(const es_accountdb_entry_t **entries, int *n_entries, es_dbd_t *dbd, const char *state,
                          es_why_t *why, apr_pool_t *pool);
/* Those that `who` names: an id, a prepared address in lower case, a key's subject. Never a profile's e-mail address, which
 * is whatever its owner says. */
es_rv_t es_accountdb_who(const es_accountdb_entry_t **entries, int *n_entries, es_dbd_t *dbd, const char *who,
                         es_why_t *why, apr_pool_t *pool);
/* *done = 0: there is such a row. */
es_rv_t es_accountdb_prepare(int *done, es_dbd_t *dbd, const char *connection, const char *address,
                             es_account_state_t state, apr_time_t now, es_why_t *why, apr_pool_t *pool);
es_rv_t es_accountdb_add(int *done, es_dbd_t *dbd, const es_account_key_t *key, es_account_state_t state,
                         apr_time_t now, es_why_t *why, apr_pool_t *pool);
/* *done = 0: there is no such row. */
es_rv_t es_accountdb_set(int *done, es_dbd_t *dbd, const char *id, es_account_state_t state, apr_time_t now,
                         es_why_t *why, apr_pool_t *pool);
es_rv_t es_accountdb_remove(int *done, es_dbd_t *dbd, const char *id, es_why_t *why, apr_pool_t *pool);

#endif
