/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The directives: one table, one setter for each of the places where they may stand.
 */
#include "httpd/accounts.h"
#include "httpd/value.h"

#include "flow/tell.h"

#include <apr_strings.h>

static const char *const clouds[] = { "public", "usgov", "china", NULL };
static const char *const when_full[] = { "evict", "refuse", NULL };
static const char *const accounts[] = { "off", "existing", "jit", "waiting-room", NULL };
static const char *const when_down[] = { "refuse", "trust", NULL };
static const char *const off_on[] = { "Off", "On", NULL };
static const char *const session_cookie[] = { "Lax", "None", NULL };
static const char *const unauthenticated[] = { "auto", "redirect", "401", NULL };
static const char *const step_up[] = { "Off", "Fresh", "MFA", NULL };

static es_rv_t check_aliases(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    int count;
    const es_claim_alias_t *aliases = mes_conf_aliases(&count, value, pool);

    return es_claims_check_aliases(aliases, count, why);
}

static es_rv_t check_groups(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    int count;
    const es_group_t *pairs = mes_conf_groups(&count, value, pool);
    es_groups_t *groups;

    return es_groups_make(&groups, pairs, count, why, pool);
}

static es_rv_t check_matches(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    const es_username_conf_t said = { .matches = (const char *const *)value->list->elts,
                                      .n_matches = value->list->nelts / 2 };
    const es_username_t *username;

    return es_username_make(&username, &said, why, pool);
}

static es_rv_t check_domains(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    const es_username_conf_t said = { .domains = mes_conf_names(value, pool) };
    const es_username_t *username;

    return es_username_make(&username, &said, why, pool);
}

static es_rv_t check_required(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    (void)pool;
    return es_claims_check_required((const char *const *)value->list->elts, value->list->nelts, why);
}

static es_rv_t check_session_claims(const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    (void)pool;
    return es_tell_check_claims((const char *const *)value->list->elts, value->list->nelts, why);
}

static const char *set_server(cmd_parms *cmd, void *unused, int argc, char *const argv[])
{
    const mes_row_t *row = cmd->info;
    es_why_t why = ES_WHY_INIT;

    (void)unused;
    if (mes_value_set(&mes_conf_server(cmd->server)->value[row->slot], cmd, argc, argv, &why) != ES_OK) {
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
    const mes_row_t *row = cmd->info;
    mes_location_t *section = location;
    mes_value_t *value = &section->value[row->slot];
    mes_server_t *server = mes_conf_server(cmd->server);
    es_why_t why = ES_WHY_INIT;

    if (mes_value_set(value, cmd, argc, argv, &why) != ES_OK) {
        return mes_conf_error(cmd, &why);
    }
    section->is_said = 1;
    /* A record must outlive the longest of the sections it may be used in. */
    if (row->slot == MES_LIFETIME && value->number > server->keep) {
        server->keep = value->number;
    }
    if (row->slot == MES_PRESERVE_POST && (!server->largest_post || value->number > server->largest_post->number)) {
        server->largest_post = value;
    }
    return NULL;
}

/* Each row: name, where it may stand, how it is read, and the line of help that stands in its messages too. */
#define ROW(name, set, where, help, ...)                                                                               \
    AP_INIT_TAKE_ARGV(name, set, ((void *)&(const mes_row_t){ __VA_ARGS__ }), where, help)
#define SERVER(name, help, ...) ROW(name, set_server, RSRC_CONF, help, __VA_ARGS__)
#define MAIN_SERVER(name, help, ...) ROW(name, set_main, RSRC_CONF, help, __VA_ARGS__)
#define LOCATION(name, help, ...) ROW(name, set_location, RSRC_CONF | ACCESS_CONF, help, __VA_ARGS__)

/* What an application gets: kept apart from the other values, see plan.h. */
#define EXPORT(name, which, help)                                                                                      \
    AP_INIT_TAKE_ARGV(name, mes_said_set, ((void *)(apr_uintptr_t)which), RSRC_CONF | ACCESS_CONF, help)

const command_rec mes_directives[] = {
    SERVER("EntraSAMLTenant", "GUID or DOMAIN: the tenant, whose metadata is fetched", .kind = MES_KIND_TEXT,
           .slot = MES_TENANT),
    SERVER("EntraSAMLApplication", "GUID: Application ID in the portal", .kind = MES_KIND_TEXT,
           .slot = MES_APPLICATION),
    SERVER("EntraSAMLCloud", "public, usgov or china: where the tenant lives", .kind = MES_KIND_CHOICE,
           .slot = MES_CLOUD, .choices = clouds),
    SERVER("EntraSAMLMetadata", "FILE or https://ADDRESS: the Federation Metadata XML of the application",
           .kind = MES_KIND_SOURCE, .slot = MES_METADATA),
    SERVER("EntraSAMLMetadataRefresh", "TIME, 5min to 24h: how often metadata is fetched", .kind = MES_KIND_TIME,
           .slot = MES_METADATA_REFRESH, .min = SECONDS(300), .max = HOURS(24), .fallback = HOURS(1)),
    SERVER("EntraSAMLMetadataSigner", "THUMBPRINT: the certificate that signs the metadata", .kind = MES_KIND_TEXT,
           .slot = MES_METADATA_SIGNER),
    SERVER("EntraSAMLMetadataCAFile", "FILE: authorities that the metadata's server may show a certificate of",
           .kind = MES_KIND_FILE, .slot = MES_METADATA_CA),
    SERVER("EntraSAMLMetadataProxy", "http://HOST:PORT: the proxy through which metadata is fetched",
           .kind = MES_KIND_TEXT, .slot = MES_METADATA_PROXY),
    SERVER("EntraSAMLEntityID", "TEXT: Identifier (Entity ID) in the portal", .kind = MES_KIND_TEXT,
           .slot = MES_ENTITY_ID),
    SERVER("EntraSAMLIssuer", "TEXT: the issuer to expect, where it is not the metadata's", .kind = MES_KIND_TEXT,
           .slot = MES_ISSUER),
    SERVER("EntraSAMLAudience", "TEXT [TEXT ...]: further identifiers to accept", .kind = MES_KIND_LIST,
           .slot = MES_AUDIENCE),
    SERVER("EntraSAMLAllowedTenants", "GUID [GUID ...]: the tenants whose users may sign in", .kind = MES_KIND_LIST,
           .slot = MES_ALLOWED_TENANTS),
    SERVER("EntraSAMLBaseURL", "https://HOST[:PORT]: the public address", .kind = MES_KIND_TEXT, .slot = MES_BASE_URL),
    SERVER("EntraSAMLPath", "PATH: where the endpoints live", .kind = MES_KIND_TEXT, .slot = MES_PATH),
    SERVER("EntraSAMLReplyURL", "PATH or URL: Reply URL in the portal", .kind = MES_KIND_TEXT, .slot = MES_REPLY_URL),
    SERVER("EntraSAMLDefaultPage", "PATH: where a sign-in ends that was not started for a page", .kind = MES_KIND_TEXT,
           .slot = MES_DEFAULT_PAGE),
    SERVER("EntraSAMLClockSkew", "TIME, 1s to 5min: how far the clocks may differ", .kind = MES_KIND_TIME,
           .slot = MES_CLOCK_SKEW, .min = SECONDS(1), .max = SECONDS(300), .fallback = SECONDS(180)),
    SERVER("EntraSAMLRemoteUser", "NAME [NAME ...]: short names of claims for REMOTE_USER", .kind = MES_KIND_LIST,
           .slot = MES_REMOTE_USER),
    SERVER("EntraSAMLRemoteUserMatch", "REGEX REPLACEMENT: what REMOTE_USER is made of", .kind = MES_KIND_PAIRS,
           .slot = MES_REMOTE_USER_MATCH, .fault = ES_CONFIG_REMOTE_USER, .check = check_matches),
    SERVER("EntraSAMLRemoteUserLowerCase", "On or Off: REMOTE_USER in small letters", .kind = MES_KIND_CHOICE,
           .slot = MES_REMOTE_USER_LOWER, .choices = off_on, .fallback = 0),
    SERVER("EntraSAMLRemoteUserStripDomain", "Off, On or DOMAIN [DOMAIN ...]: REMOTE_USER without @ and domain",
           .kind = MES_KIND_LIST, .slot = MES_REMOTE_USER_STRIP, .check = check_domains),
    SERVER("EntraSAMLClaim", "FULL-NAME SHORT-NAME: a short name for a claim", .kind = MES_KIND_PAIRS,
           .slot = MES_CLAIM, .fault = ES_CONFIG_CLAIM, .check = check_aliases),
    SERVER("EntraSAMLGroup", "NAME OBJECT-ID: a name for a group", .kind = MES_KIND_PAIRS, .slot = MES_GROUP,
           .fault = ES_CONFIG_GROUP, .check = check_groups),
    SERVER("EntraSAMLRequiredClaims", "NAME [NAME ...]: short names of claims without which nobody signs in",
           .kind = MES_KIND_LIST, .slot = MES_REQUIRED_CLAIMS, .check = check_required),
    SERVER("EntraSAMLSessionClaims", "NAME [NAME ...]: short names of claims that PATH/session shows to scripts",
           .kind = MES_KIND_LIST, .slot = MES_SESSION_CLAIMS, .check = check_session_claims),
    SERVER("EntraSAMLSessionsFrom", "IDENTIFIER [IDENTIFIER ...]: entity IDs whose sessions are good here too",
           .kind = MES_KIND_LIST, .slot = MES_SESSIONS_FROM),
    SERVER("EntraSAMLResponseLimit", "SIZE, 4K to 16M: the largest POST the reply URL reads", .kind = MES_KIND_SIZE,
           .slot = MES_RESPONSE_LIMIT, .min = KIB(4), .max = MIB(16), .fallback = MIB(1)),
    SERVER("EntraSAMLPageTemplate", "FILE: an HTML page for refusals", .kind = MES_KIND_FILE,
           .slot = MES_PAGE_TEMPLATE),
    SERVER("EntraSAMLSessionsPerUser", "NUMBER, 0 to 1000: how many sessions one user may have, 0 for any number",
           .kind = MES_KIND_NUMBER, .slot = MES_SESSIONS_PER_USER, .min = 0, .max = 1000, .fallback = 0),
    SERVER("EntraSAMLSessionCookie", "Lax or None: SameSite of the session cookie", .kind = MES_KIND_CHOICE,
           .slot = MES_SESSION_COOKIE, .choices = session_cookie, .fallback = ES_COOKIE_LAX),
    SERVER("EntraSAMLSingleLogout", "on or off: a sign-out here goes on to Entra", .kind = MES_KIND_CHOICE,
           .slot = MES_SINGLE_LOGOUT, .choices = off_on, .fallback = 1),
    SERVER("EntraSAMLUnsignedLogout", "on or off: Entra's sign-out messages need no signature", .kind = MES_KIND_CHOICE,
           .slot = MES_UNSIGNED_LOGOUT, .choices = off_on, .fallback = 0),
    SERVER("EntraSAMLSigningCertificate", "CERTIFICATE-FILE KEY-FILE: signs requests", .kind = MES_KIND_FILES,
           .slot = MES_SIGNING),
    SERVER("EntraSAMLDecryptionCertificate", "CERTIFICATE-FILE KEY-FILE: opens encrypted assertions",
           .kind = MES_KIND_FILES, .slot = MES_DECRYPTION),
    SERVER("EntraSAMLAuthnContext", "CLASS [CLASS ...]: authentication context classes to ask Entra for",
           .kind = MES_KIND_LIST, .slot = MES_AUTHN_CONTEXT),
    SERVER("EntraSAMLIdPInitiated", "On or Off: accept sign-ins that were started at Microsoft",
           .kind = MES_KIND_CHOICE, .slot = MES_IDP_INITIATED, .choices = off_on, .fallback = 0),
    SERVER("EntraSAMLRelayStateAllow", "URL-PREFIX [URL-PREFIX ...]: where else than here a sign-in may end",
           .kind = MES_KIND_LIST, .slot = MES_RELAY_STATE_ALLOW),
    SERVER("EntraSAMLAccounts", "off, existing, jit or waiting-room: who may sign in, by a table of accounts",
           .kind = MES_KIND_CHOICE, .slot = MES_ACCOUNTS, .choices = accounts, .fallback = MES_ACCOUNTS_OFF),
    SERVER("EntraSAMLAccountsDatabase", "DRIVER PARAMETERS: where the accounts are, for apr_dbd", .kind = MES_KIND_LIST,
           .slot = MES_ACCOUNTS_DATABASE, .check = mes_accountrules_check_database),
    SERVER("EntraSAMLAccountsStatement", "NAME SQL: a statement for a table of your own", .kind = MES_KIND_PAIRS,
           .slot = MES_ACCOUNTS_STATEMENT, .fault = ES_CONFIG_ACCOUNTS, .check = mes_accountrules_check_statements),
    SERVER("EntraSAMLAccountsKey", "NAME: short name of the claim that tells accounts apart", .kind = MES_KIND_TEXT,
           .slot = MES_ACCOUNTS_KEY),
    SERVER("EntraSAMLAccountsMatch", "NAME: short name of the claim by whose address prepared accounts are found",
           .kind = MES_KIND_TEXT, .slot = MES_ACCOUNTS_MATCH),
    SERVER("EntraSAMLAccountsDomains", "DOMAIN [DOMAIN ...]: domains of addresses that this tenant may speak for",
           .kind = MES_KIND_LIST, .slot = MES_ACCOUNTS_DOMAINS, .check = mes_accountrules_check_domains),
    SERVER("EntraSAMLAccountsProfile", "COLUMN NAME: a column, and the short name of the claim to keep there",
           .kind = MES_KIND_PAIRS, .slot = MES_ACCOUNTS_PROFILE, .fault = ES_CONFIG_ACCOUNTS,
           .check = mes_accountrules_check_profile),
    SERVER("EntraSAMLAccountsTrust", "TIME, 0s to 1h: how long an account is taken for active without asking again",
           .kind = MES_KIND_TIME, .slot = MES_ACCOUNTS_TRUST, .min = 0, .max = HOURS(1), .fallback = SECONDS(60)),
    SERVER("EntraSAMLAccountsWhenDown", "refuse or trust: sessions whose accounts cannot be looked up",
           .kind = MES_KIND_CHOICE, .slot = MES_ACCOUNTS_WHEN_DOWN, .choices = when_down, .fallback = 0),
    MAIN_SERVER("EntraSAMLStateDirectory", "DIRECTORY: for key file and sessions", .kind = MES_KIND_FILE,
                .slot = MES_STATE_DIRECTORY),
    MAIN_SERVER("EntraSAMLSharedMemory", "SIZE, 2M to 64G: room for sessions", .kind = MES_KIND_SIZE,
                .slot = MES_SHARED_MEMORY, .min = MIB(2), .max = GIB(64), .fallback = MIB(32)),
    MAIN_SERVER("EntraSAMLWhenFull", "evict or refuse: what becomes of a sign-in when live sessions fill the memory",
                .kind = MES_KIND_CHOICE, .slot = MES_WHEN_FULL, .choices = when_full, .fallback = MES_WHEN_FULL_EVICT),
    MAIN_SERVER("EntraSAMLPreserveMemory", "SIZE, 64K to 64M: room for what browsers send before they sign in",
                .kind = MES_KIND_SIZE, .slot = MES_PRESERVE_MEMORY, .min = KIB(64), .max = MIB(64), .fallback = 0),
    LOCATION("EntraSAMLSessionLifetime", "TIME, 1s to 30d: how long after the sign-in a session is good here",
             .kind = MES_KIND_TIME, .slot = MES_LIFETIME, .min = SECONDS(1), .max = HOURS(720), .fallback = HOURS(8)),
    LOCATION("EntraSAMLSessionIdle", "TIME, 1s to 30d: how long a session may go unused", .kind = MES_KIND_TIME,
             .slot = MES_IDLE, .min = SECONDS(1), .max = HOURS(720), .fallback = HOURS(1)),
    LOCATION("EntraSAMLFreshSignIn", "TIME, 1min to 30d, or Off: how long ago the user may have signed in at Entra",
             .kind = MES_KIND_TIME_OR_OFF, .slot = MES_FRESH_SIGN_IN, .min = SECONDS(60), .max = HOURS(720),
             .fallback = 0),
    LOCATION("EntraSAMLUnauthenticated",
             "auto, redirect or 401, and perhaps \"expr=EXPRESSION\": what a request without a session gets",
             .kind = MES_KIND_CONDITIONAL, .slot = MES_UNAUTHENTICATED, .choices = unauthenticated,
             .fallback = MES_UNAUTHENTICATED_AUTO),
    LOCATION("EntraSAMLPreservePost", "SIZE, 1K to 1M, or Off: the largest form kept while its sender signs in",
             .kind = MES_KIND_SIZE_OR_OFF, .slot = MES_PRESERVE_POST, .min = KIB(1), .max = MIB(1), .fallback = 0),
    LOCATION("EntraSAMLPreflight", "On or Off: a CORS preflight passes without a session", .kind = MES_KIND_CHOICE,
             .slot = MES_PREFLIGHT, .choices = off_on, .fallback = 0),
    LOCATION("EntraSAMLPassCookies", "On or Off: the application gets our cookies too", .kind = MES_KIND_CHOICE,
             .slot = MES_PASS_COOKIES, .choices = off_on, .fallback = 0),
    LOCATION("EntraSAMLStepUp", "Off, Fresh or MFA: the sign-in that a user gets once whom the rules deny",
             .kind = MES_KIND_CHOICE, .slot = MES_STEP_UP, .choices = step_up, .fallback = MES_STEP_UP_OFF),
    EXPORT("EntraSAMLEnvPrefix", MES_SAY_PREFIX, "TEXT: what the variables of claims begin with"),
    EXPORT("EntraSAMLEnv", MES_SAY_VARIABLE, "CLAIM VARIABLE: a claim's variable, without prefix"),
    EXPORT("EntraSAMLExport", MES_SAY_ALLOWED, "all, none or CLAIM [CLAIM ...]: what an application gets"),
    EXPORT("EntraSAMLExportNot", MES_SAY_DENIED, "CLAIM [CLAIM ...]: what an application does not get"),
    EXPORT("EntraSAMLEnvValues", MES_SAY_VALUES, "joined, indexed or both: the form of several values"),
    EXPORT("EntraSAMLHeader", MES_SAY_HEADER, "HEADER CLAIM [utf8|percent|base64], or Off: a request header"),
    EXPORT("EntraSAMLHeaderPrefix", MES_SAY_HEADER_PREFIX,
           "PREFIX [utf8|percent|base64], or Off: request headers for all that is exported"),
    EXPORT("EntraSAMLHeaderLimit", MES_SAY_LIMIT, "SIZE, 64 to 64K: the longest value of a request header"),
    /* Directives of httpd's own, watched beside their owners: see watch.c. */
    AP_INIT_RAW_ARGS("AuthType", mes_watch_auth_type, NULL, OR_AUTHCFG, "also " MES_AUTH_TYPE),
    AP_INIT_RAW_ARGS("Require", mes_watch_require, NULL, OR_AUTHCFG,
                     "also claim NAME:VALUE or NAME~REGEX, entra-mfa, entra-authn-age TIME"),
    AP_INIT_RAW_ARGS("AuthMerging", mes_watch_merging, NULL, OR_AUTHCFG, "Off, And or Or"),
    AP_INIT_RAW_ARGS("ServerName", mes_watch_server_name, NULL, RSRC_CONF, "the default of EntraSAMLBaseURL"),
    AP_INIT_RAW_ARGS("SSLEngine", mes_watch_ssl_engine, NULL, RSRC_CONF, "whether there is TLS"),
    /* Directives of other modules, watched likewise: see beside.c. */
    AP_INIT_RAW_ARGS("ShibCompatValidUser", mes_beside_valid_user, NULL, RSRC_CONF,
                     "mod_shib leaves Require valid-user alone"),
    AP_INIT_RAW_ARGS("OIDCRedirectURI", mes_beside_redirect, NULL, RSRC_CONF, "an endpoint of mod_auth_openidc"),
    AP_INIT_RAW_ARGS("MellonEnable", mes_beside_mellon, NULL, OR_AUTHCFG, "where mod_auth_mellon acts"),
    AP_INIT_RAW_ARGS("MellonEndpointPath", mes_beside_mellon_path, NULL, OR_AUTHCFG, "endpoints of mod_auth_mellon"),
    { NULL }
};

static void set_fallbacks(mes_value_t *values, const char *(*set)(cmd_parms *, void *, int, char *const[]))
{
    const command_rec *cmd;

    for (cmd = mes_directives; cmd->name; cmd++) {
        if (cmd->args_how == TAKE_ARGV && cmd->func.take_argv == set) {
            const mes_row_t *row = cmd->cmd_data;

            values[row->slot].number = row->fallback;
        }
    }
}

void mes_directives_default_server(mes_value_t *values)
{
    set_fallbacks(values, set_server);
    set_fallbacks(values, set_main);
}

void mes_directives_default_location(mes_value_t *values)
{
    set_fallbacks(values, set_location);
}
