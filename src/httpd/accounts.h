/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accounts as httpd has them: what the directives say, and connections to the databases that they name, shared by the
 * threads of a process. accounts.c keeps connections, accountrules.c reads directives.
 */
#ifndef MES_ACCOUNTS_H
#define MES_ACCOUNTS_H

#include "db/accountdb.h"
#include "httpd/mes.h"

/* A database with its statements. */
struct mes_database_t {
    es_accounts_t accounts; /* what the flow sees; self leads back here */
    const es_accountdb_conf_t *conf;
    const char *identity; /* what tells it from others: driver, parameters, statements */
    mes_lines_t *lines;   /* this process's connections; NULL in the parent */
};

/* ---- accountrules.c ------------------------------------------------------------------------------------------- */

/* A directive's lines by themselves. ES_CONFIG_ACCOUNTS. */
es_rv_t mes_accountrules_check_database(const mes_value_t *value, es_why_t *why, apr_pool_t *pool);
es_rv_t mes_accountrules_check_statements(const mes_value_t *value, es_why_t *why, apr_pool_t *pool);
es_rv_t mes_accountrules_check_profile(const mes_value_t *value, es_why_t *why, apr_pool_t *pool);
es_rv_t mes_accountrules_check_domains(const mes_value_t *value, es_why_t *why, apr_pool_t *pool);

/* ---- accounts.c ------------------------------------------------------------------------------------------------- */

/* Makes what asks a database that is configured. */
mes_database_t *mes_accounts_database(const es_accountdb_conf_t *conf, const char *identity, apr_pool_t *pool);

#endif
