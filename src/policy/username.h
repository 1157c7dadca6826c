/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From the claim that names the user to REMOTE_USER: regular expressions, the domain taken off, small letters; in this
 * order, each where it is configured. The outcome is who the user is to the application, so that two users must not
 * become one by accident: an expression must match the whole value, a value that none matches is refused, and so is a
 * name that is empty in the end.
 */
#ifndef ES_USERNAME_H
#define ES_USERNAME_H

#include "base/es.h"

typedef struct {
    const char *const *matches; /* EntraSAMLRemoteUserMatch: regex, replacement, regex, …; NULL: none */
    int n_matches;              /* pairs */
    const char *const *domains; /* EntraSAMLRemoteUserStripDomain: Off, On, or domains; NULL-terminated; NULL: Off */
    int is_lower;               /* EntraSAMLRemoteUserLowerCase */
    int has_tenants;            /* users of several tenants sign in */
} es_username_conf_t;

typedef struct es_username_t es_username_t;

/* ES_CONFIG_REMOTE_USER: a regex that does not compile; a replacement that is empty, names a group the regex has not, or
 * holds a control character; something that is no domain, or On or Off beside domains; On where users of several
 * tenants sign in. *username = NULL where nothing is to be done. */
es_rv_t es_username_make(const es_username_t **username, const es_username_conf_t *conf, es_why_t *why,
                         apr_pool_t *pool);

/* May users of different domains get one name? Then the administrator is told. */
int es_username_joins_domains(const es_username_t *username);

/* ES_REMOTE_USER_UNFIT: no regex matches the value, or matching took too many steps; nothing but white space is left. The
 * value has no control character. `username` NULL: the name is the value. */
es_rv_t es_username_apply(const char **user, const es_username_t *username, const char *value, es_why_t *why,
                          apr_pool_t *pool);

#endif
