/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * To be read as a list: each refusal has its name and the shape it refuses.
 */
#include "saml/check.h"

#include "xml/datetime.h"

#include <apr_strings.h>
#include <stdlib.h>

/* "NotOnOrAfter of Conditions is 2021-…Z, 181 seconds before this server's 2021-…Z; skew allowed 180" */
static es_rv_t fail_time(es_why_t *why, es_rv_t rv, const char *what, apr_time_t theirs, apr_time_t ours,
                         const char *our_name, apr_interval_time_t skew)
{
    const apr_int64_t apart = apr_time_sec(theirs) - apr_time_sec(ours);
    char their_text[ES_DATETIME_LEN], our_text[ES_DATETIME_LEN];

    return es_fail(why, rv, "%s is %s, %" APR_INT64_T_FMT " seconds %s %s %s; skew allowed %" APR_INT64_T_FMT, what,
                   es_datetime_write(their_text, theirs), apart < 0 ? -apart : apart, apart < 0 ? "before" : "after",
                   our_name, es_datetime_write(our_text, ours), apr_time_sec(skew));
}

/* A URI has a scheme and so a colon (RFC 3986 section 3). Entra writes an identifier that is none, such as a bare GUID,
 * as spn:<identifier> (Microsoft: "Single sign-on SAML protocol", Audience). */
static int is_audience(const char *name, const char *entity_id)
{
    if (strcmp(name, entity_id) == 0) {
        return 1;
    }
    return !strchr(entity_id, ':') && strncmp(name, "spn:", 4) == 0 && strcmp(name + 4, entity_id) == 0;
}

static int is_ours(const char *name, const es_expected_t *expected)
{
    const char *const *other = expected->audiences;

    for (; other && *other; other++) {
        if (is_audience(name, *other)) {
            return 1;
        }
    }
    return is_audience(name, expected->entity_id);
}

/* One of its names must be ours. */
static es_rv_t check_restriction(const struct es_audiences_t *restriction, const es_expected_t *expected, es_why_t *why)
{
    int i;

    for (i = 0; i < restriction->count; i++) {
        if (is_ours(restriction->names[i], expected)) {
            return ES_OK;
        }
    }
    return es_fail(why, ES_AUDIENCE, "the audience is %.300s%s, our entity ID is %.300s%s",
                   restriction->count ? restriction->names[0] : "empty", restriction->count > 1 ? " and others" : "",
                   expected->entity_id, expected->audiences ? ", or one of EntraSAMLAudience" : "");
}

static es_rv_t check_conditions(const es_assertion_t *assertion, const es_expected_t *expected, es_why_t *why)
{
    es_rv_t rv = ES_OK;
    int i;

    if (!assertion->has_conditions) {
        return es_fail(why, ES_CONDITIONS_MISSING, "the assertion has no Conditions");
    }
    if (assertion->unknown_condition) {
        return es_fail(why, ES_CONDITIONS_UNKNOWN, "the assertion states the condition %.100s",
                       assertion->unknown_condition);
    }
    if (assertion->n_restrictions == 0) {
        return es_fail(why, ES_AUDIENCE_MISSING, "the assertion has no AudienceRestriction");
    }
    for (i = 0; rv == ES_OK && i < assertion->n_restrictions; i++) {
        rv = check_restriction(&assertion->restrictions[i], expected, why);
    }
    return rv;
}

static es_rv_t check_confirmation(const es_confirmation_t *confirmation, const char *reply_url, es_why_t *why)
{
    if (!confirmation->has_data) {
        return es_fail(why, ES_CONFIRMATION_MISSING, "a bearer confirmation has no SubjectConfirmationData");
    }
    if (!confirmation->recipient || strcmp(confirmation->recipient, reply_url) != 0) {
        return es_fail(why, ES_RECIPIENT, "Recipient is %.300s, our reply URL is %.300s",
                       confirmation->recipient ? confirmation->recipient : "missing", reply_url);
    }
    return ES_OK;
}

es_rv_t es_check_parties(const es_response_t *response, const es_assertion_t *assertion, const es_expected_t *expected,
                         es_why_t *why)
{
    es_rv_t rv;
    int i;

    if (response->issuer && strcmp(response->issuer, expected->issuer) != 0) {
        return es_fail(why, ES_RESPONSE_ISSUER, "the response's issuer is %.300s, expected %.300s", response->issuer,
                       expected->issuer);
    }
    if (!assertion->issuer || strcmp(assertion->issuer, expected->issuer) != 0) {
        return es_fail(why, ES_ASSERTION_ISSUER, "the assertion's issuer is %.300s, expected %.300s",
                       assertion->issuer ? assertion->issuer : "missing", expected->issuer);
    }
    if (response->destination && strcmp(response->destination, expected->reply_url) != 0) {
        return es_fail(why, ES_DESTINATION, "Destination is %.300s, our reply URL is %.300s", response->destination,
                       expected->reply_url);
    }
    if ((rv = check_conditions(assertion, expected, why)) != ES_OK) {
        return rv;
    }
    if (assertion->n_confirmations == 0) {
        return es_fail(why, ES_CONFIRMATION_MISSING, "the subject has no bearer confirmation");
    }
    for (i = 0; i < assertion->n_confirmations; i++) {
        if ((rv = check_confirmation(&assertion->confirmations[i], expected->reply_url, why)) != ES_OK) {
            return rv;
        }
    }
    if (!assertion->has_authn_statement) {
        return es_fail(why, ES_AUTHN_MISSING, "the assertion has no AuthnStatement");
    }
    return ES_OK;
}

/* The request that the assertion names; NULL where it names none. */
static const char *asserted_request(const es_assertion_t *assertion)
{
    int i;

    for (i = 0; i < assertion->n_confirmations; i++) {
        if (assertion->confirmations[i].in_response_to) {
            return assertion->confirmations[i].in_response_to;
        }
    }
    return NULL;
}

static es_rv_t fail_request(es_why_t *why, const char *where, const char *named, const char *wanted)
{
    return es_fail(why, ES_IN_RESPONSE_TO, "InResponseTo of the %s is %.100s, the request is %.100s", where,
                   named ? named : "missing", wanted);
}

int es_check_is_unsolicited(const es_response_t *response, const es_assertion_t *assertion)
{
    return !response->in_response_to && !asserted_request(assertion);
}

es_rv_t es_check_request(const es_response_t *response, const es_assertion_t *assertion, const es_expected_t *expected,
                         es_why_t *why)
{
    const char *asserted = asserted_request(assertion), *wanted;
    int i;

    if (es_check_is_unsolicited(response, assertion)) {
        return es_fail(why, ES_UNSOLICITED, "neither response nor assertion has InResponseTo");
    }
    wanted = expected->request_id ? expected->request_id : asserted ? asserted : response->in_response_to;
    if (!asserted) {
        return fail_request(why, "subject confirmation", NULL, wanted);
    }
    for (i = 0; i < assertion->n_confirmations; i++) {
        const char *named = assertion->confirmations[i].in_response_to;

        if (!named || strcmp(named, wanted) != 0) {
            return fail_request(why, "subject confirmation", named, wanted);
        }
    }
    if (response->in_response_to ? strcmp(response->in_response_to, wanted) != 0 : response->is_signed) {
        return fail_request(why, "response", response->in_response_to, wanted);
    }
    return ES_OK;
}

/* The times below are refused from the first microsecond outside; *not_after follows from the same sums. */
static es_rv_t check_issued(const char *what, apr_time_t issued, const es_expected_t *expected, apr_time_t now,
                            es_why_t *why)
{
    if (issued > now + expected->skew || now >= issued + ES_CHECK_LIFETIME + expected->skew) {
        return fail_time(why, ES_ISSUE_INSTANT, what, issued, now, "this server's", expected->skew);
    }
    if (expected->started && issued < expected->started - expected->skew) {
        return fail_time(why, ES_ISSUE_INSTANT, what, issued, expected->started, "the request's", expected->skew);
    }
    return ES_OK;
}

/* SAML core 2.5.1.2; both ends are required, so that no message is good for ever. */
static es_rv_t check_window(const es_assertion_t *assertion, apr_time_t now, apr_interval_time_t skew, es_why_t *why)
{
    if (!assertion->not_before) {
        return es_fail(why, ES_CONDITIONS_EARLY, "Conditions have no NotBefore");
    }
    if (now < assertion->not_before - skew) {
        return fail_time(why, ES_CONDITIONS_EARLY, "NotBefore of Conditions", assertion->not_before, now,
                         "this server's", skew);
    }
    if (!assertion->not_on_or_after) {
        return es_fail(why, ES_CONDITIONS_LATE, "Conditions have no NotOnOrAfter");
    }
    if (now >= assertion->not_on_or_after + skew) {
        return fail_time(why, ES_CONDITIONS_LATE, "NotOnOrAfter of Conditions", assertion->not_on_or_after, now,
                         "this server's", skew);
    }
    return ES_OK;
}

static es_rv_t check_confirmation_times(const es_confirmation_t *confirmation, apr_time_t now, apr_interval_time_t skew,
                                        es_why_t *why)
{
    char text[ES_DATETIME_LEN];

    if (confirmation->not_before) {
        return es_fail(why, ES_CONFIRMATION_EARLY, "a bearer confirmation has NotBefore %s",
                       es_datetime_write(text, confirmation->not_before));
    }
    if (!confirmation->not_on_or_after) {
        return es_fail(why, ES_CONFIRMATION_LATE, "a bearer confirmation has no NotOnOrAfter");
    }
    if (now >= confirmation->not_on_or_after + skew) {
        return fail_time(why, ES_CONFIRMATION_LATE, "NotOnOrAfter of the subject confirmation",
                         confirmation->not_on_or_after, now, "this server's", skew);
    }
    return ES_OK;
}

/* The first end of those that are signed; the response's own IssueInstant may not be. */
static apr_time_t first_end(const es_assertion_t *assertion, apr_interval_time_t skew)
{
    apr_time_t end = assertion->issue_instant + ES_CHECK_LIFETIME;
    int i;

    end = assertion->not_on_or_after < end ? assertion->not_on_or_after : end;
    for (i = 0; i < assertion->n_confirmations; i++) {
        const apr_time_t other = assertion->confirmations[i].not_on_or_after;

        end = other < end ? other : end;
    }
    return apr_time_from_sec(apr_time_sec(end + skew + APR_USEC_PER_SEC - 1));
}

es_rv_t es_check_times(apr_time_t *not_after, const es_response_t *response, const es_assertion_t *assertion,
                       const es_expected_t *expected, apr_time_t now, es_why_t *why)
{
    es_rv_t rv;
    int i;

    if ((rv = check_issued("IssueInstant of the response", response->issue_instant, expected, now, why)) != ES_OK ||
        (rv = check_issued("IssueInstant of the assertion", assertion->issue_instant, expected, now, why)) != ES_OK ||
        (rv = check_window(assertion, now, expected->skew, why)) != ES_OK) {
        return rv;
    }
    if (assertion->n_confirmations == 0) {
        return es_fail(why, ES_CONFIRMATION_LATE, "no bearer confirmation says until when");
    }
    for (i = 0; i < assertion->n_confirmations; i++) {
        rv = check_confirmation_times(&assertion->confirmations[i], now, expected->skew, why);
        if (rv != ES_OK) {
            return rv;
        }
    }
    if (assertion->session_not_on_or_after && now >= assertion->session_not_on_or_after) {
        return fail_time(why, ES_AUTHN_ENDED, "SessionNotOnOrAfter", assertion->session_not_on_or_after, now,
                         "this server's", 0);
    }
    *not_after = first_end(assertion, expected->skew);
    return ES_OK;
}

es_rv_t es_check_authn(const es_assertion_t *assertion, const es_expected_t *expected, int is_fresh, apr_time_t now,
                       es_why_t *why)
{
    if (assertion->authn_instant > now + expected->skew) {
        return fail_time(why, ES_AUTHN_FUTURE, "AuthnInstant", assertion->authn_instant, now, "this server's",
                         expected->skew);
    }
    if (is_fresh && assertion->authn_instant < expected->started - expected->skew) {
        return fail_time(why, ES_AUTHN_STALE, "AuthnInstant", assertion->authn_instant, expected->started,
                         "the request's", expected->skew);
    }
    return ES_OK;
}
