/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * entra-saml: reads the command line. docs/entra-saml.1 is its manual.
 */
#include "cli/cli.h"

#include "base/codec.h"
#include "base/crypto.h"
#include "entra/connection.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define STATE_DIRECTORY "/var/lib/entra_saml"
#define PARAMS_MAX 4096

static const char usage[] =
    "usage: entra-saml accounts init    [DATABASE]\n"
    "       entra-saml accounts list    [DATABASE] [--state pending|active|disabled]\n"
    "       entra-saml accounts add     [DATABASE] [--pending] --connection ID ADDRESS...\n"
    "       entra-saml accounts add     [DATABASE] [--pending] --tenant GUID --object GUID\n"
    "       entra-saml accounts approve [DATABASE] WHO...\n"
    "       entra-saml accounts disable [DATABASE] WHO...\n"
    "       entra-saml accounts remove  [DATABASE] WHO...\n"
    "       entra-saml connection ISSUER ENTITY-ID\n"
    "DATABASE: --state-directory DIRECTORY, or --driver DRIVER with --params TEXT or --params-file FILE\n"
    "WHO: an id as list shows it, a prepared address, or an object id. See man entra-saml.\n";

int cli_fail(int code, const char *format, ...)
{
    va_list args;

    fputs("entra-saml: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

/* The first line of a file: parameters may hold a password, which everybody sees on a command line. */
static const char *read_params(const char *name, apr_pool_t *pool)
{
    char *text = apr_pcalloc(pool, PARAMS_MAX);
    apr_file_t *file;

    if (apr_file_open(&file, name, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool) != APR_SUCCESS ||
        apr_file_gets(text, PARAMS_MAX, file) != APR_SUCCESS) {
        return NULL;
    }
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

typedef enum {
    DRIVER = 256,
    PARAMS,
    PARAMS_FILE,
    DIRECTORY,
    STATE,
    CONNECTION,
    TENANT,
    OBJECT,
    PENDING,
    HELP
} option_t;

static const struct option options[] = {
    { "driver", required_argument, NULL, DRIVER },
    { "params", required_argument, NULL, PARAMS },
    { "params-file", required_argument, NULL, PARAMS_FILE },
    { "state-directory", required_argument, NULL, DIRECTORY },
    { "state", required_argument, NULL, STATE },
    { "connection", required_argument, NULL, CONNECTION },
    { "tenant", required_argument, NULL, TENANT },
    { "object", required_argument, NULL, OBJECT },
    { "pending", no_argument, NULL, PENDING },
    { "help", no_argument, NULL, HELP },
    { NULL, 0, NULL, 0 },
};

/* One option; CLI_DONE where it is understood. */
static int read_option(cli_asked_t *asked, const char **directory, int option, apr_pool_t *pool)
{
    switch (option) {
    case DRIVER:
        asked->driver = optarg;
        return CLI_DONE;
    case PARAMS:
        asked->params = optarg;
        return CLI_DONE;
    case PARAMS_FILE:
        asked->params = read_params(optarg, pool);
        return asked->params ? CLI_DONE : cli_fail(CLI_USAGE, "%s cannot be read", optarg);
    case DIRECTORY:
        *directory = optarg;
        return CLI_DONE;
    case STATE:
        asked->state = optarg;
        return CLI_DONE;
    case CONNECTION:
        asked->connection = optarg;
        return CLI_DONE;
    case TENANT:
        asked->tenant = optarg;
        return CLI_DONE;
    case OBJECT:
        asked->object = optarg;
        return CLI_DONE;
    case PENDING:
        asked->is_pending = 1;
        return CLI_DONE;
    default:
        fputs(usage, stderr);
        return CLI_USAGE;
    }
}

static int run_accounts(int argc, char *argv[], apr_pool_t *pool)
{
    cli_asked_t asked = { 0 };
    const char *directory = STATE_DIRECTORY;
    int option, code;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == HELP) {
            fputs(usage, stdout);
            return CLI_DONE;
        }
        if ((code = read_option(&asked, &directory, option, pool)) != CLI_DONE) {
            return code;
        }
    }
    if ((asked.driver == NULL) != (asked.params == NULL)) {
        return cli_fail(CLI_USAGE, "--driver needs --params or --params-file, and these need it");
    }
    if (!asked.driver) {
        asked.driver = "sqlite3";
        asked.params = apr_pstrcat(pool, directory, "/accounts/accounts.db", NULL);
    }
    /* getopt has put what is no option last: accounts, the verb, the rest. */
    asked.n_names = argc - optind - 2;
    asked.names = (const char *const *)&argv[optind + 2];
    if (asked.n_names < 0) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    return cli_accounts(argv[optind + 1], &asked, pool);
}

/* What prepared rows are assigned to. */
static int show_connection(const char *issuer, const char *entity_id, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_connection_id_t id;

    if (es_crypto_init(&why) != ES_OK) {
        return cli_fail(CLI_FAILED, "%s", why.text);
    }
    id = es_connection_id_of(issuer, entity_id);
    puts(es_codec_hex(es_bytes(&id, sizeof id), pool));
    return CLI_DONE;
}

int main(int argc, char *argv[])
{
    apr_pool_t *pool;
    int code;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    if (argc == 4 && strcmp(argv[1], "connection") == 0) {
        code = show_connection(argv[2], argv[3], pool);
    } else if (argc > 1 && strcmp(argv[1], "accounts") == 0) {
        code = run_accounts(argc, argv, pool);
    } else {
        const int asks = argc > 1 && strcmp(argv[1], "--help") == 0;

        fputs(usage, asks ? stdout : stderr);
        code = asks ? CLI_DONE : CLI_USAGE;
    }
    apr_pool_destroy(pool);
    if (fflush(stdout) != 0 && code == CLI_DONE) {
        code = cli_fail(CLI_FAILED, "standard output cannot be written");
    }
    return code;
}
