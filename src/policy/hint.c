/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/hint.h"

#include "base/codec.h"

#include <apr_lib.h>
#include <apr_strings.h>

/* RFC 5321 section 4.5.3.1 allows a domain 255 octets and RFC 1035 section 2.3.4 a label 63. A local part has 64, but
 * a guest's user principal name holds a whole mail address in there. */
#define DOMAIN_MAX 253
#define LABEL_MAX 63
#define LOCAL_MAX 200

/* Letters, digits, hyphens inside; two labels at least, since no public domain has one. */
static int is_domain(const char *text)
{
    int labels = 0;

    if (strnlen(text, DOMAIN_MAX + 1) > DOMAIN_MAX) {
        return 0;
    }
    for (;;) {
        apr_size_t len = 0;

        while (apr_isalnum(text[len]) || text[len] == '-') {
            len++;
        }
        if (len == 0 || len > LABEL_MAX || text[0] == '-' || text[len - 1] == '-') {
            return 0;
        }
        labels++;
        if (text[len] == '\0') {
            return labels > 1;
        }
        if (text[len] != '.') {
            return 0;
        }
        text += len + 1;
    }
}

/* The characters of a local part without quotes (RFC 5322 section 3.2.3); Entra's names have no others. */
static int is_address(const char *text)
{
    const char *at = strchr(text, '@');
    apr_size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.");

    return at && len > 0 && len <= LOCAL_MAX && text + len == at && is_domain(at + 1);
}

es_rv_t es_hint_read(const char **query, const char *login_hint, const char *whr, es_why_t *why, apr_pool_t *pool)
{
    const char *text = NULL;

    if (login_hint && !is_address(login_hint)) {
        return es_fail(why, ES_HINT_REFUSED, "login_hint is no user name of the form name@domain: %.100s", login_hint);
    }
    if (whr && !is_domain(whr)) {
        return es_fail(why, ES_HINT_REFUSED, "whr is no domain: %.100s", whr);
    }
    if (login_hint) {
        text = apr_pstrcat(pool, "&login_hint=", es_codec_url_encode(login_hint, pool), NULL);
    }
    if (whr) {
        text = apr_pstrcat(pool, text ? text : "", "&whr=", es_codec_url_encode(whr, pool), NULL);
    }
    *query = text;
    return ES_OK;
}
