/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A form's octets come in the charset of the page that it stood on, which nothing in the request names. Where all of
 * them are UTF-8, our form says accept-charset=utf-8. Where they are not, each octet becomes the character that it is in
 * windows-1252, and our form says that charset: for browsers it maps the 256 octets to 256 characters and back (WHATWG
 * Encoding, index windows-1252), so that the very octets come out, whatever they mean.
 */
#include "policy/repeat.h"

#include "base/codec.h"
#include "base/url.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <stdlib.h>
#include <strings.h>

#define FIELDS_MAX 10000
#define URL_MAX 8192

/* ---- may it be kept? ----------------------------------------------------------------------------------------- */

static apr_size_t trimmed(const char *text, apr_size_t len)
{
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    return len;
}

static int is_word(const char *text, apr_size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

/* Browsers send no parameters with either type. A charset would be lost with the repetition, unless it is ours. */
static int has_harmless_parameters(const char *parameters)
{
    parameters += strspn(parameters, "; \t");
    return !*parameters || is_word(parameters, trimmed(parameters, strlen(parameters)), "charset=utf-8") ||
           is_word(parameters, trimmed(parameters, strlen(parameters)), "charset=\"utf-8\"");
}

es_rv_t es_repeat_type(es_repeat_type_t *type, const es_repeat_headers_t *headers, es_why_t *why)
{
    const char *said = headers->content_type ? headers->content_type : "";
    const apr_size_t end = strcspn(said, ";"), len = trimmed(said, end);

    if (headers->content_encoding) {
        return es_fail(why, ES_POST_TYPE, "the body has the content encoding %.100s", headers->content_encoding);
    }
    if (is_word(said, len, "application/x-www-form-urlencoded") && has_harmless_parameters(said + end)) {
        *type = ES_REPEAT_URLENCODED;
        return ES_OK;
    }
    if (is_word(said, len, "text/plain") && has_harmless_parameters(said + end)) {
        *type = ES_REPEAT_TEXT;
        return ES_OK;
    }
    return es_fail(why, ES_POST_TYPE, "the content type is %.100s", *said ? said : "absent");
}

static int is_from(const char *address, const char *origin, apr_pool_t *pool)
{
    es_why_t ignored = ES_WHY_INIT;
    es_url_t url, ours;

    return es_url_read(&url, address, URL_MAX, &ignored, pool) == ES_OK && url.scheme && url.host &&
           es_url_read(&ours, origin, URL_MAX, &ignored, pool) == ES_OK && es_url_same_origin(&url, &ours);
}

es_rv_t es_repeat_check_sender(const es_repeat_headers_t *headers, const char *origin, es_why_t *why, apr_pool_t *pool)
{
    const char *address = headers->origin ? headers->origin : headers->referer;

    if (headers->sec_fetch_site) {
        return strcmp(headers->sec_fetch_site, "same-origin") == 0
                   ? ES_OK
                   : es_fail(why, ES_POST_CROSS_SITE, "Sec-Fetch-Site is %.100s", headers->sec_fetch_site);
    }
    if (!address) {
        return es_fail(why, ES_POST_CROSS_SITE, "neither Sec-Fetch-Site nor Origin nor Referer says who sent it");
    }
    return is_from(address, origin, pool)
               ? ES_OK
               : es_fail(why, ES_POST_CROSS_SITE, "%s is %.200s", headers->origin ? "Origin" : "Referer", address);
}

/* ---- the form that repeats it -------------------------------------------------------------------------------- */

/* A field, decoded: octets in an unknown charset. */
typedef struct {
    es_bytes_t name, value;
} field_t;

/* Decodes into the place where it stands; -1: a broken escape or a NUL. */
static apr_ssize_t decode(unsigned char *text, apr_size_t len)
{
    unsigned char *to = text;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        unsigned char octet = text[i];

        if (octet == '+') {
            octet = ' ';
        } else if (octet == '%') {
            char hex[3] = { 0 };

            if (len - i < 3 || !apr_isxdigit(text[i + 1]) || !apr_isxdigit(text[i + 2])) {
                return -1;
            }
            memcpy(hex, text + i + 1, 2);
            octet = (unsigned char)strtoul(hex, NULL, 16);
            i += 2;
        }
        if (octet == '\0') {
            return -1;
        }
        *to++ = octet;
    }
    return to - text;
}

/* WHATWG URL, "application/x-www-form-urlencoded parsing": empty pieces between two & are nothing. */
static es_rv_t read_urlencoded(apr_array_header_t *fields, es_bytes_t body, es_why_t *why, apr_pool_t *pool)
{
    unsigned char *text = apr_palloc(pool, body.len + 1), *end = text + body.len;

    memcpy(text, body.data, body.len);
    while (text < end) {
        unsigned char *amp = memchr(text, '&', (apr_size_t)(end - text)), *stop = amp ? amp : end;
        unsigned char *equals = memchr(text, '=', (apr_size_t)(stop - text));
        unsigned char *value = equals ? equals + 1 : stop;
        apr_ssize_t name_len = decode(text, (apr_size_t)((equals ? equals : stop) - text));
        apr_ssize_t value_len = decode(value, (apr_size_t)(stop - value));

        if (name_len < 0 || value_len < 0) {
            return es_fail(why, ES_POST_INEXACT, "a field has a broken escape or a NUL");
        }
        if (stop > text && name_len == 0) {
            return es_fail(why, ES_POST_INEXACT, "a field has no name");
        }
        if (name_len > 0) {
            field_t *field = apr_array_push(fields);

            field->name = es_bytes(text, (apr_size_t)name_len);
            field->value = es_bytes(value, (apr_size_t)value_len);
        }
        if (fields->nelts > FIELDS_MAX) {
            return es_fail(why, ES_POST_INEXACT, "there are more than %d fields", FIELDS_MAX);
        }
        text = stop + 1;
    }
    return ES_OK;
}

/* HTML, "text/plain encoding algorithm": NAME=VALUE CRLF for each field, and nothing escaped, so that nobody can tell
 * where a value with line ends stops. All of it as one field comes out as the same octets. */
static es_rv_t read_text(apr_array_header_t *fields, es_bytes_t body, es_why_t *why)
{
    const unsigned char *equals = memchr(body.data, '=', body.len);
    field_t *field;

    if (!equals || equals == body.data || body.len < 3 || memcmp(body.data + body.len - 2, "\r\n", 2) != 0 ||
        equals >= body.data + body.len - 2) {
        return es_fail(why, ES_POST_INEXACT, "the text is not NAME=VALUE with CRLF behind it");
    }
    if (memchr(body.data, '\0', body.len)) {
        return es_fail(why, ES_POST_INEXACT, "the text has a NUL");
    }
    field = apr_array_push(fields);
    field->name = es_bytes(body.data, (apr_size_t)(equals - body.data));
    field->value = es_bytes(equals + 1, (apr_size_t)(body.data + body.len - 2 - (equals + 1)));
    return ES_OK;
}

/* What 0x80 … 0x9f are in windows-1252; the others are themselves. */
static const unsigned short of_windows_1252[32] = {
    0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
    0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178,
};

static char *put_character(char *end, unsigned character)
{
    if (character >= 0x800) {
        *end++ = (char)(0xe0 | character >> 12);
        *end++ = (char)(0x80 | (character >> 6 & 0x3f));
    } else {
        *end++ = (char)(0xc0 | character >> 6);
    }
    *end++ = (char)(0x80 | (character & 0x3f));
    return end;
}

/* Line ends as references: the parser of HTML would make one of CRLF. Other control characters stand as they are,
 * which it takes; references to some of them it takes for others. */
static const char *reference_of(unsigned char octet)
{
    switch (octet) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\r':
        return "&#13;";
    case '\n':
        return "&#10;";
    default:
        return NULL;
    }
}

#define EXPANSION 6 /* of an octet, at most */

static char *put_octets(char *end, es_bytes_t octets, int is_utf8)
{
    apr_size_t i;

    for (i = 0; i < octets.len; i++) {
        const unsigned char octet = octets.data[i];
        const char *reference = reference_of(octet);

        if (reference) {
            end = apr_cpystrn(end, reference, EXPANSION + 1);
        } else if (octet < 0x80 || is_utf8) {
            *end++ = (char)octet;
        } else {
            end = put_character(end, octet < 0xa0 ? of_windows_1252[octet - 0x80] : octet);
        }
    }
    return end;
}

static char *put_text(char *end, const char *text)
{
    const apr_size_t len = strlen(text);

    memcpy(end, text, len);
    return end + len;
}

#define HIDDEN_1 "<input type=\"hidden\" name=\""
#define HIDDEN_2 "\" value=\""
#define HIDDEN_3 "\">\n"
/* A hidden input of this name is filled in by the browser (HTML, "_charset_"); a text area is not. The parser drops a
 * line end at its start, here always ours. */
#define CHARSET "_charset_"
#define AREA_1 "<textarea hidden name=\""
#define AREA_2 "\">\n"
#define AREA_3 "</textarea>\n"
#define AROUND (sizeof HIDDEN_1 + sizeof HIDDEN_2 + sizeof HIDDEN_3 + sizeof AREA_3)

static char *put_field(char *end, const field_t *field, int is_utf8)
{
    const int is_charset = is_word((const char *)field->name.data, field->name.len, CHARSET);

    end = put_text(end, is_charset ? AREA_1 : HIDDEN_1);
    end = put_octets(end, field->name, is_utf8);
    end = put_text(end, is_charset ? AREA_2 : HIDDEN_2);
    end = put_octets(end, field->value, is_utf8);
    return put_text(end, is_charset ? AREA_3 : HIDDEN_3);
}

es_rv_t es_repeat_make(es_repeat_t *repeat, es_repeat_type_t type, es_bytes_t body, es_why_t *why, apr_pool_t *pool)
{
    apr_array_header_t *fields = apr_array_make(pool, 16, sizeof(field_t));
    es_rv_t rv = body.len == 0            ? ES_OK
                 : type == ES_REPEAT_TEXT ? read_text(fields, body, why)
                                          : read_urlencoded(fields, body, why, pool);
    apr_size_t room = 1;
    int i, is_utf8 = 1;
    char *text, *end;

    if (rv != ES_OK) {
        return rv;
    }
    for (i = 0; i < fields->nelts; i++) {
        const field_t *field = &APR_ARRAY_IDX(fields, i, field_t);

        is_utf8 = is_utf8 && es_codec_is_utf8(field->name) && es_codec_is_utf8(field->value);
        room += AROUND + EXPANSION * (field->name.len + field->value.len);
    }
    end = text = apr_palloc(pool, room);
    for (i = 0; i < fields->nelts; i++) {
        end = put_field(end, &APR_ARRAY_IDX(fields, i, field_t), is_utf8);
    }
    *end = '\0';
    repeat->enctype = type == ES_REPEAT_TEXT ? "text/plain" : "application/x-www-form-urlencoded";
    repeat->charset = is_utf8 ? "utf-8" : "windows-1252";
    repeat->fields = text;
    return ES_OK;
}
