/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a signed-in user gets whom the rules deny: 403 with a page, and in the log each rule of ours that was against
 * him. Where EntraSAMLStepUp says so, first and once the way to another sign-in.
 */
#include "httpd/authz.h"

#include "flow/stepup.h"

#include <apr_strings.h>

static int n_noted(const mes_request_t *request)
{
    return request->n_failed < MES_FAILED_MAX ? request->n_failed : MES_FAILED_MAX;
}

/* The rules that were against him, and what each has found. */
static const char *explain(const request_rec *r, const mes_request_t *request, const mes_site_t *site)
{
    const char *text = "";
    int i;

    for (i = 0; i < n_noted(request); i++) {
        const mes_rule_t *line = request->failed[i];

        text = apr_psprintf(r->pool, "%s; %.200s: %s", text, line->text,
                            line->provider->explain(line, r, &request->session, site));
    }
    if (request->n_failed > MES_FAILED_MAX) {
        text = apr_psprintf(r->pool, "%s; and %d more", text, request->n_failed - MES_FAILED_MAX);
    }
    return *text ? text : "; none of ours was against it: those of other modules are logged by authz_core at debug";
}

/* What the claims hold that those rules ask about: personal data, so at trace level and nowhere else. */
static void trace_values(request_rec *r, const mes_request_t *request)
{
    int i;

    for (i = 0; i < n_noted(request) && mes_io_is_tracing(r); i++) {
        const mes_rule_t *line = request->failed[i];

        if (line->provider->values) {
            mes_io_trace(r, line->text, line->provider->values(line, &request->session, r->pool));
        }
    }
}

/* Is one of them met after a sign-in, and some time later no more? */
static int is_aged(const mes_request_t *request)
{
    int i;

    for (i = 0; i < n_noted(request); i++) {
        if (request->failed[i]->provider->is_of_time && request->failed[i]->effect != MES_DENIES) {
            return 1;
        }
    }
    return 0;
}

/* Would a stranger be denied just the same, by his address for example? Then who the user is does not matter, and
 * another sign-in would change nothing. A rule of ours that failed has answered that, and so has an expression that asked
 * for a claim: see mes_gate_judge. */
static int is_about_the_user(request_rec *r, mes_request_t *request)
{
    const es_rv_t resumed = request->resumed;
    char *user = r->user, *type = r->ap_auth_type;
    int verdict;

    if (request->n_failed > 0) {
        return 1;
    }
    request->resumed = ES_SESSION_NONE;
    request->is_claim_asked = 0;
    request->is_judging = 1;
    r->user = r->ap_auth_type = NULL;
    verdict = ap_run_access_checker_ex(r);
    request->resumed = resumed;
    request->is_judging = 0;
    r->user = user;
    r->ap_auth_type = type;
    return verdict != HTTP_FORBIDDEN || request->is_claim_asked;
}

/* The sign-in that the section offers, ES_REQUEST_PLAIN for none. */
static es_request_kind_t offered(const request_rec *r)
{
    switch (mes_request_location(r)->value[MES_STEP_UP].number) {
    case MES_STEP_UP_FRESH:
        return ES_REQUEST_FRESH;
    case MES_STEP_UP_MFA:
        return ES_REQUEST_MFA;
    default:
        return ES_REQUEST_PLAIN;
    }
}

/* Whoever is in too many groups will be so after another sign-in. */
static int is_due(request_rec *r, mes_request_t *request, const es_flow_t *flow, es_request_kind_t kind)
{
    return kind != ES_REQUEST_PLAIN && !request->is_groups_unknown &&
           es_stepup_is_due(flow, &request->session, kind, is_aged(request)) && is_about_the_user(r, request);
}

/* Goes to Entra; 0 where that does not work, or another request of the session was faster. */
static int go(request_rec *r, const mes_request_t *request, const es_flow_t *flow, es_request_kind_t kind,
              const char *because)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    if (es_stepup_start(&answer, flow, &request->session, kind, mes_request_landing(r), &why) != ES_OK) {
        mes_io_trace(r, "no other sign-in", why.text);
        return 0;
    }
    mes_io_log(r, ES_STEP_UP_NEEDED, because);
    return mes_io_redirect(r, &answer);
}

int mes_denial_answer(request_rec *r, mes_request_t *request)
{
    const mes_site_t *site = mes_request_site(r);
    const es_request_kind_t kind = offered(r);
    es_why_t why = ES_WHY_INIT, needed = ES_WHY_INIT;
    es_flow_t flow;
    int status;

    es_fail(&why, request->is_groups_unknown ? ES_GROUPS_UNKNOWN : ES_ACCESS_DENIED,
            "no rule of this section lets the user see %.300s%.600s", r->uri, explain(r, request, site));
    trace_values(r, request);
    mes_request_flow(&flow, r, site);
    flow.is_known = 1;
    if (is_due(r, request, &flow, kind)) {
        request->step_up = kind;
        if (r->header_only || !mes_gate_redirects(r, mes_request_visitor(r))) {
            es_fail(&needed, ES_STEP_UP_NEEDED, "%s", why.text);
            return mes_io_refuse(r, site, &needed,
                                 kind == ES_REQUEST_MFA ? MES_OFFER_SIGN_IN_MFA : MES_OFFER_SIGN_IN_ANEW);
        }
        if ((status = go(r, request, &flow, kind, why.text)) != 0) {
            return status;
        }
    }
    return mes_io_refuse(r, site, &why,
                         kind == ES_REQUEST_MFA     ? MES_OFFER_MFA_OR_OUT
                         : kind == ES_REQUEST_FRESH ? MES_OFFER_ANEW_OR_OUT
                                                    : MES_OFFER_SIGN_OUT);
}
