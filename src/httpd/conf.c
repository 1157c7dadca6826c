/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The directives: one table, one setter, one merge. What a value means together with others is judge.c's business; here
 * only what one line alone can tell.
 */
#include "httpd/mes.h"

#include "base/url.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <limits.h>

typedef enum {
    KIND_TEXT,
    KIND_FILE,
    KIND_SOURCE,
    KIND_LIST,
    KIND_PAIRS,
    KIND_TIME,
    KIND_TIME_OR_OFF,
    KIND_SIZE,
    KIND_NUMBER,
    KIND_CHOICE,
    KIND_FILES
} kind_t;

/* How a directive is read, and where it is kept. */
typedef struct {
    kind_t kind;
    int slot;
    apr_int64_t min, max, fallback; /* of times, sizes, numbers; fallback of choices too */
    const char *const *choices;
    es_rv_t fault; /* of pairs: what is wrong with a line */
    es_rv_t (*check)(const mes_value_t *value, es_why_t *why, apr_pool_t *pool); /* of pairs, lists: all so far */
} row_t;

#define ADDRESS_MAX 2048

#define SECONDS(n) ((apr_int64_t)(n)*APR_USEC_PER_SEC)
#define HOURS(n) SECONDS((n)*3600)
#define KIB(n) ((apr_int64_t)(n)*1024)
#define MIB(n) KIB((n)*1024)
#define GIB(n) MIB((apr_int64_t)(n)*1024)

typedef struct {
    const char *name;
    apr_int64_t factor;
} unit_t;

static const unit_t time_units[] = { { "", SECONDS(1) },  { "ms", 1000 },
                                     { "s", SECONDS(1) }, { "min", SECONDS(60) },
                                     { "h", HOURS(1) },   { "d", HOURS(24) },
                                     { NULL, 0 } };
static const unit_t number_units[] = { { "", 1 }, { NULL, 0 } };
static const unit_t size_units[] = { { "", 1 }, { "K", KIB(1) }, { "M", MIB(1) }, { "G", GIB(1) }, { NULL, 0 } };

static const char *const clouds[] = { "public", "usgov", "china", NULL };
static const char *const when_full[] = { "evict", "refuse", NULL };
static const char *const off_on[] = { "Off", "On", NULL };
static const char *const unauthenticated[] = { "auto", "redirect", "401", NULL };

static es_rv_t check_aliases(const mes_value_t *value, es_why_t *why, apr_pool_t *pool);
static es_rv_t check_groups(const mes_value_t *value, es_why_t *why, apr_pool_t *pool);
static es_rv_t check_required(const mes_value_t *value, es_why_t *why, apr_pool_t *pool);
static const char *set_server(cmd_parms *cmd, void *unused, int argc, char *const argv[]);
static const char *set_main(cmd_parms *cmd, void *unused, int argc, char *const argv[]);
static const char *set_location(cmd_parms *cmd, void *location, int argc, char *const argv[]);

/* Each row: name, where it may stand, how it is read, and the line of help that stands in its messages too. */
#define ROW(name, set, where, help, ...)                                                                               \
    AP_INIT_TAKE_ARGV(name, set, ((void *)&(const row_t){ __VA_ARGS__ }), where, help)
#define SERVER(name, help, ...) ROW(name, set_server, RSRC_CONF, help, __VA_ARGS__)
#define MAIN_SERVER(name, help, ...) ROW(name, set_main, RSRC_CONF, help, __VA_ARGS__)
#define LOCATION(name, help, ...) ROW(name, set_location, RSRC_CONF | ACCESS_CONF, help, __VA_ARGS__)

const command_rec mes_conf_directives[] = {
    SERVER("EntraSAMLTenant", "GUID or DOMAIN: the tenant, whose metadata is fetched", .kind = KIND_TEXT,
           .slot = MES_TENANT),
    SERVER("EntraSAMLApplication", "GUID: Application ID in the portal", .kind = KIND_TEXT, .slot = MES_APPLICATION),
    SERVER("EntraSAMLCloud", "public, usgov or china: where the tenant lives", .kind = KIND_CHOICE, .slot = MES_CLOUD,
           .choices = clouds),
    SERVER("EntraSAMLMetadata", "FILE or https://ADDRESS: the Federation Metadata XML of the application",
           .kind = KIND_SOURCE, .slot = MES_METADATA),
    SERVER("EntraSAMLMetadataRefresh", "TIME, 5min to 24h: how often metadata is fetched", .kind = KIND_TIME,
           .slot = MES_METADATA_REFRESH, .min = SECONDS(300), .max = HOURS(24), .fallback = HOURS(1)),
    SERVER("EntraSAMLMetadataSigner", "THUMBPRINT: the certificate that signs the metadata", .kind = KIND_TEXT,
           .slot = MES_METADATA_SIGNER),
    SERVER("EntraSAMLMetadataCAFile", "FILE: authorities that the metadata's server may show a certificate of",
           .kind = KIND_FILE, .slot = MES_METADATA_CA),
    SERVER("EntraSAMLMetadataProxy", "http://HOST:PORT: the proxy through which metadata is fetched", .kind = KIND_TEXT,
           .slot = MES_METADATA_PROXY),
    SERVER("EntraSAMLEntityID", "TEXT: Identifier (Entity ID) in the portal", .kind = KIND_TEXT, .slot = MES_ENTITY_ID),
    SERVER("EntraSAMLIssuer", "TEXT: the issuer to expect, where it is not the metadata's", .kind = KIND_TEXT,
           .slot = MES_ISSUER),
    SERVER("EntraSAMLAudience", "TEXT [TEXT ...]: further identifiers to accept", .kind = KIND_LIST,
           .slot = MES_AUDIENCE),
    SERVER("EntraSAMLAllowedTenants", "GUID [GUID ...]: the tenants whose users may sign in", .kind = KIND_LIST,
           .slot = MES_ALLOWED_TENANTS),
    SERVER("EntraSAMLBaseURL", "https://HOST[:PORT]: the public address", .kind = KIND_TEXT, .slot = MES_BASE_URL),
    SERVER("EntraSAMLPath", "PATH: where the endpoints live", .kind = KIND_TEXT, .slot = MES_PATH),
    SERVER("EntraSAMLReplyURL", "PATH or URL: Reply URL in the portal", .kind = KIND_TEXT, .slot = MES_REPLY_URL),
    SERVER("EntraSAMLDefaultPage", "PATH: where a sign-in ends that was not started for a page", .kind = KIND_TEXT,
           .slot = MES_DEFAULT_PAGE),
    SERVER("EntraSAMLClockSkew", "TIME, 1s to 5min: how far the clocks may differ", .kind = KIND_TIME,
           .slot = MES_CLOCK_SKEW, .min = SECONDS(1), .max = SECONDS(300), .fallback = SECONDS(180)),
    SERVER("EntraSAMLRemoteUser", "NAME [NAME ...]: short names of claims for REMOTE_USER", .kind = KIND_LIST,
           .slot = MES_REMOTE_USER),
    SERVER("EntraSAMLClaim", "FULL-NAME SHORT-NAME: a short name for a claim", .kind = KIND_PAIRS, .slot = MES_CLAIM,
           .fault = ES_CONFIG_CLAIM, .check = check_aliases),
    SERVER("EntraSAMLGroup", "NAME OBJECT-ID: a name for a group", .kind = KIND_PAIRS, .slot = MES_GROUP,
           .fault = ES_CONFIG_GROUP, .check = check_groups),
    SERVER("EntraSAMLRequiredClaims", "NAME [NAME ...]: short names of claims without which nobody signs in",
           .kind = KIND_LIST, .slot = MES_REQUIRED_CLAIMS, .check = check_required),
    SERVER("EntraSAMLResponseLimit", "SIZE, 4K to 16M: the largest POST the reply URL reads", .kind = KIND_SIZE,
           .slot = MES_RESPONSE_LIMIT, .min = KIB(4), .max = MIB(16), .fallback = MIB(1)),
    SERVER("EntraSAMLPageTemplate", "FILE: an HTML page for refusals", .kind = KIND_FILE, .slot = MES_PAGE_TEMPLATE),
    SERVER("EntraSAMLSessionsPerUser", "NUMBER, 0 to 1000: how many sessions one user may have, 0 for any number",
           .kind = KIND_NUMBER, .slot = MES_SESSIONS_PER_USER, .min = 0, .max = 1000, .fallback = 0),
    SERVER("EntraSAMLSingleLogout", "on or off: a sign-out here goes on to Entra", .kind = KIND_CHOICE,
           .slot = MES_SINGLE_LOGOUT, .choices = off_on, .fallback = 1),
    SERVER("EntraSAMLUnsignedLogout", "on or off: Entra's sign-out messages need no signature", .kind = KIND_CHOICE,
           .slot = MES_UNSIGNED_LOGOUT, .choices = off_on, .fallback = 0),
    SERVER("EntraSAMLSigningCertificate", "CERTIFICATE-FILE KEY-FILE: signs requests", .kind = KIND_FILES,
           .slot = MES_SIGNING),
    SERVER("EntraSAMLDecryptionCertificate", "CERTIFICATE-FILE KEY-FILE: opens encrypted assertions",
           .kind = KIND_FILES, .slot = MES_DECRYPTION),
    SERVER("EntraSAMLAuthnContext", "CLASS [CLASS ...]: authentication context classes to ask Entra for",
           .kind = KIND_LIST, .slot = MES_AUTHN_CONTEXT),
    SERVER("EntraSAMLIdPInitiated", "On or Off: accept sign-ins that were started at Microsoft", .kind = KIND_CHOICE,
           .slot = MES_IDP_INITIATED, .choices = off_on, .fallback = 0),
    SERVER("EntraSAMLRelayStateAllow", "URL-PREFIX [URL-PREFIX ...]: where else than here a sign-in may end",
           .kind = KIND_LIST, .slot = MES_RELAY_STATE_ALLOW),
    MAIN_SERVER("EntraSAMLStateDirectory", "DIRECTORY: for key file and sessions", .kind = KIND_FILE,
                .slot = MES_STATE_DIRECTORY),
    MAIN_SERVER("EntraSAMLSharedMemory", "SIZE, 2M to 64G: room for sessions", .kind = KIND_SIZE,
                .slot = MES_SHARED_MEMORY, .min = MIB(2), .max = GIB(64), .fallback = MIB(32)),
    MAIN_SERVER("EntraSAMLWhenFull", "evict or refuse: what becomes of a sign-in when live sessions fill the memory",
                .kind = KIND_CHOICE, .slot = MES_WHEN_FULL, .choices = when_full, .fallback = MES_WHEN_FULL_EVICT),
    LOCATION("EntraSAMLSessionLifetime", "TIME, 1s to 30d: how long after the sign-in a session is good here",
             .kind = KIND_TIME, .slot = MES_LIFETIME, .min = SECONDS(1), .max = HOURS(720), .fallback = HOURS(8)),
    LOCATION("EntraSAMLSessionIdle", "TIME, 1s to 30d: how long a session may go unused", .kind = KIND_TIME,
             .slot = MES_IDLE, .min = SECONDS(1), .max = HOURS(720), .fallback = HOURS(1)),
    LOCATION("EntraSAMLFreshSignIn", "TIME, 1min to 30d, or Off: how long ago the user may have signed in at Entra",
             .kind = KIND_TIME_OR_OFF, .slot = MES_FRESH_SIGN_IN, .min = SECONDS(60), .max = HOURS(720), .fallback = 0),
    LOCATION("EntraSAMLUnauthenticated", "auto, redirect or 401: what a request without a session gets",
             .kind = KIND_CHOICE, .slot = MES_UNAUTHENTICATED, .choices = unauthenticated,
             .fallback = MES_UNAUTHENTICATED_AUTO),
    /* Directives of httpd's own, watched beside their owners: see watch.c. */
    AP_INIT_RAW_ARGS("AuthType", mes_watch_auth_type, NULL, OR_AUTHCFG, "also " MES_AUTH_TYPE),
    AP_INIT_RAW_ARGS("Require", mes_watch_require, NULL, OR_AUTHCFG, "also claim NAME:VALUE or NAME~REGEX"),
    AP_INIT_RAW_ARGS("AuthMerging", mes_watch_merging, NULL, OR_AUTHCFG, "Off, And or Or"),
    AP_INIT_RAW_ARGS("ServerName", mes_watch_server_name, NULL, RSRC_CONF, "the default of EntraSAMLBaseURL"),
    { NULL }
};

const char *mes_conf_error(const cmd_parms *cmd, const es_why_t *why)
{
    const es_reason_t *reason = es_reason(why->rv);

    return apr_psprintf(cmd->pool, "[entra_saml] reason=%s: %s: %s. %s", reason->code, cmd->cmd->name, why->text,
                        reason->remedy);
}

static es_rv_t read_number(apr_int64_t *number, const row_t *row, const unit_t *units, const char *text,
                           const char *help, es_why_t *why)
{
    const es_rv_t fault = units == time_units ? ES_CONFIG_TIME : ES_CONFIG_VALUE;
    apr_int64_t value = 0;
    const char *c;

    for (c = text; apr_isdigit(*c) && value < APR_INT64_C(1000000000000); c++) {
        value = value * 10 + (*c - '0');
    }
    while (c > text && units->name && strcasecmp(units->name, c) != 0) {
        units++;
    }
    if (c == text || !units->name) {
        return es_fail(why, fault, "\"%.100s\" is not of the form %s", text, help);
    }
    if (value > INT64_MAX / units->factor || value * units->factor < row->min || value * units->factor > row->max) {
        return es_fail(why, fault, "\"%.100s\" is out of range: %s", text, help);
    }
    *number = value * units->factor;
    return ES_OK;
}

static es_rv_t read_choice(apr_int64_t *number, const row_t *row, const char *text, const char *help, es_why_t *why)
{
    int i;

    for (i = 0; row->choices[i]; i++) {
        if (strcasecmp(row->choices[i], text) == 0) {
            *number = i;
            return ES_OK;
        }
    }
    return es_fail(why, ES_CONFIG_VALUE, "\"%.100s\" is none of %s", text, help);
}

static apr_array_header_t *add_words(const apr_array_header_t *old, int argc, char *const argv[], apr_pool_t *pool)
{
    apr_array_header_t *list = old ? apr_array_copy(pool, old) : apr_array_make(pool, argc, sizeof(const char *));
    int i;

    for (i = 0; i < argc; i++) {
        APR_ARRAY_PUSH(list, const char *) = apr_pstrdup(pool, argv[i]);
    }
    return list;
}

const es_claim_alias_t *mes_conf_aliases(int *n_aliases, const mes_value_t *value, apr_pool_t *pool)
{
    const int count = value->list ? value->list->nelts / 2 : 0;
    es_claim_alias_t *aliases = apr_pcalloc(pool, (apr_size_t)(count + 1) * sizeof *aliases);
    int i;

    for (i = 0; i < count; i++) {
        aliases[i].name = APR_ARRAY_IDX(value->list, 2 * i, const char *);
        aliases[i].short_name = APR_ARRAY_IDX(value->list, 2 * i + 1, const char *);
    }
    *n_aliases = count;
    return aliases;
}

const es_group_t *mes_conf_groups(int *n_groups, const mes_value_t *value, apr_pool_t *pool)
{
    const int count = value->list ? value->list->nelts / 2 : 0;
    es_group_t *groups = apr_pcalloc(pool, (apr_size_t)(count + 1) * sizeof *groups);
    int i;

    for (i = 0; i < count; i++) {
        groups[i].name = APR_ARRAY_IDX(value->list, 2 * i, const char *);
        groups[i].guid = APR_ARRAY_IDX(value->list, 2 * i + 1, const char *);
    }
    *n_groups = count;
    return groups;
}

static es_rv_t check_aliases(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    int count;
    const es_claim_alias_t *aliases = mes_conf_aliases(&count, value, pool);

    return es_claims_check_aliases(aliases, count, why);
}

/* No name and password: the address stands in the log. */
static int is_address(const char *text, apr_pool_t *pool)
{
    es_why_t ignored = ES_WHY_INIT; /* speaks of return addresses */
    es_url_t url;

    return es_url_read(&url, text, ADDRESS_MAX, &ignored, pool) == ES_OK && url.host && !url.user && !url.fragment;
}

/* A file's path, or an https address: integrity of the latter comes from TLS alone. */
static es_rv_t set_source(mes_value_t *value, const cmd_parms *cmd, const char *text, es_why_t *why)
{
    if (strncasecmp(text, "https://", 8) == 0) {
        value->text = apr_pstrdup(cmd->pool, text);
        return is_address(text, cmd->temp_pool)
                   ? ES_OK
                   : es_fail(why, ES_CONFIG_VALUE,
                             "%.100s is not https://HOST[:PORT]/PATH, without user name, password or fragment",
                             cmd->cmd->name);
    }
    if (strstr(text, "://")) {
        return es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not https: anybody on the way could change the keys", text);
    }
    value->text = ap_server_root_relative(cmd->pool, text);
    return value->text ? ES_OK : es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not a path", text);
}

/* Two files, behind those of the lines before. */
static es_rv_t set_files(mes_value_t *value, const cmd_parms *cmd, char *const argv[], es_why_t *why)
{
    char *paths[2];
    int i;

    for (i = 0; i < 2; i++) {
        paths[i] = ap_server_root_relative(cmd->pool, argv[i]);
        if (!paths[i]) {
            return es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not a path", argv[i]);
        }
    }
    value->list = add_words(value->list, 2, paths, cmd->pool);
    return ES_OK;
}

static es_rv_t check_groups(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    int count;
    const es_group_t *pairs = mes_conf_groups(&count, value, pool);
    es_groups_t *groups;

    return es_groups_make(&groups, pairs, count, why, pool);
}

static es_rv_t check_required(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    (void)pool;
    return es_claims_check_required((const char *const *)value->list->elts, value->list->nelts, why);
}

/* Sets the value, or says what is wrong with the line. */
static es_rv_t set_value(mes_value_t *value, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    const row_t *row = cmd->info;
    const int wanted = row->kind == KIND_PAIRS || row->kind == KIND_FILES ? 2 : 1;
    const char *help = cmd->cmd->errmsg;

    if (argc < wanted || (argc > wanted && row->kind != KIND_LIST) || !*argv[0]) {
        return es_fail(why, row->kind == KIND_PAIRS ? row->fault : ES_CONFIG_VALUE, "takes %s", help);
    }
    value->at = cmd->directive;
    switch (row->kind) {
    case KIND_TEXT:
        value->text = apr_pstrdup(cmd->pool, argv[0]);
        return ES_OK;
    case KIND_SOURCE:
        return set_source(value, cmd, argv[0], why);
    case KIND_FILE:
        value->text = ap_server_root_relative(cmd->pool, argv[0]);
        return value->text ? ES_OK : es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not a path", argv[0]);
    case KIND_LIST:
        value->list = add_words(NULL, argc, argv, cmd->pool);
        return row->check ? row->check(value, why, cmd->temp_pool) : ES_OK;
    case KIND_PAIRS:
        value->list = add_words(value->list, argc, argv, cmd->pool);
        return row->check(value, why, cmd->temp_pool);
    case KIND_FILES:
        return set_files(value, cmd, argv, why);
    case KIND_TIME:
        return read_number(&value->number, row, time_units, argv[0], help, why);
    case KIND_TIME_OR_OFF:
        value->number = 0;
        return strcasecmp(argv[0], "Off") == 0 ? ES_OK
                                               : read_number(&value->number, row, time_units, argv[0], help, why);
    case KIND_SIZE:
        return read_number(&value->number, row, size_units, argv[0], help, why);
    case KIND_NUMBER:
        return read_number(&value->number, row, number_units, argv[0], help, why);
    case KIND_CHOICE:
        return read_choice(&value->number, row, argv[0], help, why);
    }
    return es_fail(why, ES_INTERNAL, "no such kind of directive");
}

static const char *set_server(cmd_parms *cmd, void *unused, int argc, char *const argv[])
{
    const row_t *row = cmd->info;
    es_why_t why = ES_WHY_INIT;

    (void)unused;
    if (set_value(&mes_conf_server(cmd->server)->value[row->slot], cmd, argc, argv, &why) != ES_OK) {
        return mes_conf_error(cmd, &why);
    }
    return NULL;
}

static const char *set_main(cmd_parms *cmd, void *unused, int argc, char *const argv[])
{
    const char *misplaced = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    return misplaced ? misplaced : set_server(cmd, unused, argc, argv);
}

static const char *set_location(cmd_parms *cmd, void *location, int argc, char *const argv[])
{
    const row_t *row = cmd->info;
    mes_value_t *value = &((mes_location_t *)location)->value[row->slot];
    mes_server_t *server = mes_conf_server(cmd->server);
    es_why_t why = ES_WHY_INIT;

    if (set_value(value, cmd, argc, argv, &why) != ES_OK) {
        return mes_conf_error(cmd, &why);
    }
    /* A record must outlive the longest of the sections it may be used in. */
    if (row->slot == MES_LIFETIME && value->number > server->keep) {
        server->keep = value->number;
    }
    return NULL;
}

static void set_fallbacks(mes_value_t *values, const char *(*set)(cmd_parms *, void *, int, char *const[]))
{
    const command_rec *cmd;

    for (cmd = mes_conf_directives; cmd->name; cmd++) {
        if (cmd->args_how == TAKE_ARGV && cmd->func.take_argv == set) {
            const row_t *row = cmd->cmd_data;

            values[row->slot].number = row->fallback;
        }
    }
}

static void merge_values(mes_value_t *merged, const mes_value_t *base, const mes_value_t *add, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        merged[i] = add[i].at ? add[i] : base[i];
    }
}

/* Pairs of a virtual host come to those of the main server. */
static void join_lists(mes_value_t *merged, const mes_value_t *base, const mes_value_t *add, int slot, apr_pool_t *pool)
{
    if (base[slot].list && add[slot].list) {
        merged[slot].list = apr_array_append(pool, base[slot].list, add[slot].list);
    }
}

void *mes_conf_make_server(apr_pool_t *pool, server_rec *server)
{
    mes_server_t *made = apr_pcalloc(pool, sizeof *made);

    (void)server;
    set_fallbacks(made->value, set_server);
    set_fallbacks(made->value, set_main);
    made->sections = apr_array_make(pool, 4, sizeof(mes_location_t *));
    made->keep = HOURS(8);
    return made;
}

void *mes_conf_merge_server(apr_pool_t *pool, void *base_config, void *add_config)
{
    const mes_server_t *base = base_config;
    const mes_server_t *add = add_config;
    mes_server_t *merged = apr_pmemdup(pool, add, sizeof *merged);

    merge_values(merged->value, base->value, add->value, MES_SERVER_SLOTS);
    /* A host that names its tenant and application does not want the metadata of others. */
    if (add->value[MES_APPLICATION].at && !add->value[MES_METADATA].at) {
        merged->value[MES_METADATA] = add->value[MES_METADATA];
    }
    join_lists(merged->value, base->value, add->value, MES_CLAIM, pool);
    join_lists(merged->value, base->value, add->value, MES_GROUP, pool);
    merged->keep = base->keep > add->keep ? base->keep : add->keep;
    return merged;
}

void *mes_conf_make_location(apr_pool_t *pool, char *path)
{
    mes_location_t *made = apr_pcalloc(pool, sizeof *made);

    (void)path;
    set_fallbacks(made->value, set_location);
    return made;
}

/* AuthType and no rule beside it: of a section itself, or found out when it was merged. */
static int is_bare(const mes_location_t *location)
{
    return location->is_bare || (location->ours_at && location->n_rules == 0);
}

void *mes_conf_merge_location(apr_pool_t *pool, void *base_config, void *add_config)
{
    const mes_location_t *base = base_config;
    const mes_location_t *add = add_config;
    mes_location_t *merged = apr_pmemdup(pool, add, sizeof *merged);

    merge_values(merged->value, base->value, add->value, MES_LOCATION_SLOTS);
    /* As mod_authz_core merges: rules of its own replace the outer ones. Combined with them, "all granted" of one
     * part says nothing about the whole. httpd merges sections with each other before it merges them with what is
     * around, so that the result must tell both apart again. */
    merged->is_bare = is_bare(add) || (is_bare(base) && add->n_rules == 0 && !add->is_other);
    if (add->n_rules == 0) {
        merged->n_rules = base->n_rules;
        merged->is_open = base->is_open;
        merged->is_merging = base->is_merging || add->is_merging;
    }
    if (merged->is_merging) {
        merged->is_open = 0;
    }
    return merged;
}

mes_server_t *mes_conf_server(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &entra_saml_module);
}
