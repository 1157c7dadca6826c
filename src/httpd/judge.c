/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole configuration, judged in check_config: `httpd -t` runs that hook and no later one. Nothing is written here.
 * Every fault is told, not only the first, with file, line, directive, reason and remedy; what passes becomes the
 * immutable sites that requests use.
 */
#include "httpd/refresh.h"

#include "entra/pin.h"
#include "saml/request.h"
#include "session/shm.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <unistd.h>

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

/* Does it say where metadata comes from? */
static int has_entra(const mes_server_t *conf)
{
    return conf->value[MES_METADATA].at || conf->value[MES_TENANT].at || conf->value[MES_APPLICATION].at;
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
        { ES_CONFIG_AUTHN_CONTEXT, MES_AUTHN_CONTEXT },
        { ES_CONFIG_RELAY_STATE, MES_RELAY_STATE_ALLOW },
        { ES_CONFIG_SHARED, MES_ALLOWED_TENANTS },
        { ES_CONFIG_SHARED, MES_AUDIENCE },
        { ES_CONFIG_ISSUER, MES_ISSUER },
        { ES_CONFIG_AUDIENCE, MES_AUDIENCE },
        { ES_CONFIG_TENANTS, MES_ALLOWED_TENANTS },
        { ES_CONFIG_TENANT, MES_APPLICATION },
        { ES_CONFIG_TENANT, MES_TENANT },
        { ES_CONFIG_AUTHORITIES, MES_METADATA_CA },
        { ES_CONFIG_VALUE, MES_METADATA_PROXY },
        { ES_METADATA_MISSING, MES_APPLICATION },
        { ES_METADATA_MISSING, MES_TENANT },
        { ES_CONFIG_SIGNER, MES_METADATA_SIGNER },
        { ES_METADATA_TENANT, MES_TENANT },
        { ES_METADATA_SIGNER, MES_METADATA_SIGNER },
        { ES_CONFIG_SHARED, MES_REQUIRED_CLAIMS },
        { ES_CONFIG_GROUP, MES_GROUP },
    };
    apr_size_t i;

    for (i = 0; i < sizeof blamed / sizeof blamed[0]; i++) {
        if (blamed[i].rv == rv && conf->value[blamed[i].slot].at) {
            return conf->value[blamed[i].slot].at;
        }
    }
    return conf->value[MES_METADATA].at ? conf->value[MES_METADATA].at : conf->value[MES_TENANT].at;
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

es_rv_t mes_judge_document(es_connection_t **connection, const mes_server_t *conf, es_bytes_t document,
                           const char *before, es_why_t *why, apr_pool_t *pool)
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
        .issuer = conf->value[MES_ISSUER].text,
        .audiences = name_list(&conf->value[MES_AUDIENCE], pool),
        .tenants = name_list(&conf->value[MES_ALLOWED_TENANTS], pool),
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

#define CONTEXTS_MAX 8
#define CONTEXT_MAX 200

/* A class is a URI (SAML core 2.7.2.2). Which of them Entra knows is its business; how long the redirect becomes is
 * ours. */
static es_rv_t read_contexts(const char *const **contexts, const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    const char *const *list = name_list(value, pool);
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

es_rv_t mes_judge_make_site(const mes_site_t **site, const mes_server_t *conf, es_bytes_t document,
                            const mes_state_t *state, es_why_t *why, apr_pool_t *pool)
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
    if ((rv = mes_judge_document(&connection, conf, document, NULL, why, pool)) != ES_OK ||
        (rv = read_contexts(&contexts, &conf->value[MES_AUTHN_CONTEXT], why, pool)) != ES_OK ||
        (rv = es_landing_allow(&made->flow.allow, name_list(&conf->value[MES_RELAY_STATE_ALLOW], pool), why, pool)) !=
            ES_OK ||
        (rv = make_metadata(&made->metadata, conf, connection, why, pool)) != ES_OK ||
        (rv = es_claims_check_aliases(made->flow.aliases, made->flow.n_aliases, why)) != ES_OK ||
        (rv = es_groups_make(&known_groups, groups, n_groups, why, pool)) != ES_OK) {
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
    made->flow.required_claims = name_list(&conf->value[MES_REQUIRED_CLAIMS], pool);
    made->flow.keep = conf->keep;
    made->flow.idp_initiated = (int)conf->value[MES_IDP_INITIATED].number;
    made->flow.signoff = metadata ? make_signoff(conf, connection, pool) : NULL;
    made->flow.single_logout = (int)conf->value[MES_SINGLE_LOGOUT].number;
    made->flow.unsigned_logout = (int)conf->value[MES_UNSIGNED_LOGOUT].number;
    made->flow.sessions_per_user = (int)conf->value[MES_SESSIONS_PER_USER].number;
    made->connection = connection;
    made->state = state;
    made->template = conf->template;
    made->policy = mes_pages_policy(conf->template, metadata ? metadata->slo_url : NULL, pool);
    made->groups = known_groups;
    made->claim_groups = es_claims_find("groups");
    made->claim_groups_link = es_claims_find("groups_link");
    made->response_limit = (apr_size_t)conf->value[MES_RESPONSE_LIMIT].number;
    *site = made;
    return ES_OK;
}

apr_pool_t *mes_judge_make_pool(void)
{
    apr_pool_t *pool;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    return pool;
}

/* With the configuration, in the parent only. */
static apr_status_t empty_slot(void *context)
{
    const mes_server_t *conf = context;

    if (getpid() == conf->owner) {
        es_slot_empty(conf->slot);
    }
    return APR_SUCCESS;
}

/* What a server needs once, however often its metadata changes: the files that its directives name. */
static es_rv_t prepare(mes_server_t *conf, mes_refresh_t *refresh, es_why_t *why, apr_pool_t *pool)
{
    const char *pin = conf->value[MES_METADATA_SIGNER].text;
    es_rv_t rv = mes_source_find(&conf->source, refresh, conf, why, pool);

    if (rv == ES_OK && pin) {
        rv = es_pin_read(&pin, pin, why, pool);
    }
    conf->slot = es_slot_make(pool);
    conf->owner = getpid();
    apr_pool_cleanup_register(pool, conf, empty_slot, apr_pool_cleanup_null);
    return rv == ES_OK ? mes_pages_load(&conf->template, conf->value[MES_PAGE_TEMPLATE].text, why, pool) : rv;
}

/* The document of a file. An address is not asked here: httpd -t and the start wait for nobody, and the running server
 * will have its last good copy or get one. */
static es_rv_t read_document(es_bytes_t *document, mes_source_t *source, es_why_t *why, apr_pool_t *pool)
{
    if (!source->is_file) {
        *document = es_bytes(NULL, 0);
        return ap_find_linked_module("mod_watchdog.c")
                   ? ES_OK
                   : es_fail(why, ES_CONFIG_WATCHDOG, "%.300s is fetched by a running mod_watchdog only", source->name);
    }
    source->look = mes_source_look(source->name);
    return mes_judge_read_file(document, source->name, MES_METADATA_MAX, ES_METADATA_UNREADABLE, why, pool);
}

static es_rv_t make_first_site(mes_server_t *conf, const mes_state_t *state, es_why_t *why, apr_pool_t *pconf)
{
    apr_pool_t *pool = mes_judge_make_pool();
    const mes_site_t *site;
    es_bytes_t document;
    es_rv_t rv;

    if ((rv = prepare(conf, state->refresh, why, pconf)) != ES_OK ||
        (rv = read_document(&document, conf->source, why, pool)) != ES_OK ||
        (rv = mes_judge_make_site(&site, conf, document, state, why, pool)) != ES_OK ||
        (rv = mes_judge_check_shared(conf, site, why)) != ES_OK) {
        apr_pool_destroy(pool);
        return rv;
    }
    es_slot_replace(conf->slot, site, pool);
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

static int agree(const mes_server_t *a, const mes_server_t *b)
{
    static const int slots[] = { MES_REMOTE_USER, MES_CLAIM, MES_REQUIRED_CLAIMS, MES_ALLOWED_TENANTS, MES_AUDIENCE };
    apr_size_t i;

    for (i = 0; i < sizeof slots / sizeof *slots; i++) {
        if (!same_list(&a->value[slots[i]], &b->value[slots[i]])) {
            return 0;
        }
    }
    return 1;
}

/* Are both of one connection? Before there is metadata, if it will come from the same source. */
static int same_connection(const mes_server_t *a, const mes_site_t *site, const mes_server_t *b,
                           const mes_site_t *other)
{
    if (site->is_ready && other->is_ready) {
        return memcmp(&site->connection->id, &other->connection->id, sizeof site->connection->id) == 0;
    }
    return strcmp(a->source->name, b->source->name) == 0 &&
           strcmp(site->connection->entity_id, other->connection->entity_id) == 0;
}

/* A session made by one virtual host is good in every other of the same connection, and browsers are not the only ones
 * who carry cookies: what a user name and a short name mean, and whose messages are taken, must not differ between them.
 */
es_rv_t mes_judge_check_shared(const mes_server_t *conf, const mes_site_t *site, es_why_t *why)
{
    const apr_array_header_t *sources = site->state->refresh->sources;
    int i, n;

    for (i = 0; i < sources->nelts; i++) {
        const mes_source_t *source = APR_ARRAY_IDX(sources, i, mes_source_t *);

        for (n = 0; n < source->servers->nelts; n++) {
            const mes_server_t *other = APR_ARRAY_IDX(source->servers, n, mes_server_t *);
            const mes_site_t *theirs = other != conf ? es_slot_look(other->slot) : NULL;

            if (theirs && same_connection(conf, site, other, theirs) && !agree(other, conf)) {
                return es_fail(why, ES_CONFIG_SHARED,
                               "the virtual host of %.200s has the same tenant and entity ID, %.300s",
                               theirs->connection->origin, site->connection->entity_id);
            }
        }
    }
    return ES_OK;
}

int mes_judge_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    mes_server_t *main_conf = mes_conf_server(main_server);
    mes_state_t *state = apr_pcalloc(pconf, sizeof *state);
    const server_rec *s;
    int sites = 0, faults = 0;

    (void)plog;
    (void)ptemp;
    state->names = mes_export_names(pconf);
    state->refresh = apr_pcalloc(pconf, sizeof *state->refresh);
    state->refresh->sources = apr_array_make(pconf, 4, sizeof(mes_source_t *));
    state->refresh->state = state;
    for (s = main_server; s; s = s->next) {
        mes_server_t *conf = mes_conf_server(s);
        const ap_directive_t *at = NULL;
        es_why_t why = ES_WHY_INIT;

        faults += load_pairs(&conf->signing, &conf->value[MES_SIGNING], &main_conf->value[MES_SIGNING],
                             main_conf->signing, pconf);
        faults += load_pairs(&conf->decryption, &conf->value[MES_DECRYPTION], &main_conf->value[MES_DECRYPTION],
                             main_conf->decryption, pconf);
        if (!has_entra(conf)) {
            check_stray(&at, conf, main_conf, &why);
        } else if (make_first_site(conf, state, &why, pconf) != ES_OK) {
            at = find_blamed(conf, why.rv);
        }
        sites += has_entra(conf);
        if (why.rv != ES_OK) {
            mes_io_config_error(&why, at);
            faults++;
        }
    }
    for (s = main_server; s; s = s->next) {
        const mes_server_t *conf = mes_conf_server(s);

        /* Sections of the main server hold in every virtual host; those without a site refuse at run time. */
        faults += judge_sections(conf, s == main_server ? sites > 0 : has_entra(conf));
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
