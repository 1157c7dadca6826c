/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole configuration, judged in check_config: `httpd -t` runs that hook and no later one. Nothing is written here.
 * Every fault is told, not only the first, with file, line, directive, reason and remedy; what passes becomes the
 * immutable sites that requests use.
 */
#include "httpd/mes.h"

#include "saml/request.h"
#include "session/shm.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#define METADATA_MAX (4 * 1024 * 1024)

es_rv_t mes_judge_read_file(es_bytes_t *content, const char *path, apr_size_t limit, es_rv_t fault, es_why_t *why,
                            apr_pool_t *pool)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *data = NULL;
    apr_size_t len = 0;
    char error[120];
    apr_status_t rv = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool);

    if (rv != APR_SUCCESS) {
        return es_fail(why, fault, "%.500s: %s", path, apr_strerror(rv, error, sizeof error));
    }
    rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file);
    if (rv == APR_SUCCESS && (info.filetype != APR_REG || info.size > (apr_off_t)limit)) {
        apr_file_close(file);
        return es_fail(why, fault, "%.500s is no file, or larger than %" APR_SIZE_T_FMT " octets", path, limit);
    }
    if (rv == APR_SUCCESS) {
        data = apr_pcalloc(pool, (apr_size_t)info.size + 1);
        rv = apr_file_read_full(file, data, (apr_size_t)info.size, &len);
    }
    apr_file_close(file);
    if (rv != APR_SUCCESS) {
        return es_fail(why, fault, "%.500s: %s", path, apr_strerror(rv, error, sizeof error));
    }
    *content = es_bytes(data, len);
    return ES_OK;
}

/* The directives to blame for a reason, the most likely first; the metadata directive stands for what has a default. */
static const ap_directive_t *find_blamed(const mes_server_t *conf, es_rv_t rv)
{
    static const struct {
        es_rv_t rv;
        int slot;
    } blamed[] = {
        { ES_CONFIG_BASE_URL, MES_BASE_URL },
        { ES_CONFIG_ENTITY_ID, MES_ENTITY_ID },
        { ES_CONFIG_REPLY_URL, MES_REPLY_URL },
        { ES_CONFIG_PATH, MES_PATH },
        { ES_CONFIG_PATH, MES_DEFAULT_PAGE },
        { ES_CONFIG_CLASH, MES_REPLY_URL },
        { ES_CONFIG_CLASH, MES_DEFAULT_PAGE },
        { ES_CONFIG_CLASH, MES_PATH },
        { ES_CONFIG_TIME, MES_CLOCK_SKEW },
        { ES_CONFIG_CLAIM, MES_REMOTE_USER },
        { ES_CONFIG_TEMPLATE, MES_PAGE_TEMPLATE },
        { ES_CONFIG_SHARED, MES_REMOTE_USER },
        { ES_CONFIG_SHARED, MES_CLAIM },
        { ES_CONFIG_SHARED, MES_REQUIRED_CLAIMS },
        { ES_CONFIG_GROUP, MES_GROUP },
    };
    apr_size_t i;

    for (i = 0; i < sizeof blamed / sizeof blamed[0]; i++) {
        if (blamed[i].rv == rv && conf->value[blamed[i].slot].at) {
            return conf->value[blamed[i].slot].at;
        }
    }
    return conf->value[MES_METADATA].at;
}

static const char *const *name_list(const mes_value_t *value, apr_pool_t *pool)
{
    apr_array_header_t *list;

    if (!value->list) {
        return NULL;
    }
    list = apr_array_copy(pool, value->list);
    APR_ARRAY_PUSH(list, const char *) = NULL;
    return (const char *const *)list->elts;
}

static es_rv_t make_connection(es_connection_t **connection, const mes_server_t *conf, es_why_t *why, apr_pool_t *pool)
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
        .remote_user = name_list(&conf->value[MES_REMOTE_USER], pool),
    };
    es_metadata_t *metadata;
    es_bytes_t document;
    es_rv_t rv;

    if ((rv = mes_judge_read_file(&document, conf->value[MES_METADATA].text, METADATA_MAX, ES_METADATA_UNREADABLE, why,
                                  pool)) != ES_OK ||
        (rv = es_metadata_load(&metadata, document, why, pool)) != ES_OK) {
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

static es_rv_t make_site(const mes_site_t **site, const mes_server_t *conf, const mes_state_t *state,
                         const char *const *names, es_why_t *why, apr_pool_t *pool)
{
    mes_site_t *made = apr_pcalloc(pool, sizeof *made);
    es_connection_t *connection;
    es_request_t *request;
    const es_group_t *groups;
    es_groups_t *known_groups;
    int n_groups;
    es_rv_t rv;

    groups = mes_conf_groups(&n_groups, &conf->value[MES_GROUP], pool);
    made->flow.aliases = mes_conf_aliases(&made->flow.n_aliases, &conf->value[MES_CLAIM], pool);
    if ((rv = make_connection(&connection, conf, why, pool)) != ES_OK ||
        (rv = es_request_make(&request, connection->metadata->sso_url, connection->entity_id, connection->reply_url,
                              why, pool)) != ES_OK ||
        (rv = make_metadata(&made->metadata, conf, connection, why, pool)) != ES_OK ||
        (rv = es_claims_check_aliases(made->flow.aliases, made->flow.n_aliases, why)) != ES_OK ||
        (rv = es_groups_make(&known_groups, groups, n_groups, why, pool)) != ES_OK ||
        (rv = mes_pages_load(&made->template, &made->policy, conf->value[MES_PAGE_TEMPLATE].text,
                             connection->metadata->slo_url, why, pool)) != ES_OK) {
        return rv;
    }
    if (conf->signing) {
        es_request_sign_with(request, conf->signing[0]);
    }
    made->flow.connection = connection;
    made->flow.request = request;
    made->flow.decryption = conf->decryption;
    made->flow.required_claims = name_list(&conf->value[MES_REQUIRED_CLAIMS], pool);
    made->flow.keep = conf->keep;
    made->flow.signoff = make_signoff(conf, connection, pool);
    made->flow.single_logout = (int)conf->value[MES_SINGLE_LOGOUT].number;
    made->flow.unsigned_logout = (int)conf->value[MES_UNSIGNED_LOGOUT].number;
    made->flow.sessions_per_user = (int)conf->value[MES_SESSIONS_PER_USER].number;
    made->connection = connection;
    made->state = state;
    made->names = names;
    made->groups = known_groups;
    made->claim_groups = es_claims_find("groups");
    made->claim_groups_link = es_claims_find("groups_link");
    made->response_limit = (apr_size_t)conf->value[MES_RESPONSE_LIMIT].number;
    *site = made;
    return ES_OK;
}

/* Key files need the rights of the parent at start; a site may be made again later, without them. What a virtual host
 * has from the main server is read, and complained of, once. */
static int load_pairs(const es_pair_t *const **pairs, const mes_value_t *value, const mes_value_t *main_value,
                      const es_pair_t *const *main_pairs, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;

    if (value != main_value && value->at == main_value->at) {
        *pairs = main_pairs;
        return 0;
    }
    if (mes_pairs_load(pairs, value, &why, pool) != ES_OK) {
        mes_io_config_error(&why, value->at);
        return 1;
    }
    return 0;
}

/* A virtual host that says something of Entra itself, and yet has no metadata: forgotten, or in the wrong place. */
static es_rv_t check_stray(const ap_directive_t **at, const mes_server_t *conf, const mes_server_t *main_conf,
                           es_why_t *why)
{
    int i;

    for (i = 0; conf != main_conf && i < MES_SERVER_SLOTS; i++) {
        if (conf->value[i].at && conf->value[i].at != main_conf->value[i].at) {
            *at = conf->value[i].at;
            return es_fail(why, ES_METADATA_MISSING, "the virtual host of this directive has no EntraSAMLMetadata");
        }
    }
    return ES_OK;
}

static es_rv_t check_section(const ap_directive_t **at, const mes_location_t *section, int has_site, es_why_t *why)
{
    *at = section->ours_at;
    if (section->ours_at && !has_site) {
        return es_fail(why, ES_CONFIG_SECTION, "the section's virtual host has no EntraSAMLMetadata");
    }
    if (section->ours_at && section->n_rules == 0) {
        return es_fail(why, ES_CONFIG_SECTION,
                       "the section has no Require line of its own: it would be open below an open section, and "
                       "answer 500 below none");
    }
    if (section->claim_at && !section->is_other && has_site && !mes_authz_is_ours("claim")) {
        *at = section->claim_at;
        return es_fail(why, ES_CONFIG_PROVIDER, "Require claim of this section would be judged by another module");
    }
    return ES_OK;
}

static int judge_sections(const mes_server_t *conf, int has_site)
{
    int i, faults = 0;

    for (i = 0; i < conf->sections->nelts; i++) {
        const ap_directive_t *at = NULL;
        es_why_t why = ES_WHY_INIT;

        if (check_section(&at, APR_ARRAY_IDX(conf->sections, i, mes_location_t *), has_site, &why) != ES_OK) {
            mes_io_config_error(&why, at);
            faults++;
        }
    }
    return faults;
}

static es_rv_t check_memory(const mes_value_t *size, es_why_t *why)
{
    if ((apr_size_t)size->number < es_shm_minimum()) {
        return es_fail(why, ES_CONFIG_VALUE, "%" APR_INT64_T_FMT " octets are less than the least, %" APR_SIZE_T_FMT,
                       size->number, es_shm_minimum());
    }
    return ES_OK;
}

static int same_list(const mes_value_t *a, const mes_value_t *b)
{
    const int count = a->list ? a->list->nelts : 0;
    int i;

    if ((b->list ? b->list->nelts : 0) != count) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (strcmp(APR_ARRAY_IDX(a->list, i, const char *), APR_ARRAY_IDX(b->list, i, const char *)) != 0) {
            return 0;
        }
    }
    return 1;
}

/* A session made by one virtual host is good in every other of the same connection, and browsers are not the only ones
 * who carry cookies: what a user name and a short name mean must not differ between them. */
static es_rv_t check_shared(const mes_server_t *conf, const server_rec *first, const server_rec *end, es_why_t *why)
{
    for (; first != end; first = first->next) {
        const mes_server_t *other = mes_conf_server(first);

        if (other->site &&
            memcmp(&other->site->connection->id, &conf->site->connection->id, sizeof conf->site->connection->id) == 0 &&
            (!same_list(&other->value[MES_REMOTE_USER], &conf->value[MES_REMOTE_USER]) ||
             !same_list(&other->value[MES_CLAIM], &conf->value[MES_CLAIM]) ||
             !same_list(&other->value[MES_REQUIRED_CLAIMS], &conf->value[MES_REQUIRED_CLAIMS]))) {
            return es_fail(why, ES_CONFIG_SHARED,
                           "the virtual host of %.200s has the same tenant and entity ID, %.300s",
                           other->site->connection->origin, conf->site->connection->entity_id);
        }
    }
    return ES_OK;
}

int mes_judge_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    mes_server_t *main_conf = mes_conf_server(main_server);
    mes_state_t *state = apr_pcalloc(pconf, sizeof *state);
    const char *const *names = mes_export_names(pconf);
    const server_rec *s;
    int sites = 0, faults = 0;

    (void)plog;
    (void)ptemp;
    for (s = main_server; s; s = s->next) {
        mes_server_t *conf = mes_conf_server(s);
        const ap_directive_t *at = NULL;
        es_why_t why = ES_WHY_INIT;

        faults += load_pairs(&conf->signing, &conf->value[MES_SIGNING], &main_conf->value[MES_SIGNING],
                             main_conf->signing, pconf);
        faults += load_pairs(&conf->decryption, &conf->value[MES_DECRYPTION], &main_conf->value[MES_DECRYPTION],
                             main_conf->decryption, pconf);
        if (!conf->value[MES_METADATA].at) {
            check_stray(&at, conf, main_conf, &why);
        } else if (make_site(&conf->site, conf, state, names, &why, pconf) != ES_OK ||
                   check_shared(conf, main_server, s, &why) != ES_OK) {
            at = find_blamed(conf, why.rv);
        }
        sites += conf->value[MES_METADATA].at != NULL;
        if (why.rv != ES_OK) {
            mes_io_config_error(&why, at);
            faults++;
        }
    }
    for (s = main_server; s; s = s->next) {
        const mes_server_t *conf = mes_conf_server(s);

        /* Sections of the main server hold in every virtual host; those without a site refuse at run time. */
        faults += judge_sections(conf, s == main_server ? sites > 0 : conf->value[MES_METADATA].at != NULL);
    }
    if (sites > 0) {
        es_why_t why = ES_WHY_INIT;

        if (check_memory(&main_conf->value[MES_SHARED_MEMORY], &why) != ES_OK) {
            mes_io_config_error(&why, main_conf->value[MES_SHARED_MEMORY].at);
            faults++;
        }
        main_conf->state = state;
    }
    return faults ? HTTP_INTERNAL_SERVER_ERROR : OK;
}
