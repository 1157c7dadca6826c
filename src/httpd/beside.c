/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Other modules that sign people in, loaded into the same server. What can be mended is mended where it happens (authz.c
 * leaves them the name `claim`, gate.c comes before them and lets none name a user in our sections, endpoint.c takes no
 * address but its own). What cannot is said here, while the configuration is judged:
 *   ShibCompatValidUser  without it mod_shib judges Require valid-user and Require user of everybody's sections by
 *                        sessions of its own
 *   MellonEnable         where it is `auth`, mod_auth_mellon redirects in the hook in which we only look for a session
 *   OIDCRedirectURI, MellonEndpointPath
 *                        addresses that cannot be ours at the same time
 * Like those in watch.c, these directives are read beside their owners.
 */
#include "httpd/beside.h"

#include "base/url.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <dlfcn.h>
#include <mod_auth.h>

#define SHIB "mod_shib.cpp"
#define OPENIDC "mod_auth_openidc.c"
#define MELLON "mod_auth_mellon.c"

static void note(mes_value_t *value, const cmd_parms *cmd, const char *args, const char *on)
{
    value->at = cmd->directive;
    value->text = ap_getword_conf(cmd->pool, &args);
    value->number = on && strcasecmp(value->text, on) == 0;
}

const char *mes_beside_valid_user(cmd_parms *cmd, void *location, const char *args)
{
    (void)location;
    note(&mes_conf_server(cmd->server)->beside[MES_SHIB_VALID_USER], cmd, args, "On");
    return mes_watch_check_owner(cmd, SHIB);
}

const char *mes_beside_redirect(cmd_parms *cmd, void *location, const char *args)
{
    (void)location;
    note(&mes_conf_server(cmd->server)->beside[MES_OIDC_REDIRECT], cmd, args, NULL);
    return mes_watch_check_owner(cmd, OPENIDC);
}

static mes_mellon_t *get_mellon(const cmd_parms *cmd, mes_location_t *location)
{
    if (!location->mellon) {
        location->mellon = apr_pcalloc(cmd->pool, sizeof *location->mellon);
        mes_watch_note_section(cmd, location);
    }
    return location->mellon;
}

const char *mes_beside_mellon(cmd_parms *cmd, void *location, const char *args)
{
    note(&get_mellon(cmd, location)->enable, cmd, args, "auth");
    return mes_watch_check_owner(cmd, MELLON);
}

const char *mes_beside_mellon_path(cmd_parms *cmd, void *location, const char *args)
{
    note(&get_mellon(cmd, location)->path, cmd, args, NULL);
    return mes_watch_check_owner(cmd, MELLON);
}

/* ---- rules ----------------------------------------------------------------------------------------------------- */

/* The module whose file holds this address; NULL where nobody can say. */
static const char *find_module(const void *address)
{
    const module *known;
    Dl_info theirs, its;

    if (!dladdr(address, &theirs)) {
        return NULL;
    }
    for (known = ap_top_module; known; known = known->next) {
        if (dladdr(known, &its) && its.dli_fbase == theirs.dli_fbase) {
            return known->name;
        }
    }
    return NULL;
}

static const char *find_judge(const char *rule)
{
    const char *name = find_module(ap_lookup_provider(AUTHZ_PROVIDER_GROUP, rule, AUTHZ_PROVIDER_VERSION));

    return name ? name : "another module";
}

static es_rv_t check_rules(const ap_directive_t **at, const mes_location_t *section, const mes_server_t *conf,
                           es_why_t *why)
{
    const mes_value_t *compat = &conf->beside[MES_SHIB_VALID_USER];

    if (section->claim_at && !section->is_other && !mes_authz_is_ours("claim")) {
        *at = section->claim_at;
        return es_fail(why, ES_CONFIG_PROVIDER, "Require claim of this section would be judged by %.100s",
                       find_judge("claim"));
    }
    if (section->ours_at && section->user_at && !compat->number && strcmp(find_judge("valid-user"), SHIB) == 0) {
        *at = section->user_at;
        return es_fail(why, ES_CONFIG_SHIBBOLETH, "Require %.100s of this section would be judged by %s",
                       section->user_at->args, SHIB);
    }
    return ES_OK;
}

/* ---- who comes first ------------------------------------------------------------------------------------------- */

static int is_location(const ap_directive_t *directive)
{
    return directive->parent && strcasecmp(directive->parent->directive, "<Location") == 0;
}

/* Does <Location> `outer` hold in the place of `inner`? */
static int surrounds(const mes_location_t *outer, const mes_location_t *inner)
{
    const apr_size_t len = outer->path ? strlen(outer->path) : 0;

    return len > 0 && inner->path && is_location(outer->mellon->enable.at) && is_location(inner->ours_at) &&
           strncmp(outer->path, inner->path, len) == 0 &&
           (outer->path[len - 1] == '/' || inner->path[len] == '/' || inner->path[len] == '\0');
}

/* What MellonEnable says in the end: the section's own word, else that of the last <Location> around it (httpd merges them
 * in the order in which they stand). Of more than that nobody can be sure before there are requests. */
static const mes_value_t *find_mellon(const mes_location_t *section, const mes_server_t *conf)
{
    const mes_value_t *found = NULL;
    int i;

    if (section->mellon && section->mellon->enable.at) {
        return &section->mellon->enable;
    }
    for (i = 0; i < conf->sections->nelts; i++) {
        const mes_location_t *outer = APR_ARRAY_IDX(conf->sections, i, mes_location_t *);

        if (outer->mellon && outer->mellon->enable.at && surrounds(outer, section)) {
            found = &outer->mellon->enable;
        }
    }
    return found;
}

es_rv_t mes_beside_check_section(const ap_directive_t **at, const mes_location_t *section, const mes_server_t *conf,
                                 es_why_t *why)
{
    const mes_value_t *mellon = section->ours_at ? find_mellon(section, conf) : NULL;

    if (mellon && mellon->number) {
        *at = section->ours_at;
        return es_fail(why, ES_CONFIG_MELLON, "MellonEnable auth of line %d holds in this section too",
                       mellon->at->line_num);
    }
    return check_rules(at, section, conf, why);
}

/* ---- addresses ------------------------------------------------------------------------------------------------- */

static es_rv_t check_path(const mes_site_t *site, const char *path, const char *owner, es_why_t *why)
{
    return mes_endpoint_find(site, path)
               ? es_fail(why, ES_CONFIG_CLASH, "%.500s is an address of %s, and one of this module's", path, owner)
               : ES_OK;
}

/* mod_auth_mellon takes the longer names of its own below the path, with or without a slash behind it. */
static es_rv_t check_mellon(const mes_site_t *site, const char *path, es_why_t *why, apr_pool_t *pool)
{
    static const char *const names[] = { "postResponse", "artifactResponse", "paosResponse", "auth",       "metadata",
                                         "login",        "logoutRequest",    "logout",       "invalidate", "repost",
                                         "probeDisco" };
    const char *slash = *path && path[strlen(path) - 1] == '/' ? "" : "/";
    es_rv_t rv = ES_OK;
    apr_size_t i;

    for (i = 0; rv == ES_OK && i < sizeof names / sizeof *names; i++) {
        rv = check_path(site, apr_pstrcat(pool, path, slash, names[i], NULL), MELLON, why);
    }
    return rv;
}

static es_rv_t check_mellons(const ap_directive_t **at, const mes_site_t *site, const apr_array_header_t *sections,
                             es_why_t *why, apr_pool_t *pool)
{
    es_rv_t rv = ES_OK;
    int i;

    for (i = 0; rv == ES_OK && i < sections->nelts; i++) {
        const mes_mellon_t *mellon = APR_ARRAY_IDX(sections, i, mes_location_t *)->mellon;

        if (mellon && mellon->path.at) {
            *at = mellon->path.at;
            rv = check_mellon(site, mellon->path.text, why, pool);
        }
    }
    return rv;
}

/* An address or the path of one; mod_auth_openidc looks at the path only. */
static es_rv_t check_openidc(const ap_directive_t **at, const mes_site_t *site, const mes_value_t *redirect,
                             es_why_t *why, apr_pool_t *pool)
{
    es_why_t ignored = ES_WHY_INIT; /* speaks of return addresses; what is no address its owner refuses */
    es_url_t url;

    if (!redirect->at || es_url_read(&url, redirect->text, 4096, &ignored, pool) != ES_OK) {
        return ES_OK;
    }
    *at = redirect->at;
    return check_path(site, url.path, OPENIDC, why);
}

es_rv_t mes_beside_check_endpoints(const ap_directive_t **at, const mes_server_t *conf, const mes_server_t *around,
                                   es_why_t *why, apr_pool_t *pool)
{
    const mes_site_t *site = conf->slot ? es_slot_look(conf->slot) : NULL;
    es_rv_t rv;

    if (!site) {
        return ES_OK;
    }
    rv = check_openidc(at, site, &conf->beside[MES_OIDC_REDIRECT], why, pool);
    if (rv == ES_OK) {
        rv = check_mellons(at, site, conf->sections, why, pool);
    }
    return rv == ES_OK && around != conf ? check_mellons(at, site, around->sections, why, pool) : rv;
}
