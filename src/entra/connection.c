/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/connection.h"

#include "base/codec.h"
#include "base/cookie.h"
#include "base/crypto.h"
#include "base/guid.h"
#include "base/url.h"
#include "entra/issuer.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <libxml/chvalid.h>
#include <libxml/xmlstring.h>

#define URL_MAX 2048
#define ENTITY_ID_MAX 1024 /* SAML core 8.3.6 */
#define REPLY_URL_MAX 256  /* Microsoft, "Redirect URI (reply URL) best practices and limitations" */
#define PAGE_MAX 512       /* must find room in RelayState, as every landing */
#define SKEW_DEFAULT apr_time_from_sec(180)
#define SKEW_MAX apr_time_from_sec(300) /* what Microsoft sanctions, "SAML token claims reference" */
#define SHORT_NAME_MAX 64

static es_rv_t read_base(es_url_t *base, const es_connection_conf_t *conf, es_why_t *why, apr_pool_t *pool)
{
    const char *text = conf->base_url;
    es_why_t cause = ES_WHY_INIT;

    if (!text && (!conf->server_name || !*conf->server_name)) {
        return es_fail(why, ES_CONFIG_BASE_URL, "there is neither EntraSAMLBaseURL nor ServerName");
    }
    if (!text) {
        text = conf->server_port ? apr_psprintf(pool, "https://%s:%d", conf->server_name, conf->server_port)
                                 : apr_pstrcat(pool, "https://", conf->server_name, NULL);
    }
    if (es_url_read(base, text, URL_MAX, &cause, pool) != ES_OK) {
        return es_fail(why, ES_CONFIG_BASE_URL, "\"%.200s\" is not a base URL: %.200s", text, cause.text);
    }
    if (!base->scheme || strcmp(base->scheme, "https") != 0) {
        return es_fail(why, ES_CONFIG_BASE_URL, "base URL \"%.200s\" is not https", text);
    }
    if (!base->host || base->user || base->query || base->fragment || (*base->path && strcmp(base->path, "/") != 0)) {
        return es_fail(why, ES_CONFIG_BASE_URL, "base URL \"%.200s\" is more or less than https://host[:port]", text);
    }
    return ES_OK;
}

/* httpd compares requests in decoded form, Entra in written form: without percent escapes both are the same. */
static int is_endpoint_path(const char *path)
{
    return es_url_is_path(path) && !strchr(path, '%') && path[1];
}

static es_rv_t make_paths(es_connection_t *made, const es_connection_conf_t *conf, es_why_t *why, apr_pool_t *pool)
{
    const char *path = conf->path ? conf->path : "/saml";

    if (!is_endpoint_path(path) || path[strlen(path) - 1] == '/') {
        return es_fail(why, ES_CONFIG_PATH,
                       "path \"%.200s\" of the endpoints does not start with /, ends with /, or holds more than a path",
                       path);
    }
    made->login_path = apr_pstrcat(pool, path, "/login", NULL);
    made->logout_path = apr_pstrcat(pool, path, "/logout", NULL);
    made->metadata_path = apr_pstrcat(pool, path, "/metadata", NULL);
    made->session_path = apr_pstrcat(pool, path, "/session", NULL);
    made->resend_path = apr_pstrcat(pool, path, "/resend", NULL);
    made->reply_path = apr_pstrcat(pool, path, "/acs", NULL);
    return ES_OK;
}

/* An absolute reply URL: on our origin, and nothing but origin and path. */
static es_rv_t read_reply_url(const char **path, const char *text, const es_url_t *base, es_why_t *why,
                              apr_pool_t *pool)
{
    es_why_t cause = ES_WHY_INIT;
    es_url_t url;

    if (es_url_read(&url, text, URL_MAX, &cause, pool) != ES_OK) {
        return es_fail(why, ES_CONFIG_REPLY_URL, "\"%.200s\" is not a reply URL: %.200s", text, cause.text);
    }
    if (!url.scheme || !url.host || !es_url_same_origin(&url, base)) {
        return es_fail(why, ES_CONFIG_REPLY_URL, "reply URL \"%.200s\" is not on the base URL %.200s", text,
                       es_url_origin(base, pool));
    }
    if (url.user || url.query || url.fragment) {
        return es_fail(why, ES_CONFIG_REPLY_URL, "reply URL \"%.200s\" has a user, a query or a fragment", text);
    }
    *path = url.path;
    return ES_OK;
}

static es_rv_t make_reply(es_connection_t *made, const char *text, const es_url_t *base, es_why_t *why,
                          apr_pool_t *pool)
{
    if (text && text[0] != '/') {
        es_rv_t rv = read_reply_url(&made->reply_path, text, base, why, pool);

        if (rv != ES_OK) {
            return rv;
        }
        made->reply_url = text;
    } else {
        made->reply_path = text ? text : made->reply_path;
        made->reply_url = apr_pstrcat(pool, made->origin, made->reply_path, NULL);
    }
    if (!is_endpoint_path(made->reply_path)) {
        return es_fail(why, ES_CONFIG_REPLY_URL, "the path of reply URL \"%.200s\" is not a plain path below /",
                       made->reply_url);
    }
    if (strlen(made->reply_url) > REPLY_URL_MAX || made->reply_url[strcspn(made->reply_url, "!$'(),;")]) {
        return es_fail(why, ES_CONFIG_REPLY_URL,
                       "Entra registers no reply URL of more than %d characters or with one of ! $ ' ( ) , ; in it: "
                       "\"%.200s\"",
                       REPLY_URL_MAX, made->reply_url);
    }
    return ES_OK;
}

/* The character at the start of UTF-8 text; -1 for none, and for one in more octets than it needs, which libxml2 lets
 * pass. */
static int read_character(int *width, const unsigned char *text)
{
    static const int smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    int character;

    *width = 4;
    character = xmlGetUTF8Char(text, width);
    return character >= 0 && character >= smallest[*width] ? character : -1;
}

/* Entra takes any string (URL, URN, a bare word), unique in the tenant, and compares it octet by octet. It must be able
 * to stand in XML. */
static es_rv_t check_identifier(const char *text, es_rv_t fault, const char *what, es_why_t *why)
{
    const unsigned char *c = (const unsigned char *)text;
    int width;

    if (!*c || strlen(text) > ENTITY_ID_MAX) {
        return es_fail(why, fault, "the %s is empty or longer than %d octets", what, ENTITY_ID_MAX);
    }
    for (; *c; c += width) {
        const int character = read_character(&width, c);

        if (character <= 0x20 || (character >= 0x7f && character < 0xa0) || !xmlIsCharQ(character)) {
            return es_fail(why, fault,
                           "%s \"%.200s\" holds white space, a control character, or octets that are not UTF-8", what,
                           text);
        }
    }
    return ES_OK;
}

/* What the messages must name besides our entity ID, and who may sign in. */
static es_rv_t make_expected(es_connection_t *made, const es_connection_conf_t *conf, es_why_t *why, apr_pool_t *pool)
{
    apr_array_header_t *tenants;
    es_rv_t rv = conf->issuer ? check_identifier(conf->issuer, ES_CONFIG_ISSUER, "issuer", why) : ES_OK;
    int i;

    for (i = 0; rv == ES_OK && conf->audiences && conf->audiences[i]; i++) {
        rv = check_identifier(conf->audiences[i], ES_CONFIG_AUDIENCE, "audience", why);
    }
    made->audiences = conf->audiences;
    if (rv != ES_OK || !conf->tenants) {
        return rv;
    }
    tenants = apr_array_make(pool, 4, sizeof(const char *));
    for (i = 0; conf->tenants[i]; i++) {
        const char *tenant = es_guid_read(conf->tenants[i], pool);

        if (!tenant) {
            return es_fail(why, ES_CONFIG_TENANTS, "\"%.200s\" is not the GUID of a tenant", conf->tenants[i]);
        }
        APR_ARRAY_PUSH(tenants, const char *) = tenant;
    }
    APR_ARRAY_PUSH(tenants, const char *) = NULL;
    made->tenants = (const char *const *)tenants->elts;
    return ES_OK;
}

/* Every tenant of the world can have itself sign with the keys of the common document. */
static es_rv_t adopt(es_connection_t *made, const char *issuer, const es_metadata_t *metadata, es_why_t *why)
{
    made->issuer = issuer ? issuer : metadata->issuer;
    if (!made->tenants && (es_issuer_is_template(made->issuer) || es_issuer_is_template(metadata->issuer))) {
        return es_fail(why, ES_METADATA_COMMON,
                       "the issuer %.200s stands for any tenant, and EntraSAMLAllowedTenants is not said",
                       es_issuer_is_template(made->issuer) ? made->issuer : metadata->issuer);
    }
    made->metadata = metadata;
    return ES_OK;
}

static es_rv_t make_page(es_connection_t *made, const char *text, es_why_t *why, apr_pool_t *pool)
{
    const char *const endpoints[] = { made->reply_path,    made->login_path,   made->logout_path,
                                      made->metadata_path, made->session_path, made->resend_path };
    es_why_t cause = ES_WHY_INIT;
    es_url_t url;
    int i;

    if (text[0] != '/' || text[1] == '/' || es_url_read(&url, text, PAGE_MAX, &cause, pool) != ES_OK || url.fragment ||
        es_url_has_dot_segment(url.path)) {
        return es_fail(why, ES_CONFIG_PATH, "default page \"%.200s\" is not a path, with or without query", text);
    }
    for (i = 0; i < (int)(sizeof endpoints / sizeof endpoints[0]); i++) {
        if (strcmp(endpoints[i], url.path) == 0) {
            return es_fail(why, ES_CONFIG_CLASH, "default page \"%.200s\" is an endpoint of this module", text);
        }
    }
    made->default_page = text;
    return ES_OK;
}

/* The others cannot clash: they share a path and differ in their last segment. */
static es_rv_t check_clash(const es_connection_t *made, es_why_t *why)
{
    const char *const others[] = { made->login_path, made->logout_path, made->metadata_path, made->session_path,
                                   made->resend_path };
    int i;

    for (i = 0; i < (int)(sizeof others / sizeof others[0]); i++) {
        if (strcmp(made->reply_path, others[i]) == 0) {
            return es_fail(why, ES_CONFIG_CLASH, "reply URL and %.200s have the same path",
                           strrchr(others[i], '/') + 1);
        }
    }
    return ES_OK;
}

/* The grammar of a short name; whether such a claim will come only Entra knows. */
static int is_short_name(const char *text)
{
    const apr_size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return text[0] >= 'a' && text[0] <= 'z' && text[len] == '\0' && len <= SHORT_NAME_MAX;
}

static es_rv_t make_user(es_connection_t *made, const char *const *list, es_why_t *why)
{
    static const char *const fallback[] = { "name", "nameid", NULL };
    int i;

    made->remote_user = list ? list : fallback;
    if (!made->remote_user[0]) {
        return es_fail(why, ES_CONFIG_CLAIM, "EntraSAMLRemoteUser names no claim");
    }
    for (i = 0; made->remote_user[i]; i++) {
        if (!is_short_name(made->remote_user[i])) {
            return es_fail(why, ES_CONFIG_CLAIM,
                           "EntraSAMLRemoteUser: \"%.200s\" is not the short name of a claim (a-z, 0-9, _)",
                           made->remote_user[i]);
        }
    }
    return ES_OK;
}

/* NUL keeps the two apart: neither can hold one. */
es_connection_id_t es_connection_id_of(const char *issuer, const char *entity_id)
{
    const es_bytes_t pieces[] = { es_bytes_of(issuer), es_bytes("", 1), es_bytes_of(entity_id) };
    const es_hash_t hash = es_crypto_sha256_of(pieces, 3);
    es_connection_id_t id;

    memcpy(id.octet, hash.octet, sizeof id.octet);
    return id;
}

static void make_id(es_connection_t *made, apr_pool_t *pool)
{
    made->id = es_connection_id_of(made->issuer, made->entity_id);
    made->tag = es_codec_hex(es_bytes(made->id.octet, 4), pool);
    made->session_cookie = apr_pstrcat(pool, ES_COOKIE_SESSION, made->tag, NULL);
    made->binding_cookie = apr_pstrcat(pool, ES_COOKIE_SIGNIN, made->tag, NULL);
}

es_rv_t es_connection_make(es_connection_t **connection, const es_connection_conf_t *conf,
                           const es_metadata_t *metadata, es_why_t *why, apr_pool_t *pool)
{
    es_connection_t *made = apr_pcalloc(pool, sizeof *made);
    es_url_t base;
    es_rv_t rv;

    if ((rv = read_base(&base, conf, why, pool)) != ES_OK || (rv = make_paths(made, conf, why, pool)) != ES_OK) {
        return rv;
    }
    made->origin = es_url_origin(&base, pool);
    made->login_url = apr_pstrcat(pool, made->origin, made->login_path, NULL);
    made->logout_url = apr_pstrcat(pool, made->origin, made->logout_path, NULL);
    made->metadata_url = apr_pstrcat(pool, made->origin, made->metadata_path, NULL);
    made->entity_id = conf->entity_id ? conf->entity_id : made->metadata_url;
    if ((rv = make_reply(made, conf->reply_url, &base, why, pool)) != ES_OK || (rv = check_clash(made, why)) != ES_OK ||
        (rv = check_identifier(made->entity_id, ES_CONFIG_ENTITY_ID, "entity ID", why)) != ES_OK ||
        (rv = make_expected(made, conf, why, pool)) != ES_OK ||
        (rv = make_page(made, conf->default_page ? conf->default_page : "/", why, pool)) != ES_OK ||
        (rv = make_user(made, conf->remote_user, why)) != ES_OK) {
        return rv;
    }
    if (conf->skew < 0 || conf->skew > SKEW_MAX) {
        return es_fail(why, ES_CONFIG_TIME, "EntraSAMLClockSkew is not between 0 and 300 seconds");
    }
    made->skew = conf->skew ? conf->skew : SKEW_DEFAULT;
    made->tag = "-";
    if (metadata && (rv = adopt(made, conf->issuer, metadata, why)) != ES_OK) {
        return rv;
    }
    if (metadata) {
        make_id(made, pool);
    }
    *connection = made;
    return ES_OK;
}
