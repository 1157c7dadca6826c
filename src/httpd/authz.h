/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Require lines of ours: compiled with the configuration, judged against the session of a request, and explained when
 * all of them together deny.
 */
#ifndef MES_AUTHZ_H
#define MES_AUTHZ_H

#include "httpd/mes.h"

#include "policy/rule.h"

#include <mod_auth.h>

/* What a line that is met does in the end: mod_authz_core turns it round behind `not` and in <RequireNone>. */
typedef enum { MES_GRANTS, MES_DENIES, MES_ANYTHING } mes_effect_t;

/* What the providers differ in. */
typedef struct {
    /* ES_OK: the line is met. Called for every request of a section, so it allocates nothing. */
    es_rv_t (*judge)(const mes_rule_t *line, const request_rec *r, const es_session_t *session, const mes_site_t *site);
    /* Why, without values of claims. */
    const char *(*explain)(const mes_rule_t *line, const request_rec *r, const es_session_t *session,
                           const mes_site_t *site);
    /* The values, for whoever debugs; "" where there are none. NULL: the explanation says all. */
    const char *(*values)(const mes_rule_t *line, const es_session_t *session, apr_pool_t *pool);
    int is_of_time; /* met after a sign-in, and some time later no more */
} mes_provider_t;

struct mes_rule_t {
    const mes_provider_t *provider;
    const char *text; /* as written */
    mes_effect_t effect;
    es_rule_t *rule;         /* of Require claim */
    apr_interval_time_t age; /* of Require entra-authn-age */
    unsigned claim;          /* of Require entra-mfa: its number */
};

/* The line that is being read, for the provider to complete. */
mes_rule_t *mes_authz_line(const mes_provider_t *provider, const cmd_parms *cmd, const char *name, const char *args);
/* What httpd asks any of our providers. */
authz_status mes_authz_check(request_rec *r, const char *args, const void *parsed);

/* authz_assurance.c */
extern const authz_provider mes_assurance_mfa, mes_assurance_age;

#endif
