/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a virtual host says of accounts: checked line by line as it is read, then as a whole.
 */
#include "httpd/accounts.h"
#include "httpd/mapping.h"
#include "httpd/refresh.h"

#include "base/codec.h"

#include <apr_strings.h>

#define TRUST "entra_saml: accounts that were active lately"
#define DEFAULT_DRIVER "sqlite3"

/* The columns of the table that `entra-saml accounts init` makes. */
static const char *const default_profile[] = { "display_name", "displayname", "email",   "emailaddress",
                                               "given_name",   "givenname",   "surname", "surname" };

static const char *const *texts_of(const mes_value_t *value, int *count)
{
    *count = value->list ? value->list->nelts : 0;
    return value->list ? (const char *const *)value->list->elts : NULL;
}

es_rv_t mes_accountrules_check_database(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    const apr_dbd_driver_t *driver;
    int count;
    const char *const *texts = texts_of(value, &count);

    if (count != 2) {
        return es_fail(why, ES_CONFIG_ACCOUNTS, "takes a driver and its parameters, in quotes");
    }
    return es_dbd_driver(&driver, texts[0], why, pool);
}

/* How many columns the profile has is not known yet. */
es_rv_t mes_accountrules_check_statements(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    int count;
    const char *const *texts = texts_of(value, &count);
    const char *name = texts[count - 2], *sql = texts[count - 1];

    (void)pool;
    return strcmp(name, "profile") == 0 ? ES_OK : es_accountdb_check_statement(name, sql, 0, why);
}

es_rv_t mes_accountrules_check_profile(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    int i, count;
    const char *const *texts = texts_of(value, &count);
    es_why_t wrong = ES_WHY_INIT;

    (void)pool;
    for (i = 0; i < count - 2; i += 2) {
        if (strcmp(texts[i], texts[count - 2]) == 0) {
            return es_fail(why, ES_CONFIG_ACCOUNTS, "column %.63s has a claim already", texts[i]);
        }
    }
    if (es_claims_check_required(&texts[count - 1], 1, &wrong) != ES_OK) {
        return es_fail(why, ES_CONFIG_ACCOUNTS, "%s", wrong.text);
    }
    return es_accountdb_check_column(texts[count - 2], why);
}

es_rv_t mes_accountrules_check_domains(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    int i, count;
    const char *const *texts = texts_of(value, &count);

    for (i = 0; i < count; i++) {
        if (!es_account_domain_read(texts[i], pool)) {
            return es_fail(why, ES_CONFIG_ACCOUNTS, "\"%.100s\" is no domain", texts[i]);
        }
    }
    return ES_OK;
}

/* ---- the database ------------------------------------------------------------------------------------------------ */

static void add_texts(apr_array_header_t *all, const char *const *texts, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        APR_ARRAY_PUSH(all, const char *) = texts[i];
    }
}

static const char *const *profile_of(int *count, const mes_server_t *conf)
{
    const char *const *profile = texts_of(&conf->value[MES_ACCOUNTS_PROFILE], count);

    if (!profile) {
        *count = (int)(sizeof default_profile / sizeof *default_profile);
        profile = default_profile;
    }
    return profile;
}

/* SQLite's parameters are a path. The default lies where the server's user may write. */
static const char *params_of(const char *driver, const char *params, const mes_server_t *main_conf, apr_pool_t *pool)
{
    const char *folder = main_conf->value[MES_STATE_DIRECTORY].text;

    if (!params) {
        return apr_pstrcat(pool, folder ? folder : MES_KEY_FOLDER, "/" MES_ACCOUNTS_FOLDER "/accounts.db", NULL);
    }
    return strcmp(driver, "sqlite3") == 0 ? ap_server_root_relative(pool, params) : params;
}

/* The one that another host has already, by all that tells them apart; each text with its length before it. */
static mes_database_t *find_database(const char **identity, const mes_state_t *state, const apr_array_header_t *texts,
                                     apr_pool_t *pool)
{
    const char *all = "";
    int i;

    for (i = 0; i < texts->nelts; i++) {
        const char *text = APR_ARRAY_IDX(texts, i, const char *);

        all = apr_psprintf(pool, "%s%" APR_SIZE_T_FMT ":%s", all, strlen(text), text);
    }
    *identity = all;
    for (i = 0; i < state->databases->nelts; i++) {
        mes_database_t *database = APR_ARRAY_IDX(state->databases, i, mes_database_t *);

        if (strcmp(database->identity, all) == 0) {
            return database;
        }
    }
    return NULL;
}

es_rv_t mes_accountrules_find(mes_database_t **database, mes_state_t *state, const mes_server_t *conf,
                              const mes_server_t *main_conf, es_why_t *why, apr_pool_t *pool)
{
    int n_database, n_statements, n_profile, i;
    const char *const *said = texts_of(&conf->value[MES_ACCOUNTS_DATABASE], &n_database);
    const char *const *statements = texts_of(&conf->value[MES_ACCOUNTS_STATEMENT], &n_statements);
    const char *const *profile = profile_of(&n_profile, conf);
    const char *driver = said ? said[0] : DEFAULT_DRIVER, *identity;
    const char *params = params_of(driver, said ? said[1] : NULL, main_conf, pool);
    apr_array_header_t *columns = apr_array_make(pool, n_profile / 2 + 1, sizeof(const char *));
    apr_array_header_t *texts = apr_array_make(pool, 8, sizeof(const char *));
    es_accountdb_conf_t *made;
    es_rv_t rv;

    if (!params) {
        return es_fail(why, ES_CONFIG_ACCOUNTS, "\"%.200s\" is not a path", said[1]);
    }
    for (i = 0; i < n_profile; i += 2) {
        APR_ARRAY_PUSH(columns, const char *) = profile[i];
    }
    add_texts(texts, &driver, 1);
    add_texts(texts, &params, 1);
    add_texts(texts, statements, n_statements);
    add_texts(texts, (const char *const *)columns->elts, columns->nelts);
    if ((*database = find_database(&identity, state, texts, pool))) {
        return ES_OK;
    }
    rv = es_accountdb_make(&made, driver, params, statements, n_statements / 2, (const char *const *)columns->elts,
                           columns->nelts, why, pool);
    if (rv == ES_OK) {
        *database = mes_accounts_database(made, identity, pool);
        APR_ARRAY_PUSH(state->databases, mes_database_t *) = *database;
    }
    return rv;
}

/* ---- the rules --------------------------------------------------------------------------------------------------- */

/* *claim = NULL where the directive was not said. */
static es_rv_t claim_of(const es_account_claim_t **claim, const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    es_account_claim_t *made = apr_palloc(pool, sizeof *made);
    es_why_t wrong = ES_WHY_INIT;

    *claim = NULL;
    if (!value->text) {
        return ES_OK;
    }
    if (es_claims_check_required(&value->text, 1, &wrong) != ES_OK) {
        return es_fail(why, ES_CONFIG_ACCOUNTS, "%s", wrong.text);
    }
    *made = (es_account_claim_t){ es_claims_find(value->text), value->text };
    *claim = made;
    return ES_OK;
}

static const char *const *domains_of(const mes_value_t *value, apr_pool_t *pool)
{
    int i, count;
    const char *const *texts = texts_of(value, &count);
    const char **domains = apr_pcalloc(pool, (apr_size_t)(count + 1) * sizeof *domains);

    for (i = 0; i < count; i++) {
        domains[i] = es_account_domain_read(texts[i], pool);
    }
    return domains;
}

es_rv_t mes_accountrules_make(const es_account_rules_t **rules, const mes_server_t *conf,
                              const es_connection_t *connection, const mes_state_t *state, es_why_t *why,
                              apr_pool_t *pool)
{
    es_account_rules_t *made = apr_pcalloc(pool, sizeof *made);
    es_account_claim_t *profile;
    int i, n_profile;
    const char *const *said = profile_of(&n_profile, conf);
    es_rv_t rv;

    *rules = NULL;
    if (conf->value[MES_ACCOUNTS].number == MES_ACCOUNTS_OFF) {
        return ES_OK;
    }
    if ((rv = claim_of(&made->key, &conf->value[MES_ACCOUNTS_KEY], why, pool)) != ES_OK ||
        (rv = claim_of(&made->match, &conf->value[MES_ACCOUNTS_MATCH], why, pool)) != ES_OK) {
        return rv;
    }
    if (made->match && !conf->value[MES_ACCOUNTS_DOMAINS].list) {
        return es_fail(why, ES_CONFIG_ACCOUNTS,
                       "EntraSAMLAccountsMatch finds nobody without EntraSAMLAccountsDomains: it names the domains "
                       "whose addresses this tenant may speak for");
    }
    profile = apr_pcalloc(pool, (apr_size_t)(n_profile / 2 + 1) * sizeof *profile);
    for (i = 0; i < n_profile / 2; i++) {
        profile[i] = (es_account_claim_t){ es_claims_find(said[2 * i + 1]), said[2 * i + 1] };
    }
    made->policy = (es_accounts_policy_t)(conf->value[MES_ACCOUNTS].number - 1);
    made->database = &conf->database->accounts;
    made->trust = state->trust;
    made->identity =
        es_crypto_sha256_text(apr_pstrcat(pool, conf->database->identity, made->key ? made->key->name : "", NULL));
    made->trusted = conf->value[MES_ACCOUNTS_TRUST].number;
    made->trusts_when_down = (int)conf->value[MES_ACCOUNTS_WHEN_DOWN].number;
    made->connection = es_codec_hex(es_bytes(&connection->id, sizeof connection->id), pool);
    made->domains = domains_of(&conf->value[MES_ACCOUNTS_DOMAINS], pool);
    made->profile = profile;
    made->n_profile = n_profile / 2;
    *rules = made;
    return ES_OK;
}

/* Longer than a configuration: a graceful restart while the database is down must not throw out those who were trusted. */
es_rv_t mes_accountrules_share(es_trust_t **trust, apr_pool_t *process, es_why_t *why)
{
    mes_mapping_t *mapping;
    void *known = NULL;

    apr_pool_userdata_get(&known, TRUST, process);
    mapping = known;
    if (!mapping) {
        mapping = mes_mapping_make(-1, ES_TRUST_SIZE, process);
        if (!mapping) {
            return es_fail(why, ES_CONFIG_STATE, "%d octets of shared memory cannot be had", ES_TRUST_SIZE);
        }
        apr_pool_userdata_setn(mapping, TRUST, NULL, process);
    }
    *trust = es_trust_attach(mapping->memory, process);
    return ES_OK;
}

/* Where a default database lies, the server's user must be able to write; SQLite keeps its journal beside it. */
es_rv_t mes_accountrules_folder(const mes_state_t *state, const mes_folder_t *parent, es_why_t *why, apr_pool_t *pool)
{
    const char *name = apr_pstrcat(pool, parent->name, "/" MES_ACCOUNTS_FOLDER "/", NULL);
    mes_folder_t *folder;
    int i;

    for (i = 0; i < state->databases->nelts; i++) {
        const mes_database_t *database = APR_ARRAY_IDX(state->databases, i, const mes_database_t *);

        if (strncmp(database->conf->params, name, strlen(name)) == 0) {
            return mes_copyfile_folder(&folder, parent, MES_ACCOUNTS_FOLDER, why, pool);
        }
    }
    return ES_OK;
}
