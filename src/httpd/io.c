/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The only file that logs or answers. Cookies, assertions and RelayState never come here but to be sent. httpd escapes
 * control characters and what is not ASCII in every line it logs.
 *
 * Each line starts with our name, although httpd prints the module's: at start-up it does not, and an ErrorLogFormat
 * may leave it out.
 */
#include "httpd/mes.h"

#include "base/codec.h"
#include "base/crypto.h"

#include <apr_strings.h>
#include <http_log.h>
#include <http_main.h>
#include <http_protocol.h>
#include <mod_core.h>

APLOG_USE_MODULE(entra_saml);

#define TAG "[entra_saml] "
#define REFERENCE_LEN 8

/* ---- log ----------------------------------------------------------------------------------------------------- */

static int level_of(es_rv_t rv)
{
    static const int levels[] = { [ES_LEVEL_ERROR] = APLOG_ERR,
                                  [ES_LEVEL_WARN] = APLOG_WARNING,
                                  [ES_LEVEL_INFO] = APLOG_INFO,
                                  [ES_LEVEL_DEBUG] = APLOG_DEBUG };

    return levels[es_reason(rv)->level];
}

void mes_io_config_error(const es_why_t *why, const ap_directive_t *at)
{
    const es_reason_t *reason = es_reason(why->rv);

    if (at) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, TAG "reason=%s: %s on line %d of %s: %s. %s",
                     reason->code, at->directive, at->line_num, at->filename, why->text, reason->remedy);
    } else {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, TAG "reason=%s: %s. %s", reason->code, why->text,
                     reason->remedy);
    }
}

void mes_io_config_warning(const es_why_t *why, const ap_directive_t *at)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, NULL, TAG "warning=%s: %s on line %d of %s: %s. %s",
                     es_reason(why->rv)->code, at->directive, at->line_num, at->filename, why->text,
                     es_reason(why->rv)->remedy);
    }
}

void mes_io_config_note(const server_rec *server, const char *note)
{
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server, TAG "reason=%s: %s", es_reason(ES_CONFIG_STATE)->code, note);
}

/* Counts what is logged, for the status section. */
static void note(es_rv_t rv)
{
    es_shm_t *shm = mes_state_shm();

    if (shm) {
        es_shm_note(shm, rv);
    }
}

void mes_io_report(es_rv_t rv, const char *sentence)
{
    note(rv);
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ap_server_conf, TAG "reason=%s: %s. %s", es_reason(rv)->code, sentence,
                 es_reason(rv)->remedy);
}

void mes_io_event(const char *sentence)
{
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, ap_server_conf, TAG "%s", sentence);
}

void mes_io_log(request_rec *r, es_rv_t rv, const char *sentence)
{
    note(rv);
    ap_log_rerror(APLOG_MARK, level_of(rv), 0, r, TAG "reason=%s: %s. %s", es_reason(rv)->code, sentence,
                  es_reason(rv)->remedy);
}

void mes_io_log_signin(request_rec *r, const mes_site_t *site, const es_acs_report_t *report)
{
    note(ES_OK);
    if (report->is_overage) {
        mes_io_log(r, ES_GROUPS_OVERAGE, apr_psprintf(r->pool, "user \"%s\" came with groups.link", report->user));
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  TAG "signed in: connection=%s user=\"%s\" assertion=%s dropped=%d ended=%d%s", site->connection->tag,
                  report->user, report->assertion_id, report->n_claims_dropped, report->n_ended,
                  report->is_waiting ? " account=pending" : "");
}

void mes_io_log_signout(request_rec *r, const mes_site_t *site, int ended, const char *request_id)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, TAG "signed out: connection=%s sessions=%d by=%s%s%.100s",
                  site->connection->tag, ended, request_id ? "entra" : "user", request_id ? " request=" : "",
                  request_id ? request_id : "");
}

void mes_io_trace(request_rec *r, const char *step, const char *detail)
{
    ap_log_rerror(APLOG_MARK, APLOG_TRACE1, 0, r, TAG "%s: %s", step, detail);
}

int mes_io_is_tracing(const request_rec *r)
{
    return APLOG_R_IS_LEVEL(r, APLOG_TRACE1);
}

/* What the user tells the administrator: letters and digits that nobody confuses (RFC 4648 base32 without its padding
 * uses neither 0 nor 1). Random, so that it says nothing about others. */
static const char *make_reference(apr_pool_t *pool)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned char octet[REFERENCE_LEN] = { 0 };
    char *text = apr_pcalloc(pool, REFERENCE_LEN + 1);
    es_why_t why = ES_WHY_INIT;
    int i;

    es_crypto_random(octet, sizeof octet, &why); /* a reference of As is still one */
    for (i = 0; i < REFERENCE_LEN; i++) {
        text[i] = alphabet[octet[i] & 31];
    }
    return text;
}

static const char *log_refusal(request_rec *r, const mes_site_t *site, const es_why_t *why)
{
    const es_reason_t *reason = es_reason(why->rv);
    const char *reference = make_reference(r->pool);

    note(why->rv);
    ap_log_rerror(APLOG_MARK, level_of(why->rv), 0, r, TAG "reason=%s ref=%s connection=%s user=\"%s\": %s. %s",
                  reason->code, reference, site ? site->connection->tag : "-", r->user ? r->user : "", why->text,
                  reason->remedy);
    return reference;
}

/* ---- answers ------------------------------------------------------------------------------------------------- */

/* Ours are for one person at one moment. guard.c holds this against mod_headers. */
static void mark_own(request_rec *r)
{
    mes_request_get(r)->is_own = 1;
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
}

void mes_io_set_cookies(request_rec *r, const es_answer_t *answer)
{
    int i;

    for (i = 0; i < answer->n_cookies; i++) {
        apr_table_addn(r->err_headers_out, "Set-Cookie", answer->cookies[i]);
    }
}

int mes_io_redirect(request_rec *r, const es_answer_t *answer)
{
    if (answer->noted != ES_OK) {
        mes_io_log(r, answer->noted, answer->note);
    }
    mark_own(r);
    mes_io_set_cookies(r, answer);
    apr_table_setn(r->headers_out, "Location", answer->location);
    return HTTP_SEE_OTHER;
}

/* Sends a body of ours and ends the request; like ap_send_error_response it leaves out the filters for content (and
 * with them mod_cache), and lets those for errors in: mod_headers' `Header always` holds for us too. DONE is good in
 * any phase. */
static int send_body(request_rec *r, int status, const char *type, const char *body)
{
    /* A filter that failed the request's body has answered already. */
    if (r->eos_sent) {
        return DONE;
    }
    /* What is left of a request's body must not be taken for the next request. */
    if (status != HTTP_REQUEST_ENTITY_TOO_LARGE) {
        ap_discard_request_body(r);
    } else {
        r->connection->keepalive = AP_CONN_CLOSE;
    }
    mark_own(r);
    r->status = status;
    r->status_line = NULL;
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    r->output_filters = r->proto_output_filters;
    ap_run_insert_error_filter(r);
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)strlen(body));
    ap_rputs(body, r);
    return DONE;
}

/* Origin or Referer must stay what they are within the site: logout looks at them, and so may whoever gets a form. What may
 * stand in anybody's frame must not look like the site: a click there is not one of the site's own. */
static int send_page_with(request_rec *r, const mes_site_t *site, int status, const mes_page_t *page,
                          const char *policy)
{
    apr_table_setn(r->err_headers_out, "Content-Security-Policy", policy);
    apr_table_setn(r->err_headers_out, "Referrer-Policy", page->is_framed ? "no-referrer" : "same-origin");
    return send_body(r, status, "text/html; charset=utf-8", mes_pages_make(page, site, r->pool));
}

static int send_page(request_rec *r, const mes_site_t *site, int status, const mes_page_t *page)
{
    return send_page_with(r, site, status, page, page->is_framed ? site->framed_policy : site->policy);
}

/* Where a sign-in that is enough here begins. */
static const char *login_of(const request_rec *r, const mes_site_t *site)
{
    const mes_request_t *request = mes_request_find(r);
    const es_request_kind_t step_up = request ? request->step_up : ES_REQUEST_PLAIN;

    if (step_up == ES_REQUEST_MFA) {
        return apr_pstrcat(r->pool, site->connection->login_url, "?mfa=1", NULL);
    }
    return step_up == ES_REQUEST_FRESH || mes_request_wants_fresh(r)
               ? apr_pstrcat(r->pool, site->connection->login_url, "?fresh=1", NULL)
               : site->connection->login_url;
}

static void challenge(request_rec *r, const char *sign_in)
{
    apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                   apr_pstrcat(r->pool, "EntraSAML login=\"", sign_in, "\"", NULL));
}

static int send_json(request_rec *r, int status, const es_reason_t *reason, const char *reference, const char *login)
{
    apr_pool_t *pool = r->pool;
    const char *sign_in =
        status == HTTP_UNAUTHORIZED ? apr_pstrcat(pool, ",\"sign_in\":", es_codec_json(login, pool), NULL) : "";
    const char *body = apr_pstrcat(pool, "{\"error\":", es_codec_json(reason->code, pool),
                                   ",\"message\":", es_codec_json(reason->text, pool),
                                   ",\"reference\":", es_codec_json(reference, pool), sign_in, "}\n", NULL);

    return send_body(r, status, "application/json", body);
}

/* For the ErrorDocument, which sees them as REDIRECT_ENTRA_ERROR and REDIRECT_ENTRA_REFERENCE. */
static int leave_to_error_document(request_rec *r, int status, const es_reason_t *reason, const char *reference)
{
    mark_own(r);
    apr_table_setn(r->subprocess_env, MES_PREFIX "ERROR", reason->code);
    apr_table_setn(r->subprocess_env, MES_PREFIX "REFERENCE", reference);
    return status;
}

/* Only a page that offers a sign-in, and nothing but a link to it. */
static int is_framed(const request_rec *r, mes_offer_t offer)
{
    return (offer == MES_OFFER_SIGN_IN || offer == MES_OFFER_SIGN_IN_ANEW || offer == MES_OFFER_SIGN_IN_MFA) &&
           mes_request_is_framed(r);
}

static int refuse(request_rec *r, const mes_site_t *site, const es_why_t *why, mes_offer_t offer,
                  const es_aadsts_t *error)
{
    const es_reason_t *reason = es_reason(why->rv);
    const int status = reason->status ? reason->status : HTTP_INTERNAL_SERVER_ERROR;
    const char *reference = log_refusal(r, site, why);
    mes_page_t page = { 0 };

    if (status == HTTP_UNAUTHORIZED && site) {
        challenge(r, login_of(r, site));
    }
    if (status == HTTP_SERVICE_UNAVAILABLE) {
        apr_table_setn(r->err_headers_out, "Retry-After", "60");
    }
    if (site && mes_request_visitor(r) == ES_VISITOR_PROGRAM) {
        return send_json(r, status, reason, reference, login_of(r, site));
    }
    if (!site || ap_response_code_string(r, ap_index_of_response(status))) {
        return leave_to_error_document(r, status, reason, reference);
    }
    page.title = mes_pages_title(why->rv);
    page.text = *reason->text ? reason->text : es_reason(ES_INTERNAL)->text;
    page.reason = reason->code;
    page.remedy = reason->remedy;
    page.reference = reference;
    page.is_framed = is_framed(r, offer);
    page.action = mes_pages_action(offer, r->method_number == M_GET ? mes_request_landing(r) : NULL, page.is_framed,
                                   site, r->pool);
    page.time = r->request_time;
    if (error) {
        page.error = error;
        page.text = error->user_advice ? apr_pstrcat(r->pool, page.text, " ", error->user_advice, NULL) : page.text;
        page.remedy = error->advice ? error->advice : page.remedy;
    }
    return send_page(r, site, status, &page);
}

int mes_io_refuse(request_rec *r, const mes_site_t *site, const es_why_t *why, mes_offer_t offer)
{
    return refuse(r, site, why, offer, NULL);
}

int mes_io_refuse_by_entra(request_rec *r, const mes_site_t *site, const es_why_t *why, const es_aadsts_t *error)
{
    return refuse(r, site, why, MES_OFFER_AGAIN, error);
}

int mes_io_json(request_rec *r, const char *json)
{
    return send_body(r, HTTP_OK, "application/json", json);
}

int mes_io_refuse_json(request_rec *r, const mes_site_t *site, const es_why_t *why, const char *sign_in)
{
    const es_reason_t *reason = es_reason(why->rv);
    const int status = reason->status ? reason->status : HTTP_INTERNAL_SERVER_ERROR;
    const char *reference = log_refusal(r, site, why);

    if (status == HTTP_UNAUTHORIZED) {
        challenge(r, sign_in);
    }
    return send_json(r, status, reason, reference, sign_in);
}

int mes_io_signed_out(request_rec *r, const mes_site_t *site, int is_all)
{
    const mes_page_t page = {
        .title = "Signed out",
        .text = is_all ? "You are signed out of this application and at Microsoft."
                       : "You are signed out of this application. You may still be signed in at Microsoft.",
        .reason = "",
        .remedy = "",
        .reference = "",
        .action = mes_pages_action(MES_OFFER_SIGN_IN, NULL, 0, site, r->pool),
        .time = r->request_time,
    };

    return send_page(r, site, HTTP_OK, &page);
}

int mes_io_metadata(request_rec *r, const mes_site_t *site)
{
    apr_table_setn(r->err_headers_out, "Content-Disposition", "inline; filename=\"entra-saml-metadata.xml\"");
    return send_body(r, HTTP_OK, "application/samlmetadata+xml", site->metadata);
}

int mes_io_resend(request_rec *r, const mes_site_t *site, const mes_page_t *page)
{
    return send_page_with(r, site, HTTP_OK, page, site->resend_policy);
}
