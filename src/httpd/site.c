/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A site: everything that directives and one metadata document say together, judged and made ready for requests. At
 * start, and in a running child at each new document.
 */
#include "httpd/mes.h"

#include "entra/pin.h"
#include "saml/request.h"

#include <apr_strings.h>

/* The metadata as the host will have it: with a pinned signer, from the octets that it signed and from nothing else. */
static es_rv_t load_metadata(es_metadata_t **metadata, const mes_server_t *conf, es_bytes_t document,
                             const char *before, es_why_t *why, apr_pool_t *pool)
{
    const char *pin = conf->value[MES_METADATA_SIGNER].text;
    es_rv_t rv = pin ? es_pin_read(&pin, pin, why, pool) : ES_OK;

    if (rv == ES_OK && pin) {
        rv = es_pin_verify(&document, document, pin, why, pool);
    }
    if (rv == ES_OK) {
        rv = es_metadata_load(metadata, document, why, pool);
    }
    return rv == ES_OK ? es_metadata_check(*metadata, conf->value[MES_TENANT].text, before, why, pool) : rv;
}

es_rv_t mes_site_judge(es_connection_t **connection, const mes_server_t *conf, es_bytes_t document, const char *before,
                       es_why_t *why, apr_pool_t *pool)
{
    const es_connection_conf_t said = {
        .base_url = conf->value[MES_BASE_URL].text,
        .server_name = conf->host,
        .server_port = conf->port,
        .entity_id = conf->value[MES_ENTITY_ID].text,
        .path = conf->value[MES_PATH].text,
        .reply_url = conf->value[MES_REPLY_URL].text,
        .default_page = conf->value[MES_DEFAULT_PAGE].text,
        .skew = conf->value[MES_CLOCK_SKEW].number,
        .remote_user = mes_conf_names(&conf->value[MES_REMOTE_USER], pool),
        .issuer = conf->value[MES_ISSUER].text,
        .audiences = mes_conf_names(&conf->value[MES_AUDIENCE], pool),
        .tenants = mes_conf_names(&conf->value[MES_ALLOWED_TENANTS], pool),
    };
    es_metadata_t *metadata = NULL;
    es_rv_t rv;

    if (document.data && (rv = load_metadata(&metadata, conf, document, before, why, pool)) != ES_OK) {
        return rv;
    }
    return es_connection_make(connection, &said, metadata, why, pool);
}

/* To whom single logout talks; NULL where the metadata does not say. */
static const es_signoff_t *make_signoff(const mes_server_t *conf, const es_connection_t *connection, apr_pool_t *pool)
{
    const es_signoff_t signoff = { connection->metadata->slo_url, connection->entity_id,
                                   conf->signing ? conf->signing[0] : NULL };

    return signoff.slo_url ? apr_pmemdup(pool, &signoff, sizeof signoff) : NULL;
}

/* Ours, for the portal. */
static es_rv_t make_metadata(const char **xml, const mes_server_t *conf, const es_connection_t *connection,
                             es_why_t *why, apr_pool_t *pool)
{
    const es_request_sp_t sp = {
        .entity_id = connection->entity_id,
        .reply_url = connection->reply_url,
        .logout_url = connection->logout_url,
        .signing = conf->signing,
        .decryption = conf->decryption,
    };

    return es_request_metadata(xml, &sp, why, pool);
}

static es_rv_t make_username(const es_username_t **username, const mes_server_t *conf,
                             const es_connection_t *connection, es_why_t *why, apr_pool_t *pool)
{
    const mes_value_t *matches = &conf->value[MES_REMOTE_USER_MATCH];
    const es_username_conf_t said = {
        .matches = matches->list ? (const char *const *)matches->list->elts : NULL,
        .n_matches = matches->list ? matches->list->nelts / 2 : 0,
        .domains = mes_conf_names(&conf->value[MES_REMOTE_USER_STRIP], pool),
        .is_lower = (int)conf->value[MES_REMOTE_USER_LOWER].number,
        .has_tenants = connection->tenants && connection->tenants[0] && connection->tenants[1],
    };

    return es_username_make(username, &said, why, pool);
}

#define CONTEXTS_MAX 8
#define CONTEXT_MAX 200

/* A class is a URI (SAML core 2.7.2.2). Which of them Entra knows is its business; how long the redirect becomes is
 * ours. */
static es_rv_t read_contexts(const char *const **contexts, const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    const char *const *list = mes_conf_names(value, pool);
    int i;

    for (i = 0; list && list[i]; i++) {
        const apr_size_t len = strlen(list[i]);
        const char *colon = strchr(list[i], ':');

        if (i == CONTEXTS_MAX || len > CONTEXT_MAX || !colon || colon == list[i] ||
            strspn(list[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#@!$&'()*+,;=%") !=
                len) {
            return es_fail(why, ES_CONFIG_AUTHN_CONTEXT, "%.200s is %s", list[i],
                           i == CONTEXTS_MAX ? "one class too many" : "no URI, or too long for a request");
        }
    }
    *contexts = list;
    return ES_OK;
}

static es_rv_t make_request(es_request_t **request, const es_connection_t *connection, const char *const *contexts,
                            const mes_server_t *conf, es_why_t *why, apr_pool_t *pool)
{
    const es_request_conf_t said = { .sso_url = connection->metadata->sso_url,
                                     .entity_id = connection->entity_id,
                                     .reply_url = connection->reply_url,
                                     .authn_contexts = contexts };
    es_rv_t rv = es_request_make(request, &said, why, pool);

    if (rv == ES_OK && conf->signing) {
        es_request_sign_with(*request, conf->signing[0]);
    }
    return rv;
}

es_rv_t mes_site_make(const mes_site_t **site, const mes_server_t *conf, es_bytes_t document, const mes_state_t *state,
                      es_why_t *why, apr_pool_t *pool)
{
    mes_site_t *made = apr_pcalloc(pool, sizeof *made);
    es_connection_t *connection;
    const es_metadata_t *metadata;
    es_request_t *request = NULL;
    const char *const *contexts = NULL;
    const es_group_t *groups;
    es_groups_t *known_groups;
    int n_groups;
    es_rv_t rv;

    groups = mes_conf_groups(&n_groups, &conf->value[MES_GROUP], pool);
    made->flow.aliases = mes_conf_aliases(&made->flow.n_aliases, &conf->value[MES_CLAIM], pool);
    if ((rv = mes_site_judge(&connection, conf, document, NULL, why, pool)) != ES_OK ||
        (rv = read_contexts(&contexts, &conf->value[MES_AUTHN_CONTEXT], why, pool)) != ES_OK ||
        (rv = es_landing_allow(&made->flow.allow, mes_conf_names(&conf->value[MES_RELAY_STATE_ALLOW], pool), why,
                               pool)) != ES_OK ||
        (rv = make_metadata(&made->metadata, conf, connection, why, pool)) != ES_OK ||
        (rv = make_username(&made->flow.username, conf, connection, why, pool)) != ES_OK ||
        (rv = es_claims_check_aliases(made->flow.aliases, made->flow.n_aliases, why)) != ES_OK ||
        (rv = es_groups_make(&known_groups, groups, n_groups, why, pool)) != ES_OK ||
        (rv = mes_accountrules_make(&made->flow.accounts, conf, connection, state, why, pool)) != ES_OK) {
        return rv;
    }
    metadata = connection->metadata;
    if (metadata && (rv = make_request(&request, connection, contexts, conf, why, pool)) != ES_OK) {
        return rv;
    }
    made->is_ready = metadata != NULL;
    made->flow.connection = connection;
    made->flow.request = request;
    made->flow.decryption = conf->decryption;
    made->flow.required_claims = mes_conf_names(&conf->value[MES_REQUIRED_CLAIMS], pool);
    made->flow.session_claims = mes_conf_names(&conf->value[MES_SESSION_CLAIMS], pool);
    made->flow.keep = conf->keep;
    made->flow.idp_initiated = (int)conf->value[MES_IDP_INITIATED].number;
    made->flow.signoff = metadata ? make_signoff(conf, connection, pool) : NULL;
    made->flow.single_logout = (int)conf->value[MES_SINGLE_LOGOUT].number;
    made->flow.unsigned_logout = (int)conf->value[MES_UNSIGNED_LOGOUT].number;
    made->flow.session_cookie = (es_cookie_site_t)conf->value[MES_SESSION_COOKIE].number;
    made->flow.sessions_per_user = (int)conf->value[MES_SESSIONS_PER_USER].number;
    made->connection = connection;
    made->state = state;
    made->template = conf->template;
    made->from = conf->from;
    made->policy = mes_pages_policy(conf->template, metadata ? metadata->slo_url : NULL, pool);
    made->resend_policy = mes_resend_policy(conf->template, pool);
    made->framed_policy = mes_pages_framed_policy(conf->template, pool);
    made->groups = known_groups;
    made->claim_groups = es_claims_find("groups");
    made->claim_groups_link = es_claims_find("groups_link");
    made->response_limit = (apr_size_t)conf->value[MES_RESPONSE_LIMIT].number;
    *site = made;
    return ES_OK;
}

apr_pool_t *mes_site_make_pool(void)
{
    apr_pool_t *pool;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    return pool;
}
