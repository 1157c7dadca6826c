/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The endpoint that sends a kept form again: a page with its fields and a button, and one line of script that presses it.
 * The Content-Security-Policy names that line by its hash, so that nothing else on the page could run.
 */
#include "httpd/mes.h"

#include "base/codec.h"

#include <apr_strings.h>

#define FORM_ID "entra-saml-resend"
/* Not form.submit(): a field may be called "submit". */
#define SCRIPT "HTMLFormElement.prototype.submit.call(document.getElementById(\"" FORM_ID "\"))"

const char *mes_resend_policy(const char *template, apr_pool_t *pool)
{
    return mes_pages_resend_policy(template, SCRIPT, pool);
}

/* The fields are HTML already. The button has no name: it is no field. */
static const char *make_form(const es_resend_t *resend, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "<form id=\"" FORM_ID "\" method=\"post\" action=\"", es_codec_html(resend->action, pool),
                       "\" enctype=\"", resend->form.enctype, "\" accept-charset=\"", resend->form.charset, "\">\n",
                       resend->form.fields, "<p><button type=\"submit\">Send now</button></p>\n</form>\n",
                       resend->asks ? "" : "<script>" SCRIPT "</script>\n", NULL);
}

static int show(request_rec *r, const mes_site_t *site, const es_resend_t *resend)
{
    const char *path = apr_pstrmemdup(r->pool, resend->action, strcspn(resend->action, "?"));
    const mes_page_t page = {
        .title = resend->asks ? "Send it now?" : "Sending",
        .text =
            apr_psprintf(r->pool,
                         resend->asks ? "Before this sign-in, a form for %.200s was sent from this browser. Send it "
                                        "now only if it was you who filled it in."
                                      : "You are signed in, and the form that you sent to %.200s before is being "
                                        "sent again. If nothing happens, send it yourself.",
                         path),
        .reason = "",
        .remedy = "",
        .reference = "",
        .action = make_form(resend, r->pool),
        .time = r->request_time,
    };

    mes_io_trace(r, resend->asks ? "shows a kept form for" : "sends a kept form to", path);
    return mes_io_resend(r, site, &page);
}

/* HEAD would take the form and show it to nobody, and a prefetch to somebody who has not come. */
static int is_meant(const request_rec *r)
{
    return r->method_number == M_GET && !r->header_only && !apr_table_get(r->headers_in, "Sec-Purpose");
}

/* The limits of the endpoint's own place are as good as any, see serve.c: the page that the form goes to has the last
 * word. */
int mes_resend_serve(request_rec *r, const mes_site_t *site)
{
    const mes_location_t *location = mes_request_location(r);
    es_why_t why = ES_WHY_INIT;
    const char *id = NULL;
    es_session_t session;
    es_resend_t resend;
    es_flow_t flow;

    if (!is_meant(r)) {
        ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    mes_request_flow(&flow, r, site);
    if (es_resume_find(&session, &flow, location->value[MES_LIFETIME].number, location->value[MES_IDLE].number, &why) !=
        ES_OK) {
        return mes_io_refuse(r, site, &why, why.rv == ES_ACCOUNT_PENDING ? MES_OFFER_WAIT : MES_OFFER_SIGN_IN);
    }
    if (es_codec_form_find(&id, es_bytes_of(r->args ? r->args : ""), "id", &why, r->pool) != ES_OK ||
        es_resend_take(&resend, &flow, &session, id, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_GO_ON);
    }
    return show(r, site, &resend);
}
