/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The judgement: pure comparisons of an assertion with what we expect, one named refusal each (SAML profiles 4.1.4.3).
 */
#ifndef ES_CHECK_H
#define ES_CHECK_H

#include "base/es.h"
#include "saml/assertion.h"
#include "saml/response.h"

typedef struct {
    const char *issuer;     /* of the metadata */
    const char *entity_id;  /* ours: the audience, also as spn:<entity id> */
    const char *reply_url;  /* ours: destination and recipient, compared octet by octet */
    const char *request_id; /* the sealed request's ID; NULL while it is not known yet */
    apr_time_t started;     /* when that request was made */
    apr_interval_time_t skew;
} es_expected_t;

/* Who sent it, to whom, for whom: everything that does not depend on the clock or on the browser. In order:
 * ES_RESPONSE_ISSUER, ES_ASSERTION_ISSUER, ES_DESTINATION, ES_CONDITIONS_MISSING, ES_CONDITIONS_UNKNOWN,
 * ES_AUDIENCE_MISSING, ES_AUDIENCE, ES_CONFIRMATION_MISSING, ES_RECIPIENT, ES_AUTHN_MISSING. An absent Destination or
 * response Issuer is accepted; a present one must be right. */
es_rv_t es_check_parties(const es_response_t *response, const es_assertion_t *assertion, const es_expected_t *expected,
                         es_why_t *why);

/* Which request it answers: ES_UNSOLICITED when it answers none, ES_IN_RESPONSE_TO when another; Response and
 * SubjectConfirmationData must both name it (the response's may be absent when the response is unsigned). */
es_rv_t es_check_request(const es_response_t *response, const es_assertion_t *assertion, const es_expected_t *expected,
                         es_why_t *why);

/* When: ES_ISSUE_INSTANT, ES_CONDITIONS_EARLY, ES_CONDITIONS_LATE, ES_CONFIRMATION_EARLY, ES_CONFIRMATION_LATE,
 * ES_AUTHN_ENDED. NotBefore and NotOnOrAfter of Conditions and NotOnOrAfter of the confirmation are all required.
 * Sentences hold both clocks and the difference. *not_after = the latest time at which this assertion could be
 * accepted, skew included: how long its mark must live. */
es_rv_t es_check_times(apr_time_t *not_after, const es_response_t *response, const es_assertion_t *assertion,
                       const es_expected_t *expected, apr_time_t now, es_why_t *why);

#endif
