/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One connection to a database through apr_dbd, whatever its driver: SQLite, PostgreSQL, MySQL. A statement is prepared when
 * it is first used, and values only ever go in as their parameters. A connection is one thread's at a time.
 */
#ifndef ES_DBD_H
#define ES_DBD_H

#include "base/es.h"

#include <apr_dbd.h>

typedef struct es_dbd_t es_dbd_t;

/* What is prepared: each %s is a parameter, %% a percent sign. */
typedef struct {
    const char *name; /* a word; NULL ends a list */
    const char *sql;
} es_dbd_statement_t;

#define ES_DBD_STATEMENTS 12 /* of a connection, at most */
#define ES_DBD_COLUMNS 12    /* of an answer */

/* A row of an answer; NULL for NULL, and for nothing, since some drivers cannot tell them apart. */
typedef struct {
    const char *column[ES_DBD_COLUMNS];
} es_dbd_row_t;

/* apr_dbd itself, once a pass of the configuration. ES_ACCOUNTS_DOWN. */
es_rv_t es_dbd_init(es_why_t *why, apr_pool_t *pool);
/* ES_CONFIG_ACCOUNTS: there is no driver of this name on this machine. */
es_rv_t es_dbd_driver(const apr_dbd_driver_t **driver, const char *name, es_why_t *why, apr_pool_t *pool);
/* How many parameters SQL text has; -1 where it has a percent sign that is neither %s nor %%. */
int es_dbd_parameters(const char *sql);

/* Connects, in a pool of its own below the one given; closed with that pool. The list of statements (NULL: none) is kept.
 * Where the parameters say no connect_timeout, PostgreSQL is waited for 5 s.
 * What the driver says never shows a password of the parameters. ES_ACCOUNTS_DOWN: no connection. */
es_rv_t es_dbd_open(es_dbd_t **dbd, const apr_dbd_driver_t *driver, const char *params,
                    const es_dbd_statement_t *statements, es_why_t *why, apr_pool_t *pool);
void es_dbd_close(es_dbd_t *dbd);
/* Did a statement fail? Then the connection is of no more use, whatever the cause: the other side may be gone, and
 * drivers do not tell. Whether it is, another connection shows. */
int es_dbd_is_broken(const es_dbd_t *dbd);

/* Runs a statement by its place in the list. `n_columns` is what the answer must have. As many values as the statement has
 * parameters, NULL for NULL. ES_ACCOUNTS_FAULT. */
es_rv_t es_dbd_select(const es_dbd_row_t **rows, int *n_rows, es_dbd_t *dbd, int statement, const char *const *values,
                      int n_columns, es_why_t *why, apr_pool_t *pool);
es_rv_t es_dbd_change(int *n_changed, es_dbd_t *dbd, int statement, const char *const *values, es_why_t *why,
                      apr_pool_t *pool);

/* A time as columns have it: 2026-01-31T23:59:59Z. */
const char *es_dbd_time(apr_time_t time, apr_pool_t *pool);

/* Runs text of ours that has no parameters: to make a schema. */
es_rv_t es_dbd_execute(es_dbd_t *dbd, const char *sql, es_why_t *why);

#endif
