/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole configuration, judged in check_config: `httpd -t` runs that hook and no later one. Nothing is written here.
 * Every fault is told, not only the first, with file, line, directive, reason and remedy; what passes becomes the
 * immutable sites that requests use.
 */
#include "httpd/refresh.h"

#include "entra/pin.h"
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
        { ES_CONFIG_REMOTE_USER, MES_REMOTE_USER_STRIP },
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
        { ES_CONFIG_ACCOUNTS, MES_ACCOUNTS_STATEMENT },
        { ES_CONFIG_ACCOUNTS, MES_ACCOUNTS_MATCH },
        { ES_CONFIG_ACCOUNTS, MES_ACCOUNTS_KEY },
        { ES_CONFIG_ACCOUNTS, MES_ACCOUNTS_PROFILE },
        { ES_CONFIG_ACCOUNTS, MES_ACCOUNTS_DATABASE },
        { ES_CONFIG_ACCOUNTS, MES_ACCOUNTS },
        { ES_CONFIG_SESSIONS_FROM, MES_SESSIONS_FROM },
    };
    apr_size_t i;

    for (i = 0; i < sizeof blamed / sizeof blamed[0]; i++) {
        if (blamed[i].rv == rv && conf->value[blamed[i].slot].at) {
            return conf->value[blamed[i].slot].at;
        }
    }
    return conf->value[MES_METADATA].at ? conf->value[MES_METADATA].at : conf->value[MES_TENANT].at;
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
    conf->from = conf->value[MES_SESSIONS_FROM].list ? apr_array_make(pool, 2, sizeof(mes_server_t *)) : NULL;
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

/* The database of a host's accounts, and what all processes remember of them. */
static es_rv_t prepare_accounts(mes_server_t *conf, mes_state_t *state, const server_rec *main_server, es_why_t *why,
                                apr_pool_t *pool)
{
    es_rv_t rv;

    if (conf->value[MES_ACCOUNTS].number == MES_ACCOUNTS_OFF) {
        return ES_OK;
    }
    rv = mes_accountrules_find(&conf->database, state, conf, mes_conf_server(main_server), why, pool);
    return rv == ES_OK && !state->trust ? mes_accountrules_share(&state->trust, main_server->process->pool, why) : rv;
}

static es_rv_t make_first_site(mes_server_t *conf, mes_state_t *state, const server_rec *main_server, es_why_t *why,
                               apr_pool_t *pconf)
{
    apr_pool_t *pool = mes_site_make_pool();
    const mes_site_t *site;
    es_bytes_t document;
    es_rv_t rv;

    if ((rv = prepare(conf, state->refresh, why, pconf)) != ES_OK ||
        (rv = prepare_accounts(conf, state, main_server, why, pconf)) != ES_OK ||
        (rv = read_document(&document, conf->source, why, pool)) != ES_OK ||
        (rv = mes_site_make(&site, conf, document, state, why, pool)) != ES_OK ||
        (rv = mes_agree_check(conf, site, why)) != ES_OK) {
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

/* The administrator may know better; once for a directive that several hosts inherit. */
static void warn_of_domains(const mes_server_t *conf, const mes_server_t *main_conf)
{
    const ap_directive_t *at = conf->value[MES_REMOTE_USER_STRIP].at;
    const mes_site_t *site = es_slot_look(conf->slot);
    es_why_t why = ES_WHY_INIT;

    if (es_username_joins_domains(site->flow.username) &&
        (conf == main_conf || at != main_conf->value[MES_REMOTE_USER_STRIP].at)) {
        es_fail(&why, ES_CONFIG_REMOTE_USER, "users that have the same name in different domains become one user");
        mes_io_config_warning(&why, at);
    }
}

static es_rv_t check_memory(const mes_value_t *size, es_why_t *why)
{
    if ((apr_size_t)size->number < es_shm_minimum()) {
        return es_fail(why, ES_CONFIG_VALUE, "%" APR_INT64_T_FMT " octets are less than the least, %" APR_SIZE_T_FMT,
                       size->number, es_shm_minimum());
    }
    return ES_OK;
}

/* What hosts say of each other, when all have their sites. */
static int judge_scopes(server_rec *main_server, const mes_refresh_t *refresh)
{
    const mes_server_t *main_conf = mes_conf_server(main_server);
    const server_rec *s;
    int faults = 0;

    for (s = main_server; s; s = s->next) {
        mes_server_t *conf = mes_conf_server(s);
        es_why_t why = ES_WHY_INIT;

        if (has_entra(conf) && mes_scope_find(conf, main_conf, refresh, &why) != ES_OK) {
            mes_io_config_error(&why, find_blamed(conf, why.rv));
            faults++;
        }
    }
    return faults;
}

/* What a form takes besides its own octets: its address, and what we put to it. */
#define POST_OVERHEAD (9 * 1024)

/* The ring within the shared memory, the forms of any host within the ring. */
static es_rv_t check_preserve(const ap_directive_t **at, const mes_server_t *conf, const mes_server_t *main_conf,
                              es_why_t *why)
{
    const mes_value_t *memory = &main_conf->value[MES_PRESERVE_MEMORY], *post = conf->largest_post;
    apr_size_t ring;
    es_rv_t rv =
        es_shm_ring(&ring, (apr_size_t)main_conf->value[MES_SHARED_MEMORY].number, (apr_size_t)memory->number, why);

    *at = rv == ES_OK && post ? post->at : memory->at;
    if (rv == ES_OK && post && post->number > 0 && (apr_size_t)(post->number + POST_OVERHEAD) > es_ring_largest(ring)) {
        return es_fail(why, ES_CONFIG_PRESERVE,
                       "a form of %" APR_INT64_T_FMT " octets does not fit into a quarter of the %" APR_SIZE_T_FMT
                       " for what is preserved",
                       post->number, ring);
    }
    return rv;
}

/* The memory, and what of it is for forms. */
static int judge_memory(server_rec *main_server)
{
    const mes_server_t *main_conf = mes_conf_server(main_server);
    const ap_directive_t *at = main_conf->value[MES_SHARED_MEMORY].at;
    const server_rec *s = main_server;
    es_why_t why = ES_WHY_INIT;
    es_rv_t rv = check_memory(&main_conf->value[MES_SHARED_MEMORY], &why);

    for (; s && rv == ES_OK; s = s->next) {
        rv = check_preserve(&at, mes_conf_server(s), main_conf, &why);
    }
    if (rv != ES_OK) {
        mes_io_config_error(&why, at);
    }
    return rv != ES_OK;
}

/* Each host for itself. */
static int judge_hosts(server_rec *main_server, mes_state_t *state, apr_pool_t *pconf)
{
    const mes_server_t *main_conf = mes_conf_server(main_server);
    const server_rec *s;
    int faults = 0;

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
        } else if (make_first_site(conf, state, main_server, &why, pconf) != ES_OK) {
            at = find_blamed(conf, why.rv);
        } else {
            warn_of_domains(conf, main_conf);
        }
        if (why.rv != ES_OK) {
            mes_io_config_error(&why, at);
            faults++;
        }
    }
    return faults;
}

/* Sections of the main server hold in every virtual host; those without a site refuse at run time. */
static int judge_sections(server_rec *main_server, int has_sites, apr_pool_t *ptemp)
{
    const mes_server_t *main_conf = mes_conf_server(main_server);
    const server_rec *s;
    int faults = 0;

    for (s = main_server; s; s = s->next) {
        const mes_server_t *conf = mes_conf_server(s);

        const ap_directive_t *at = NULL;
        es_why_t why = ES_WHY_INIT;

        faults += mes_sections_judge(conf, s == main_server ? has_sites : has_entra(conf));
        if (mes_beside_check_endpoints(&at, conf, main_conf, &why, ptemp) != ES_OK) {
            mes_io_config_error(&why, at);
            faults++;
        }
    }
    return faults;
}

static int has_sites(const server_rec *s)
{
    while (s && !has_entra(mes_conf_server(s))) {
        s = s->next;
    }
    return s != NULL;
}

int mes_judge_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    mes_state_t *state = apr_pcalloc(pconf, sizeof *state);
    const int is_used = has_sites(main_server);
    int faults;

    (void)plog;
    state->names = mes_export_names(pconf);
    state->databases = apr_array_make(pconf, 1, sizeof(mes_database_t *));
    state->refresh = apr_pcalloc(pconf, sizeof *state->refresh);
    state->refresh->sources = apr_array_make(pconf, 4, sizeof(mes_source_t *));
    state->refresh->state = state;
    faults = judge_hosts(main_server, state, pconf);
    if (faults == 0) {
        faults += judge_scopes(main_server, state->refresh);
    }
    faults += judge_sections(main_server, is_used, ptemp);
    mes_plain_judge(main_server, pconf);
    faults += mes_names_judge(main_server, pconf, ptemp);
    if (is_used) {
        mes_names_collect(state, main_server, pconf);
        faults += judge_memory(main_server);
        mes_conf_server(main_server)->state = state;
    }
    return faults ? HTTP_INTERNAL_SERVER_ERROR : OK;
}
