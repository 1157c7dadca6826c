/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The messages of single logout that come in: a LogoutRequest of Entra's, or its LogoutResponse to ours (SAML core 3.7).
 * What goes out is signoff's business.
 */
#ifndef ES_LOGOUT_H
#define ES_LOGOUT_H

#include "base/es.h"

/* How long after its issue a message is taken, skew aside: it comes with the redirect that carries it. */
#define ES_LOGOUT_LIFETIME apr_time_from_sec(300)
/* More sessions a request does not name. */
#define ES_LOGOUT_INDEXES 32

/* Absent texts are NULL, absent times 0. */
typedef struct {
    int is_response;
    const char *id;
    const char *issuer, *destination;
    apr_time_t issue_instant;
    /* A request's */
    apr_time_t not_on_or_after;
    const char *name_id; /* never NULL, never "" */
    int n_indexes;
    const char *indexes[ES_LOGOUT_INDEXES]; /* SessionIndex elements */
    /* A response's */
    const char *in_response_to;
    const char *failure; /* codes and message of a status that is not Success */
} es_logout_t;

/* Reads a document that es_query_open gave: a LogoutRequest, or for `is_response` a LogoutResponse, and nothing else.
 * ES_LOGOUT_MALFORMED: no XML that the parser takes. ES_LOGOUT_SHAPE: another document element, Version not 2.0, no ID,
 * no IssueInstant, a time that is none, a request without NameID (an encrypted one cannot be read), too many
 * SessionIndex, elements that do not belong there; a ds:Signature is one (SAML bindings 3.4.4.1). */
es_rv_t es_logout_read(es_logout_t **logout, es_bytes_t message, int is_response, es_why_t *why, apr_pool_t *pool);

typedef struct {
    const char *issuer;     /* of the tenant */
    const char *tenant;     /* its GUID; NULL: the one that the issuer ends with, where it does */
    const char *sso_url;    /* of the metadata: on the host that may stand in the issuer's other form */
    const char *logout_url; /* ours */
    apr_interval_time_t skew;
} es_logout_expected_t;

/* Is it the tenant's? Its issuer is the expected one, or https://HOST/TENANT/ of the same tenant, as Microsoft documents it
 * ("Single sign-out SAML protocol"), HOST being login.microsoftonline.com or that of the sign-on address. */
int es_logout_is_from(const es_logout_t *logout, const es_logout_expected_t *expected, apr_pool_t *pool);

/* From whom, to whom, when. In order:
 *   ES_LOGOUT_ISSUER       it is not es_logout_is_from
 *   ES_LOGOUT_DESTINATION  absent (SAML bindings 3.4.5.2), or not our logout URL
 *   ES_LOGOUT_STALE        issued more than ES_LOGOUT_LIFETIME ago or in the future, or NotOnOrAfter has come; each within
 *                          the skew
 * *not_after = the time from which on it would be refused, in whole seconds: how long its mark must live. */
es_rv_t es_logout_check(apr_time_t *not_after, const es_logout_t *logout, const es_logout_expected_t *expected,
                        apr_time_t now, es_why_t *why, apr_pool_t *pool);

#endif
