/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sections' gate: who is it (resume), does httpd's authorization let him in (judge), and when that needs a user and
 * there is none, the way to Entra (signon). Whom httpd lets past without asking is asked for (pass). Nothing here ever
 * grants access: resume only names the user, judge and pass go by what httpd's own providers say, signon never returns OK.
 */
#include "httpd/mes.h"

#include "flow/account.h"

#include <apr_strings.h>

/* A session younger than this was made for the very request that comes now. */
#define JUST_MADE apr_time_from_sec(60)

/* Is there somebody to show a page to, and a cookie jar to set a cookie in? */
static int can_answer(const request_rec *r)
{
    return !r->main && !mes_request_is_error_document(r);
}

/* A look at the limits of a section (tell.c): nobody uses the session there. */
static int is_look(const request_rec *r)
{
    const mes_request_t *outer = r->main ? mes_request_find(r->main) : NULL;

    return outer && outer->endpoint;
}

static es_rv_t check_fresh(const es_session_t *session, const request_rec *r, es_why_t *why)
{
    const apr_interval_time_t fresh = mes_request_location(r)->value[MES_FRESH_SIGN_IN].number;

    return fresh ? es_session_check_fresh(session, r->request_time, fresh, why) : ES_OK;
}

/* The session of the request, by the limits of its section. */
static es_rv_t find(es_session_t *session, request_rec *r, const mes_site_t *site, es_why_t *why)
{
    es_flow_t flow;
    es_rv_t rv;

    mes_request_flow(&flow, r, site);
    rv = mes_request_resume(session, r, &flow, why);
    return rv == ES_OK ? check_fresh(session, r, why) : rv;
}

es_rv_t mes_gate_look(es_session_t *session, request_rec *r, const mes_site_t *site, es_why_t *why)
{
    const mes_value_t *value = mes_request_location(r)->value;
    es_place_t place;
    es_flow_t flow;
    es_rv_t rv;

    mes_request_flow(&flow, r, site);
    rv = es_resume_look(session, &place, &flow, value[MES_LIFETIME].number, value[MES_IDLE].number, why);
    return rv == ES_OK ? check_fresh(session, r, why) : rv;
}

/* In our sections it is our session's user or nobody, whoever else may have set it. */
static void name_user(request_rec *r, const mes_request_t *request)
{
    r->user = NULL;
    if (request->resumed == ES_OK) {
        /* httpd wants its own: it never writes them */
        r->user = (char *)(apr_uintptr_t)request->session.user;
        r->ap_auth_type = (char *)(apr_uintptr_t)MES_AUTH_TYPE;
    }
}

int mes_gate_resume(request_rec *r)
{
    const mes_site_t *site = mes_request_site(r);
    mes_request_t *request = mes_request_find(r);
    const mes_location_t *location = mes_request_location(r);
    es_why_t why = ES_WHY_INIT;

    if ((request && request->endpoint) || is_look(r) || !mes_request_is_ours(r)) {
        return DECLINED;
    }
    r->user = NULL;
    request = mes_request_get(r);
    request->is_resumed = 1;
    request->ours_in = r->per_dir_config;
    if (!site || location->is_bare) {
        request->resumed = ES_CONFIG_SECTION; /* judge says so: `Satisfy any` would go on from here */
        return DECLINED;
    }
    if (!site->is_ready) {
        request->resumed = ES_METADATA_PENDING;
        request->cause = "there is no metadata yet, so that nobody can sign in or be known";
        return DECLINED;
    }
    request->resumed = find(&request->session, r, site, &why);
    if (request->resumed != ES_OK) {
        request->cause = apr_pstrdup(r->pool, why.text);
        mes_io_trace(r, "no session", request->cause);
        return DECLINED;
    }
    name_user(r, request);
    mes_io_trace(r, "session of", r->user);
    return DECLINED;
}

/* What judge.c refuses, said where it does not look: in .htaccess files, or in sections of the main server that hold in
 * a virtual host without EntraSAMLMetadata. */
static int refuse_section(request_rec *r)
{
    const mes_site_t *site = mes_request_site(r);
    es_why_t why = ES_WHY_INIT;

    es_fail(&why, ES_CONFIG_SECTION, "the section of %.500s has AuthType " MES_AUTH_TYPE " but no %s", r->uri,
            site ? "Require line of its own" : "EntraSAMLMetadata");
    return can_answer(r) ? mes_io_refuse(r, site, &why, MES_OFFER_NONE) : HTTP_INTERNAL_SERVER_ERROR;
}

/* Signed in, but the account is pending, gone, disabled, or cannot be asked for: another sign-in would change nothing. */
static int refuse_account(request_rec *r, const mes_site_t *site, const mes_request_t *request)
{
    es_why_t why = ES_WHY_INIT;

    es_fail(&why, request->resumed, "user \"%.200s\": %s", request->session.user, request->cause);
    return mes_io_refuse(r, site, &why, request->resumed == ES_ACCOUNT_PENDING ? MES_OFFER_WAIT : MES_OFFER_SIGN_OUT);
}

/* A rule in an alias can only end the judging with an error when it does not know the groups: see authz.c. */
static int is_denial(int verdict, const mes_request_t *request)
{
    return verdict == HTTP_FORBIDDEN || (verdict == HTTP_INTERNAL_SERVER_ERROR && request->is_groups_unknown);
}

/* Calls the hook it stands in, to see what the others in it will say: for a signed-in user a denial becomes our page.
 * For anybody else it becomes the way to Entra where an expression asked for a claim: mod_authz_core takes one that is
 * false for a denial, and not for one that needs a user.
 *
 * The rules see our user or none: since resume other modules had their access checkers, where mod_auth_mellon names a
 * user of its own. */
int mes_gate_judge(request_rec *r)
{
    mes_request_t *request = mes_request_find(r);
    int verdict;

    if (!request || request->is_judging || !request->is_resumed) {
        return DECLINED;
    }
    if (request->resumed == ES_CONFIG_SECTION) {
        return refuse_section(r);
    }
    name_user(r, request);
    request->is_judging = 1;
    verdict = ap_run_access_checker_ex(r);
    request->is_judging = 0;
    if (request->resumed == ES_OK) {
        return is_denial(verdict, request) && can_answer(r) ? mes_denial_answer(r, request) : verdict;
    }
    if (request->is_waiting && verdict == HTTP_FORBIDDEN && can_answer(r)) {
        return refuse_account(r, mes_request_site(r), request);
    }
    return verdict == HTTP_FORBIDDEN && request->is_claim_asked ? mes_gate_signon(r) : verdict;
}

/* What httpd took over for this request: had it passed the rules? */
static int has_passed(const request_rec *r)
{
    const mes_request_t *judged = mes_request_judged(r);

    return judged && judged->is_passed;
}

/* httpd asks no rules where the request that led here has the same configuration, and takes no notice of what they said to
 * that one, or whether they were asked at all: the ErrorDocument of a 401, or of an address that was refused before it came
 * to rules, would be shown to anybody although it is protected. Then they are asked here. */
int mes_gate_pass(request_rec *r)
{
    mes_request_t *request = mes_request_find(r);
    int verdict;

    if (request && request->is_resumed) {
        request->is_passed = 1;
        return DECLINED;
    }
    if ((!r->prev && !r->main) || !mes_request_is_ours(r) || has_passed(r)) {
        return DECLINED;
    }
    verdict = ap_run_access_checker(r); /* resume is part of it */
    if (verdict == OK) {
        verdict = ap_run_access_checker_ex(r);
    }
    if (verdict != OK) {
        return verdict == DECLINED ? HTTP_UNAUTHORIZED : verdict;
    }
    mes_request_get(r)->is_passed = 1;
    return DECLINED;
}

/* mod_dir and mod_negotiation put what a subrequest found, and the rules let in, in the place of a request that may have
 * come to no rules of ours; whose session it was stays behind with the subrequest. */
void mes_gate_follow(request_rec *r)
{
    if (mes_request_site(r) && !mes_request_judged(r) && mes_request_is_ours(r)) {
        mes_gate_resume(r);
    }
}

/* Entra shows nothing in a frame: there a link leads out of it. */
static int is_framed(const request_rec *r, es_visitor_t visitor)
{
    return visitor == ES_VISITOR_NAVIGATION && mes_request_is_framed(r);
}

int mes_gate_redirects(request_rec *r, es_visitor_t visitor)
{
    if (is_framed(r, visitor)) {
        return 0;
    }
    switch (mes_condition_choose(&mes_request_location(r)->value[MES_UNAUTHENTICATED], r)) {
    case MES_UNAUTHENTICATED_REDIRECT:
        return r->method_number == M_GET;
    case MES_UNAUTHENTICATED_401:
        return 0;
    default:
        return visitor == ES_VISITOR_NAVIGATION;
    }
}

static int start_signon(request_rec *r, const mes_site_t *site, const mes_request_t *request)
{
    const int moved = mes_plain_move(r, site);
    const es_request_ask_t ask = { .kind = mes_request_kind(r) };
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_flow_t flow;

    if (moved != DECLINED) {
        return moved;
    }
    mes_request_flow(&flow, r, site);
    flow.is_known = mes_request_is_known(request);
    if (es_signon_start(&answer, &flow, &ask, mes_request_landing(r), &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_AGAIN);
    }
    if (request->resumed != ES_OK) {
        mes_io_log(r, request->resumed, request->cause);
    }
    return mes_io_redirect(r, &answer);
}

/* A rule can ask for a user although there is one: to have him sign in anew, as mod_authz_core's `Require expr` does
 * whenever an expression about REMOTE_USER is false. Who has just done so would be asked for ever; and where
 * EntraSAMLStepUp says what to do with whom the rules do not want, that is done. */
static int is_denied(const request_rec *r, const mes_request_t *request)
{
    return request->resumed == ES_OK && (r->request_time - request->session.created < JUST_MADE ||
                                         mes_request_location(r)->value[MES_STEP_UP].number != MES_STEP_UP_OFF);
}

int mes_gate_signon(request_rec *r)
{
    mes_request_t *request = mes_request_find(r);
    const mes_site_t *site = mes_request_site(r);
    es_why_t why = ES_WHY_INIT;
    es_visitor_t visitor;

    if (!mes_request_is_ours(r)) {
        return DECLINED;
    }
    if (!site || !request || !can_answer(r)) {
        return HTTP_UNAUTHORIZED;
    }
    if (!site->is_ready) {
        es_fail(&why, ES_METADATA_PENDING, "nobody can sign in for %.300s before there is metadata", r->uri);
        return mes_io_refuse(r, site, &why, MES_OFFER_NONE);
    }
    if (es_account_holds(request->resumed)) {
        return refuse_account(r, site, request);
    }
    if (is_denied(r, request)) {
        return mes_denial_answer(r, request);
    }
    visitor = mes_request_visitor(r);
    if (mes_preserve_applies(r, visitor)) {
        return mes_preserve_start(r, site, request);
    }
    if (mes_gate_redirects(r, visitor)) {
        return start_signon(r, site, request);
    }
    if (visitor == ES_VISITOR_FORM) {
        es_fail(&why, ES_FORM_WITHOUT_SESSION, "%s", request->cause ? request->cause : "the rules ask to sign in anew");
    } else if (is_framed(r, visitor)) {
        es_fail(&why, ES_FRAME_WITHOUT_SESSION, "%s",
                request->cause ? request->cause : "the rules ask to sign in anew");
    } else if (request->resumed != ES_OK) {
        es_fail(&why, request->resumed, "%s", request->cause);
    } else {
        es_fail(&why, ES_SESSION_NONE, "the rules ask to sign in anew");
    }
    return mes_io_refuse(r, site, &why, mes_request_wants_fresh(r) ? MES_OFFER_SIGN_IN_ANEW : MES_OFFER_SIGN_IN);
}
