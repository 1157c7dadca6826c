/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * httpd hands a directive to every module that names it. These five belong to httpd's own modules; we only take note of
 * them, since their owners tell nobody what they read (beside.c does the same with those of other modules):
 *   AuthType, Require    a section without a rule, or a rule that another module would judge, must fail httpd -t
 *   Require, AuthMerging whether a section lets in all comers, and its anonymous responses may be cached
 *   ServerName           host and port as written, and not what httpd makes of a missing one
 *   SSLEngine            where pages are to be had with TLS
 */
#include "httpd/mes.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdlib.h>

/* Without its owner the directive must stay unknown, as httpd would have it: nobody else would heed it. */
const char *mes_watch_check_owner(const cmd_parms *cmd, const char *owner)
{
    if (ap_find_linked_module(owner)) {
        return NULL;
    }
    return apr_psprintf(cmd->pool,
                        "Invalid command '%s', perhaps misspelled or defined by a module not included in "
                        "the server configuration (%s)",
                        cmd->cmd->name, owner);
}

/* Sections of .htaccess files come and go with requests; only those of the configuration are judged. */
void mes_watch_note_section(const cmd_parms *cmd, mes_location_t *location)
{
    if (!location->is_noted && cmd->pool != cmd->temp_pool) {
        location->is_noted = 1;
        APR_ARRAY_PUSH(mes_conf_server(cmd->server)->sections, mes_location_t *) = location;
    }
}

const char *mes_watch_auth_type(cmd_parms *cmd, void *location_config, const char *args)
{
    mes_location_t *location = location_config;
    const char *fault = mes_watch_check_owner(cmd, "mod_authn_core.c");
    const char *type = ap_getword_conf(cmd->temp_pool, &args);

    if (fault) {
        return fault;
    }
    if (strcasecmp(type, MES_AUTH_TYPE) != 0) {
        location->ours_at = NULL;
        location->is_other = 1;
        return NULL;
    }
    mes_watch_note_section(cmd, location);
    location->ours_at = cmd->directive;
    location->is_other = 0;
    return NULL;
}

/* A line of its own, for all methods, and not one among others inside <RequireAll> or <RequireNone>. */
static int stands_alone(const cmd_parms *cmd)
{
    const ap_directive_t *parent = cmd->directive->parent;

    return cmd->limited == -1 && !(parent && strncasecmp(parent->directive, "<Require", 8) == 0);
}

const char *mes_watch_require(cmd_parms *cmd, void *location_config, const char *args)
{
    mes_location_t *location = location_config;
    const char *fault = mes_watch_check_owner(cmd, "mod_authz_core.c");
    const char *provider = ap_getword_conf(cmd->temp_pool, &args);
    const int is_negated = strcasecmp(provider, "not") == 0;

    if (fault) {
        return fault;
    }
    if (is_negated) {
        provider = ap_getword_conf(cmd->temp_pool, &args);
    }
    location->n_rules++;
    if (strcasecmp(provider, "claim") == 0) {
        mes_watch_note_section(cmd, location);
        location->claim_at = cmd->directive;
    }
    if (strcasecmp(provider, "valid-user") == 0 || strcasecmp(provider, "user") == 0) {
        location->user_at = cmd->directive;
    }
    if (!is_negated && stands_alone(cmd) && strcasecmp(provider, "all") == 0 &&
        strcasecmp(ap_getword_conf(cmd->temp_pool, &args), "granted") == 0) {
        location->is_open = 1;
    }
    return NULL;
}

const char *mes_watch_merging(cmd_parms *cmd, void *location_config, const char *args)
{
    mes_location_t *location = location_config;
    const char *fault = mes_watch_check_owner(cmd, "mod_authz_core.c");

    location->is_merging = strcasecmp(ap_getword_conf(cmd->temp_pool, &args), "Off") != 0;
    return fault;
}

/* [scheme://]host[:port], the host perhaps an IPv6 address in brackets. */
const char *mes_watch_server_name(cmd_parms *cmd, void *location_config, const char *args)
{
    mes_server_t *server = mes_conf_server(cmd->server);
    const char *name = ap_getword_conf(cmd->pool, &args);
    const char *scheme = strstr(name, "://");
    const char *host = scheme ? scheme + 3 : name;
    const char *colon = strchr(*host == '[' ? host + strcspn(host, "]") : host, ':');

    (void)location_config;
    server->host = colon ? apr_pstrmemdup(cmd->pool, host, (apr_size_t)(colon - host)) : host;
    server->port = colon ? atoi(colon + 1) : 0;
    if (server->port == 443 || server->port == 80) {
        server->port = 0;
    }
    return NULL;
}

/* "optional" is plain http until the client asks for more. */
const char *mes_watch_ssl_engine(cmd_parms *cmd, void *location_config, const char *args)
{
    const char *word = ap_getword_conf(cmd->temp_pool, &args);

    (void)location_config;
    mes_conf_server(cmd->server)->tls = strcasecmp(word, "on") == 0 ? MES_TLS_ON : MES_TLS_OFF;
    return mes_watch_check_owner(cmd, "mod_ssl.c");
}
