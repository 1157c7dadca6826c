/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The assertion as a plain struct, read from verified octets and from nothing else.
 */
#ifndef ES_ASSERTION_H
#define ES_ASSERTION_H

#include "base/es.h"
#include "xml/dsig.h"

typedef struct {
    const char *name; /* full name as sent */
    int count;        /* 0 possible: an attribute without values */
    const char *const *values;
} es_attribute_t;

/* One bearer SubjectConfirmation (SAML profiles 4.1.4.2). Absent texts are NULL, absent times 0. */
typedef struct {
    int has_data;
    const char *in_response_to;
    const char *recipient;
    apr_time_t not_before;
    apr_time_t not_on_or_after;
} es_confirmation_t;

typedef struct {
    const char *id;
    const char *issuer; /* exactly as written; NULL where absent */
    apr_time_t issue_instant;

    const char *name_id;        /* NULL where absent */
    const char *name_id_format; /* NULL where absent */
    int n_confirmations;        /* bearer ones only */
    const es_confirmation_t *confirmations;

    int has_conditions;
    const char *unknown_condition; /* local name of the first condition we do not know, else NULL */
    apr_time_t not_before, not_on_or_after;
    int n_restrictions; /* AudienceRestriction elements: each must hold one of our names (SAML core 2.5.1.4) */
    const struct es_audiences_t {
        int count;
        const char *const *names;
    } * restrictions;

    int has_authn_statement;
    apr_time_t authn_instant;
    apr_time_t session_not_on_or_after; /* 0 where absent */
    const char *session_index;          /* NULL where absent */
    const char *authn_context;          /* AuthnContextClassRef, NULL where absent */

    int n_attributes;
    const es_attribute_t *attributes;
} es_assertion_t;

/* Parses the proven octets again (document B) and reads the assertion: the root itself or, where the response was
 * signed, its one Assertion child. Everything is copied into the pool; absent lists are empty. ES_ASSERTION_SHAPE,
 * ES_ASSERTION_VERSION, ES_ID_MISSING, ES_TIME_MALFORMED. Whether the content is acceptable is check's business. */
es_rv_t es_assertion_read(es_assertion_t **assertion, const es_signed_t *proof, es_why_t *why, apr_pool_t *pool);

#endif
