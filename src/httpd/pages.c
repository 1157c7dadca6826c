/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pages: plain HTML, no script, and a Content-Security-Policy that would not let one run. Everything that is put in
 * is escaped here, but for the action, which is made here.
 */
#include "httpd/mes.h"

#include "base/codec.h"
#include "base/crypto.h"
#include "base/url.h"
#include "policy/landing.h"

#include <apr_strings.h>
#include <http_protocol.h>

#define TEMPLATE_MAX (64 * 1024)

#define STYLE                                                                                                          \
    "body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;color:#1b1b1b;background:#f4f4f4}"                             \
    "main{max-width:36rem;margin:8vh auto;padding:1.5rem 2rem;background:#fff;border-top:.3rem solid #0b5cad}"         \
    "h1{font-size:1.5rem;line-height:1.25}"                                                                            \
    "a,button{display:inline-block;font:inherit;padding:.5rem 1.2rem;border:2px solid #0b5cad;color:#fff;"             \
    "background:#0b5cad;text-decoration:none;cursor:pointer}"                                                          \
    "a:focus-visible,button:focus-visible{outline:3px solid #1b1b1b;outline-offset:2px}"                               \
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:1rem;color:#444}"                  \
    "dd{margin:0;overflow-wrap:anywhere}"

static const char built_in[] = "<!DOCTYPE html>\n"
                               "<html lang=\"en\">\n"
                               "<head>\n"
                               "<meta charset=\"utf-8\">\n"
                               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                               "<meta name=\"robots\" content=\"noindex\">\n"
                               "<title>@TITLE@</title>\n"
                               "<style>" STYLE "</style>\n"
                               "</head>\n"
                               "<body>\n"
                               "<main>\n"
                               "<h1>@TITLE@</h1>\n"
                               "<p>@TEXT@</p>\n"
                               "@ACTION@@DETAILS@</main>\n"
                               "</body>\n"
                               "</html>\n";

/* What may stand between two @ of a template. */
static const char *const placeholders[] = { "TITLE", "TEXT",    "REASON", "REMEDY", "REFERENCE",
                                            "TIME",  "DETAILS", "ACTION", NULL };

/* What a page may load: the built-in one its style, another what a site's own page needs. */
#define BUILT_IN_CONTENT "default-src 'none'; style-src %s; base-uri 'none'; "
#define OWN_CONTENT                                                                                                    \
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; base-uri 'none'; "

const char *mes_pages_title(es_rv_t rv)
{
    switch (rv) {
    case ES_ACCESS_DENIED:
    case ES_GROUPS_UNKNOWN:
        return "No access";
    case ES_ACCOUNT_PENDING:
        return "Waiting for approval";
    case ES_ACCOUNT_MISSING:
        return "No account";
    case ES_ACCOUNT_DISABLED:
        return "Account disabled";
    case ES_LOGOUT_UNCONFIRMED:
        return "Sign out";
    case ES_LANDING_REFUSED:
        return "Wrong address";
    case ES_POST_TYPE:
    case ES_POST_TOO_LARGE:
    case ES_POST_INEXACT:
    case ES_POST_CROSS_SITE:
    case ES_POST_UNREAD:
    case ES_POST_FOREIGN:
    case ES_KEEP_FULL:
        return "Not sent";
    case ES_POST_LOST:
        return "Not sent again";
    case ES_LOGOUT_MALFORMED:
    case ES_LOGOUT_SHAPE:
    case ES_LOGOUT_UNSIGNED:
    case ES_LOGOUT_ALGORITHM:
    case ES_LOGOUT_SIGNATURE:
    case ES_LOGOUT_ISSUER:
    case ES_LOGOUT_DESTINATION:
    case ES_LOGOUT_STALE:
    case ES_LOGOUT_REPLAYED:
        return "Sign-out failed";
    default:
        switch (es_reason(rv)->status) {
        case HTTP_UNAUTHORIZED:
            return "Sign-in needed";
        case HTTP_SERVICE_UNAVAILABLE:
            return "Sign-in not possible at the moment";
        default:
            return "Sign-in failed";
        }
    }
}

static const char *make_link(const char *label, const char *href, const char *target, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "<p><a href=\"", es_codec_html(href, pool), "\"", target, ">", label, "</a></p>\n", NULL);
}

/* Whoever asked for the sign-in endpoint asks for it again, with all that he said. */
static int is_login(const char *landing, const mes_site_t *site)
{
    const apr_size_t len = strlen(site->connection->login_path);

    return landing && strncmp(landing, site->connection->login_path, len) == 0 && strchr("?", landing[len]);
}

/* `kind`: what the endpoint is asked for; NULL: an ordinary sign-in. */
static const char *make_sign_in(const char *landing, const char *kind, const char *target, const mes_site_t *site,
                                apr_pool_t *pool)
{
    const char *href = landing;

    if (!is_login(landing, site)) {
        href = apr_pstrcat(pool, site->connection->login_path, kind || landing ? "?" : "", kind ? kind : "",
                           kind && landing ? "&" : "", landing ? "return=" : "",
                           landing ? es_codec_url_encode(landing, pool) : NULL, NULL);
    }
    return make_link("Sign in", href, target, pool);
}

/* Where an address wants to return to after the sign-out, as a query to send along; "" where it does not say, or nothing
 * that the sign-out would follow. */
static const char *return_query(const char *address, const mes_site_t *site, apr_pool_t *pool)
{
    const char *query = address ? strchr(address, '?') : NULL, *wanted = NULL, *landing;
    es_why_t ignored = ES_WHY_INIT;

    if (!query || es_codec_form_find(&wanted, es_bytes_of(query + 1), "return", &ignored, pool) != ES_OK || !wanted ||
        es_landing_read(&landing, wanted, site->connection->origin, &ignored, pool) != ES_OK) {
        return "";
    }
    return apr_pstrcat(pool, "?return=", es_codec_url_encode(landing, pool), NULL);
}

static const char *make_sign_out(const char *landing, const mes_site_t *site, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "<form method=\"post\" action=\"", es_codec_html(site->connection->logout_path, pool),
                       return_query(landing, site, pool),
                       "\"><p><button type=\"submit\">Sign out</button></p></form>\n", NULL);
}

const char *mes_pages_action(mes_offer_t offer, const char *landing, int is_framed, const mes_site_t *site,
                             apr_pool_t *pool)
{
    const char *target = is_framed ? " target=\"_top\"" : "";

    switch (offer) {
    case MES_OFFER_AGAIN:
        return make_link("Try again", site->connection->default_page, target, pool);
    case MES_OFFER_GO_ON:
        return make_link("Go on", site->connection->default_page, target, pool);
    case MES_OFFER_SIGN_IN:
        return make_sign_in(landing, NULL, target, site, pool);
    case MES_OFFER_SIGN_IN_ANEW:
        return make_sign_in(landing, "fresh=1", target, site, pool);
    case MES_OFFER_SIGN_IN_MFA:
        return make_sign_in(landing, "mfa=1", target, site, pool);
    case MES_OFFER_ANEW_OR_OUT:
        return apr_pstrcat(pool, mes_pages_action(MES_OFFER_SIGN_IN_ANEW, landing, is_framed, site, pool),
                           mes_pages_action(MES_OFFER_SIGN_OUT, landing, is_framed, site, pool), NULL);
    case MES_OFFER_MFA_OR_OUT:
        return apr_pstrcat(pool, mes_pages_action(MES_OFFER_SIGN_IN_MFA, landing, is_framed, site, pool),
                           mes_pages_action(MES_OFFER_SIGN_OUT, landing, is_framed, site, pool), NULL);
    case MES_OFFER_SIGN_OUT:
        return make_sign_out(landing, site, pool);
    case MES_OFFER_WAIT:
        return apr_pstrcat(pool,
                           make_link("Check again", landing ? landing : site->connection->default_page, target, pool),
                           make_sign_out(landing, site, pool), NULL);
    case MES_OFFER_NONE:
        break;
    }
    return "";
}

static const char *format_time(apr_time_t time, apr_pool_t *pool)
{
    apr_time_exp_t utc;
    char text[sizeof "2026-01-31 23:59:59 UTC"];
    apr_size_t len;

    apr_time_exp_gmt(&utc, time);
    apr_strftime(text, &len, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
    return apr_pstrdup(pool, text);
}

static const char *make_row(const char *label, const char *value, apr_pool_t *pool)
{
    return *value ? apr_pstrcat(pool, "<dt>", label, "</dt><dd>", es_codec_html(value, pool), "</dd>\n", NULL) : "";
}

/* What Microsoft's support asks for. The message's own words stay out: it is not signed, and whoever posts one would
 * speak to the user from our page. */
static const char *make_error(const es_aadsts_t *error, apr_pool_t *pool)
{
    if (!error) {
        return "";
    }
    return apr_pstrcat(
        pool, make_row("Microsoft's code", error->code ? apr_psprintf(pool, "AADSTS%ld", error->code) : "", pool),
        make_row("Trace ID", error->trace_id, pool), make_row("Correlation ID", error->correlation_id, pool),
        make_row("Microsoft's time", error->timestamp, pool), NULL);
}

static const char *make_details(const mes_page_t *page, apr_pool_t *pool)
{
    if (!*page->reference) {
        return "";
    }
    return apr_pstrcat(pool, "<p>Details for your administrator:</p>\n<dl>\n<dt>Reason</dt><dd>",
                       es_codec_html(page->reason, pool), "</dd>\n<dt>Remedy</dt><dd>",
                       es_codec_html(page->remedy, pool), "</dd>\n", make_error(page->error, pool),
                       "<dt>Reference</dt><dd>", es_codec_html(page->reference, pool), "</dd>\n<dt>Time</dt><dd>",
                       format_time(page->time, pool), "</dd>\n</dl>\n", NULL);
}

/* The placeholder that starts at this @, or -1; *len with both its @. */
static int find_placeholder(apr_size_t *len, const char *at)
{
    int i;

    for (i = 0; placeholders[i]; i++) {
        const apr_size_t n = strlen(placeholders[i]);

        if (strncmp(at + 1, placeholders[i], n) == 0 && at[1 + n] == '@') {
            *len = n + 2;
            return i;
        }
    }
    return -1;
}

const char *mes_pages_make(const mes_page_t *page, const mes_site_t *site, apr_pool_t *pool)
{
    const char *const values[] = { es_codec_html(page->title, pool),
                                   es_codec_html(page->text, pool),
                                   es_codec_html(page->reason, pool),
                                   es_codec_html(page->remedy, pool),
                                   es_codec_html(page->reference, pool),
                                   format_time(page->time, pool),
                                   make_details(page, pool),
                                   page->action };
    const char *text = "";
    const char *from = site->template;
    const char *at = from;

    while ((at = strchr(at, '@'))) {
        apr_size_t len;
        int which = find_placeholder(&len, at);

        if (which < 0) {
            at++;
            continue;
        }
        text = apr_pstrcat(pool, text, apr_pstrmemdup(pool, from, (apr_size_t)(at - from)), values[which], NULL);
        from = at += len;
    }
    return apr_pstrcat(pool, text, from, NULL);
}

/* A word in capitals between two @ is meant as a placeholder; anything else (a mail address) is text. */
static es_rv_t check_unknown(const char *template, es_why_t *why)
{
    const char *at = template;

    while ((at = strchr(at, '@'))) {
        const apr_size_t n = strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        apr_size_t len;

        if (n > 0 && at[1 + n] == '@' && find_placeholder(&len, at) < 0) {
            return es_fail(why, ES_CONFIG_TEMPLATE, "%.*s is no placeholder", n < 64 ? (int)n + 2 : 64, at);
        }
        at++;
    }
    return ES_OK;
}

static es_rv_t check_template(const char *template, const char *file, es_why_t *why)
{
    if (!strstr(template, "@TEXT@") || !strstr(template, "@ACTION@") ||
        (!strstr(template, "@REFERENCE@") && !strstr(template, "@DETAILS@"))) {
        return es_fail(why, ES_CONFIG_TEMPLATE, "%.500s lacks @TEXT@, @ACTION@, or both @REFERENCE@ and @DETAILS@",
                       file);
    }
    return check_unknown(template, why);
}

es_rv_t mes_pages_load(const char **template, const char *file, es_why_t *why, apr_pool_t *pool)
{
    es_bytes_t content;
    es_rv_t rv;

    if (!file) {
        *template = built_in;
        return ES_OK;
    }
    if ((rv = mes_judge_read_file(&content, file, TEMPLATE_MAX, ES_CONFIG_TEMPLATE, why, pool)) != ES_OK) {
        return rv;
    }
    if (memchr(content.data, '\0', content.len)) {
        return es_fail(why, ES_CONFIG_TEMPLATE, "%.500s is no text", file);
    }
    if ((rv = check_template((const char *)content.data, file, why)) != ES_OK) {
        return rv;
    }
    *template = (const char *)content.data;
    return ES_OK;
}

/* The sign-out button posts to us, and we lead on to Entra: browsers hold form-action against that redirect too. */
static const char *origin_of(const char *slo_url, apr_pool_t *pool)
{
    es_why_t ignored = ES_WHY_INIT;
    es_url_t url;

    return slo_url && es_url_read(&url, slo_url, strlen(slo_url), &ignored, pool) == ES_OK ? es_url_origin(&url, pool)
                                                                                           : NULL;
}

static const char *source_of(const char *text, apr_pool_t *pool)
{
    const es_hash_t hash = es_crypto_sha256_text(text);

    return apr_pstrcat(pool, "'sha256-", es_codec_base64_encode(es_bytes(&hash, sizeof hash), pool), "'", NULL);
}

static const char *make_content(const char *template, apr_pool_t *pool)
{
    return template == built_in ? apr_psprintf(pool, BUILT_IN_CONTENT, source_of(STYLE, pool)) : OWN_CONTENT;
}

const char *mes_pages_policy(const char *template, const char *slo_url, apr_pool_t *pool)
{
    const char *target = origin_of(slo_url, pool);

    return apr_pstrcat(pool, make_content(template, pool), "frame-ancestors 'none'; form-action 'self'",
                       target ? " " : NULL, target, NULL);
}

/* Whoever frames the page can have it clicked without the user's knowing: it must be worth no more than a link on his own
 * page. Hence no form, and the sandbox: what is clicked there is a stranger's click to browsers (Sec-Fetch-Site,
 * SameSite=Strict), to the sign-out endpoint and to applications, although the page is ours. */
const char *mes_pages_framed_policy(const char *template, apr_pool_t *pool)
{
    return apr_pstrcat(pool, make_content(template, pool),
                       "frame-ancestors *; form-action 'none'; sandbox allow-top-navigation-by-user-activation", NULL);
}

/* The form goes to us, where its answer leads is the application's business: browsers hold form-action against that
 * redirect too. */
const char *mes_pages_resend_policy(const char *template, const char *script, apr_pool_t *pool)
{
    return apr_pstrcat(pool, make_content(template, pool), "script-src ", source_of(script, pool),
                       "; frame-ancestors 'none'; form-action 'self' https:", NULL);
}
