/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "db/dbd.h"

#include <apr_allocator.h>
#include <apr_strings.h>
#include <apr_tables.h>

/* Rows of one answer: a key has one, an address a few. What goes on for longer is some other statement's answer. */
#define ROWS_MAX 100000
#define CONNECT_SECONDS "5"

struct es_dbd_t {
    apr_pool_t *pool;
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    const char *password; /* NULL: none known */
    int is_broken;
    const es_dbd_statement_t *statements;
    apr_dbd_prepared_t *prepared[ES_DBD_STATEMENTS]; /* NULL: not yet */
    int parameters[ES_DBD_STATEMENTS];
};

es_rv_t es_dbd_init(es_why_t *why, apr_pool_t *pool)
{
    return apr_dbd_init(pool) == APR_SUCCESS ? ES_OK : es_fail(why, ES_ACCOUNTS_DOWN, "apr_dbd cannot be initialised");
}

es_rv_t es_dbd_driver(const apr_dbd_driver_t **driver, const char *name, es_why_t *why, apr_pool_t *pool)
{
    char error[120];
    const apr_status_t rv = apr_dbd_get_driver(pool, name, driver);

    return rv == APR_SUCCESS
               ? ES_OK
               : es_fail(why, ES_CONFIG_ACCOUNTS, "there is no driver %.40s (Debian: libaprutil1-dbd-%.40s): %s", name,
                         name, apr_strerror(rv, error, sizeof error));
}

int es_dbd_parameters(const char *sql)
{
    int count = 0;

    for (; (sql = strchr(sql, '%')); sql += 2) {
        if (sql[1] == 's') {
            count++;
        } else if (sql[1] != '%') {
            return -1;
        }
    }
    return count;
}

/* The value of pass=, password= or the like, of the form of libpq and of apr_dbd's other drivers; NULL where there is
 * none. */
static const char *find_password(const char *params, apr_pool_t *pool)
{
    const char *at = strcasestr(params, "pass"), *end;

    if (!at || !(at = strchr(at, '='))) {
        return NULL;
    }
    at += 1 + strspn(at + 1, " ");
    if (*at == '\'' || *at == '"') {
        end = strchr(at + 1, *at);
        at++;
    } else {
        end = at + strcspn(at, " ,;");
    }
    end = end ? end : at + strlen(at);
    return end > at ? apr_pstrmemdup(pool, at, (apr_size_t)(end - at)) : NULL;
}

/* What a driver says, on one line, and not where it repeats the password: libpq quotes what it cannot read of its
 * parameters. */
static const char *say(const char *error, const char *password, apr_pool_t *pool)
{
    char *text, *c;

    if (!error || !*error) {
        return "the driver gives no reason";
    }
    if ((password && strstr(error, password)) || strstr(error, "connection info string") || strstr(error, " URI") ||
        strstr(error, "percent-encoded")) {
        return "the driver cannot read its parameters";
    }
    text = apr_pstrdup(pool, error);
    for (c = text; *c; c++) {
        if ((unsigned char)*c < ' ') {
            *c = ' ';
        }
    }
    while (c > text && c[-1] == ' ') {
        *--c = '\0';
    }
    return text;
}

static es_rv_t fail(es_dbd_t *dbd, const char *what, int error, es_why_t *why, apr_pool_t *pool)
{
    const char *said = say(apr_dbd_error(dbd->driver, dbd->handle, error), dbd->password, pool);
    const char *name = apr_dbd_name(dbd->driver);

    /* Nobody asks the driver whether the connection still stands: libpq's would connect again, without the statements. A
     * new connection tells. */
    dbd->is_broken = 1;
    return es_fail(why, ES_ACCOUNTS_FAULT, "%.40s, statement %.40s: %.600s", name, what, said);
}

static apr_status_t close_handle(void *context)
{
    es_dbd_t *dbd = context;

    apr_dbd_close(dbd->driver, dbd->handle);
    return APR_SUCCESS;
}

/* Not before it is used: of a table of the site's own, statements may be of no use that nobody replaced. */
static es_rv_t prepare(es_dbd_t *dbd, int statement, es_why_t *why)
{
    const es_dbd_statement_t *said = &dbd->statements[statement];
    int error;

    if (dbd->prepared[statement]) {
        return ES_OK;
    }
    dbd->parameters[statement] = es_dbd_parameters(said->sql);
    if (dbd->parameters[statement] < 0) {
        return es_fail(why, ES_ACCOUNTS_FAULT, "statement %.40s has a %% that is neither %%s nor %%%%", said->name);
    }
    /* PostgreSQL has the label in a statement of its own, where a word of SQL would be no name. */
    error = apr_dbd_prepare(dbd->driver, dbd->pool, dbd->handle, said->sql,
                            apr_pstrcat(dbd->pool, "entra_", said->name, NULL), &dbd->prepared[statement]);
    return error ? fail(dbd, said->name, error, why, dbd->pool) : ES_OK;
}

/* libpq waits for ever for a server that takes the connection and says nothing, and who waits holds up everybody who needs a
 * connection. A limit of the administrator's own stands, whatever it is. */
static const char *limit_wait(const apr_dbd_driver_t *driver, const char *params, apr_pool_t *pool)
{
    const int is_uri = strncmp(params, "postgres", 8) == 0 && strstr(params, "://");

    if (strcmp(apr_dbd_name(driver), "pgsql") != 0 || strstr(params, "connect_timeout")) {
        return params;
    }
    return apr_pstrcat(pool, params,
                       !is_uri               ? " "
                       : strchr(params, '?') ? "&"
                                             : "?",
                       "connect_timeout=" CONNECT_SECONDS, NULL);
}

es_rv_t es_dbd_open(es_dbd_t **dbd, const apr_dbd_driver_t *driver, const char *params,
                    const es_dbd_statement_t *statements, es_why_t *why, apr_pool_t *pool)
{
    const char *error = NULL;
    apr_allocator_t *allocator;
    apr_pool_t *own;
    es_dbd_t *made;

    /* An allocator of its own: connections are used by different threads, whatever the pool above them shares. */
    if (apr_allocator_create(&allocator) != APR_SUCCESS ||
        apr_pool_create_ex(&own, pool, NULL, allocator) != APR_SUCCESS) {
        return es_fail(why, ES_ACCOUNTS_DOWN, "no pool for a connection");
    }
    apr_allocator_owner_set(allocator, own);
    made = apr_pcalloc(own, sizeof *made);
    made->pool = own;
    made->driver = driver;
    made->password = find_password(params, own);
    if (apr_dbd_open_ex(driver, own, limit_wait(driver, params, own), &made->handle, &error) != APR_SUCCESS) {
        es_fail(why, ES_ACCOUNTS_DOWN, "%.40s cannot connect: %.600s", apr_dbd_name(driver),
                say(error, made->password, own));
        apr_pool_destroy(own);
        return why->rv;
    }
    apr_pool_cleanup_register(own, made, close_handle, apr_pool_cleanup_null);
    made->statements = statements;
    *dbd = made;
    return ES_OK;
}

void es_dbd_close(es_dbd_t *dbd)
{
    apr_pool_destroy(dbd->pool);
}

int es_dbd_is_broken(const es_dbd_t *dbd)
{
    return dbd->is_broken;
}

/* A copy of all rows: what the driver gave must be handed back before the connection is used again. */
static es_rv_t fetch(const es_dbd_row_t **rows, int *n_rows, es_dbd_t *dbd, int statement, apr_dbd_results_t *results,
                     int n_columns, es_why_t *why, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(es_dbd_row_t));
    apr_dbd_row_t *row = NULL;

    if (apr_dbd_num_cols(dbd->driver, results) != n_columns) {
        return es_fail(why, ES_ACCOUNTS_FAULT, "statement %.40s gives %d columns, not %d",
                       dbd->statements[statement].name, apr_dbd_num_cols(dbd->driver, results), n_columns);
    }
    while (apr_dbd_get_row(dbd->driver, pool, results, &row, -1) == 0) {
        es_dbd_row_t *copy = apr_array_push(list);
        int i;

        memset(copy, 0, sizeof *copy);
        for (i = 0; i < n_columns; i++) {
            const char *value = apr_dbd_get_entry(dbd->driver, row, i);

            copy->column[i] = value && *value ? apr_pstrdup(pool, value) : NULL;
        }
        if (list->nelts > ROWS_MAX) {
            return es_fail(why, ES_ACCOUNTS_FAULT, "statement %.40s gives more than %d rows",
                           dbd->statements[statement].name, ROWS_MAX);
        }
    }
    *rows = (const es_dbd_row_t *)list->elts;
    *n_rows = list->nelts;
    return ES_OK;
}

/* apr_dbd wants values it may write. */
static const char **copy_values(const es_dbd_t *dbd, int statement, const char *const *values, apr_pool_t *pool)
{
    return apr_pmemdup(pool, values, (apr_size_t)dbd->parameters[statement] * sizeof *values);
}

es_rv_t es_dbd_select(const es_dbd_row_t **rows, int *n_rows, es_dbd_t *dbd, int statement, const char *const *values,
                      int n_columns, es_why_t *why, apr_pool_t *pool)
{
    apr_dbd_results_t *results = NULL;
    apr_pool_t *scratch;
    int error;
    es_rv_t rv;

    if ((rv = prepare(dbd, statement, why)) != ES_OK) {
        return rv;
    }
    if (apr_pool_create(&scratch, pool) != APR_SUCCESS) {
        return es_fail(why, ES_ACCOUNTS_DOWN, "no pool for a statement");
    }
    error = apr_dbd_pselect(dbd->driver, scratch, dbd->handle, &results, dbd->prepared[statement], 1,
                            dbd->parameters[statement], copy_values(dbd, statement, values, scratch));
    if (error) {
        rv = fail(dbd, dbd->statements[statement].name, error, why, pool);
    } else {
        rv = fetch(rows, n_rows, dbd, statement, results, n_columns, why, pool);
    }
    apr_pool_destroy(scratch);
    return rv;
}

es_rv_t es_dbd_change(int *n_changed, es_dbd_t *dbd, int statement, const char *const *values, es_why_t *why,
                      apr_pool_t *pool)
{
    int error, changed = 0;
    es_rv_t rv = prepare(dbd, statement, why);

    if (rv != ES_OK) {
        return rv;
    }
    error = apr_dbd_pquery(dbd->driver, pool, dbd->handle, &changed, dbd->prepared[statement],
                           dbd->parameters[statement], copy_values(dbd, statement, values, pool));
    if (error) {
        return fail(dbd, dbd->statements[statement].name, error, why, pool);
    }
    *n_changed = changed;
    return ES_OK;
}

const char *es_dbd_time(apr_time_t time, apr_pool_t *pool)
{
    apr_time_exp_t utc;
    char text[sizeof "2026-01-31T23:59:59Z"];
    apr_size_t len;

    apr_time_exp_gmt(&utc, time);
    apr_strftime(text, &len, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return apr_pstrmemdup(pool, text, len);
}

es_rv_t es_dbd_execute(es_dbd_t *dbd, const char *sql, es_why_t *why)
{
    int changed;
    const int error = apr_dbd_query(dbd->driver, dbd->handle, &changed, sql);

    return error ? fail(dbd, "of the schema", error, why, dbd->pool) : ES_OK;
}
