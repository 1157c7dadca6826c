/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One relation to Entra, judged once and immutable from then on. What a virtual host says in directives comes in as
 * plain text, so that httpd -t, the running server and the unit tests judge it in the same place.
 */
#ifndef ES_CONNECTION_H
#define ES_CONNECTION_H

#include "base/es.h"
#include "entra/metadata.h"

/* As configured; NULL and 0 mean "not said". */
typedef struct {
    const char *base_url;     /* EntraSAMLBaseURL */
    const char *server_name;  /* ServerName, for the default base URL https://ServerName */
    int server_port;          /* its port where one is written and it is not 443 or 80; else 0 */
    const char *entity_id;    /* EntraSAMLEntityID */
    const char *path;         /* EntraSAMLPath: where the endpoints live, default /saml */
    const char *reply_url;    /* EntraSAMLReplyURL: path or URL on the base, default <path>/acs */
    const char *default_page; /* EntraSAMLDefaultPage: path (with query), default / */
    apr_interval_time_t skew; /* EntraSAMLClockSkew, default 180 s, at most 300 s */
    /* EntraSAMLRemoteUser: short names in order, NULL-terminated; default name, nameid */
    const char *const *remote_user;
    const char *issuer;           /* EntraSAMLIssuer; default: the metadata's */
    const char *const *audiences; /* EntraSAMLAudience, NULL-terminated */
    const char *const *tenants;   /* EntraSAMLAllowedTenants, NULL-terminated */
} es_connection_conf_t;

typedef struct {
    es_connection_id_t id;
    const char *tag;    /* first 8 hex digits of the id, for cookie names and log lines */
    const char *issuer; /* expected of Entra; may stand for any of the tenants: entra/issuer.h */
    const char *entity_id;
    const char *origin; /* https://host[:port] */
    const char *reply_url, *login_url, *logout_url, *metadata_url;
    const char *reply_path, *login_path, *logout_path, *metadata_path, *session_path,
        *resend_path; /* what a request is compared with */
    const char *default_page;
    const char *session_cookie; /* __Host-entra-session-<tag> */
    const char *binding_cookie; /* __Host-entra-signin-<tag> */
    apr_interval_time_t skew;
    const char *const *remote_user; /* NULL-terminated */
    const char *const *audiences;   /* accepted beside the entity ID; NULL-terminated, NULL: none */
    const char *const *tenants; /* the only ones admitted, GUIDs in lower case; NULL-terminated, NULL: not limited */
    const es_metadata_t *metadata;
} es_connection_t;

/* The id of the connection between this issuer, as it is expected, and this entity ID. */
es_connection_id_t es_connection_id_of(const char *issuer, const char *entity_id);

/* Judges and makes.
 *   ES_CONFIG_BASE_URL   not https://host[:port] with at most a slash behind it; or neither it nor a ServerName
 *   ES_CONFIG_PATH       the path is none, ends with a slash, or holds a percent escape; the default page is no path
 *                        with one slash at its start, has a dot segment, a fragment, or more than 512 characters
 *   ES_CONFIG_ENTITY_ID  empty, white space, what XML cannot carry, more than 1,024 octets. It is an opaque string, kept
 *                        octet by octet; default: the metadata URL
 *   ES_CONFIG_REPLY_URL  neither an endpoint path nor an https URL with one on the origin of the base URL; user, query,
 *                        fragment; more than 256 characters, or one that Entra takes in no reply URL. A URL is kept
 *                        octet by octet (an explicit :443, the case of the host), since Entra compares it so
 *   ES_CONFIG_TIME       skew below 0 or above 300 s
 *   ES_CONFIG_CLAIM      remote_user is empty or holds something that is no short name
 *   ES_CONFIG_ISSUER     empty, white space or control characters, more than 1,024 octets
 *   ES_CONFIG_AUDIENCE   as an entity ID must be
 *   ES_CONFIG_TENANTS    no GUID
 *   ES_METADATA_COMMON   the document, or the issuer, stands for any tenant, and no tenant is named
 *   ES_CONFIG_CLASH      two endpoints with one path; or the default page is an endpoint (a GET of the reply URL goes
 *                        there, login and logout end there: a loop)
 * Without metadata (NULL: it is still to be fetched) all of this is judged too, and the connection made knows addresses
 * and entity ID only: no issuer, id or cookies, "-" for a tag. Everything referenced must outlive the pool. */
es_rv_t es_connection_make(es_connection_t **connection, const es_connection_conf_t *conf,
                           const es_metadata_t *metadata, es_why_t *why, apr_pool_t *pool);

#endif
