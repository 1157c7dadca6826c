/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The judgement: pure comparisons of an assertion with what we expect, one named refusal each (SAML profiles 4.1.4.3).
 * Where an assertion has several bearer confirmations every one of them must stand every check, so that no two of them
 * can share the work.
 */
#ifndef ES_CHECK_H
#define ES_CHECK_H

#include "base/es.h"
#include "saml/assertion.h"
#include "saml/response.h"

typedef struct {
    const char *issuer;     /* of the tenant */
    const char *entity_id;  /* ours: the audience; where it is no URI also as spn:<entity id> */
    const char *reply_url;  /* ours: destination and recipient, compared octet by octet */
    const char *request_id; /* the sealed request's ID; NULL while it is not known yet */
    apr_time_t started;     /* when that request was made; 0 while it is not known yet */
    apr_interval_time_t skew;
    const char *const *audiences; /* accepted like the entity ID; NULL-terminated, NULL: none */
} es_expected_t;

/* How long after its issue a message may arrive, skew aside: as long as a sign-in may be pending (session/pending.h).
 */
#define ES_CHECK_LIFETIME apr_time_from_sec(3600)

/* Who sent it, to whom, for whom: everything that does not depend on the clock or on the browser. In order:
 * ES_RESPONSE_ISSUER, ES_ASSERTION_ISSUER, ES_DESTINATION, ES_CONDITIONS_MISSING, ES_CONDITIONS_UNKNOWN,
 * ES_AUDIENCE_MISSING, ES_AUDIENCE, ES_CONFIRMATION_MISSING, ES_RECIPIENT, ES_AUTHN_MISSING. An absent Destination or
 * response Issuer is accepted; a present one must be right. */
es_rv_t es_check_parties(const es_response_t *response, const es_assertion_t *assertion, const es_expected_t *expected,
                         es_why_t *why);

/* Which request it answers: ES_UNSOLICITED when it answers none, ES_IN_RESPONSE_TO when another; Response and
 * SubjectConfirmationData must both name it (the response's may be absent when the response is unsigned). While
 * expected->request_id is NULL only that they name one and the same; the caller comes again when it is known. */
es_rv_t es_check_request(const es_response_t *response, const es_assertion_t *assertion, const es_expected_t *expected,
                         es_why_t *why);

/* Does it answer no request at all (SAML profiles 4.1.5)? InResponseTo is absent from the response and from every
 * confirmation; where one of them names a request it is no such message. */
int es_check_is_unsolicited(const es_response_t *response, const es_assertion_t *assertion);

/* When: ES_ISSUE_INSTANT, ES_CONDITIONS_EARLY, ES_CONDITIONS_LATE, ES_CONFIRMATION_EARLY, ES_CONFIRMATION_LATE,
 * ES_AUTHN_ENDED. NotBefore and NotOnOrAfter of Conditions and NotOnOrAfter of the confirmation are all required.
 * Response and assertion must both have been issued within ES_CHECK_LIFETIME, and not before expected->started where
 * that is known; each within the skew. SessionNotOnOrAfter gets no skew: a session is over when it is over.
 * Sentences hold both clocks and the difference. *not_after = the time from which on this assertion would be refused,
 * in whole seconds: how long its mark must live. */
es_rv_t es_check_times(apr_time_t *not_after, const es_response_t *response, const es_assertion_t *assertion,
                       const es_expected_t *expected, apr_time_t now, es_why_t *why);

/* When the user signed in at Entra: ES_AUTHN_FUTURE when AuthnInstant lies in the future by more than the skew. With
 * `is_fresh` (the request had ForceAuthn) ES_AUTHN_STALE when it lies before expected->started by more than that: Entra
 * has not asked again. Otherwise it may be weeks old. */
es_rv_t es_check_authn(const es_assertion_t *assertion, const es_expected_t *expected, int is_fresh, apr_time_t now,
                       es_why_t *why);

#endif
