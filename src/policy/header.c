/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/header.h"

#include <apr_encode.h>
#include <apr_strings.h>

/* Octets of the UTF-8 character at `c` (RFC 3629 section 4), 0 where there is none. */
static int utf8_len(const unsigned char *c)
{
    const int len = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    int i;

    for (i = 1; i < len; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) || (c[0] == 0xf0 && c[1] < 0x90) ||
        (c[0] == 0xf4 && c[1] >= 0x90)) {
        return 0;
    }
    return len;
}

static int is_control(const unsigned char *c)
{
    return c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0);
}

/* A recipient may take a control character for the end of a line, or of the value (RFC 9110 section 5.5). */
const char *es_header_clean(const char *text, apr_pool_t *pool)
{
    const unsigned char *c = (const unsigned char *)text;
    char *clean = NULL, *end = NULL;

    while (*c) {
        const int len = utf8_len(c), is_fit = len && !is_control(c);

        if (!is_fit && !clean) {
            const apr_size_t before = (apr_size_t)((const char *)c - text);

            clean = apr_palloc(pool, strlen(text) + 1);
            memcpy(clean, text, before);
            end = clean + before;
        }
        if (clean && is_fit) {
            memcpy(end, c, (apr_size_t)len);
            end += len;
        } else if (clean) {
            *end++ = len ? ' ' : '?';
        }
        c += len ? len : 1;
    }
    if (!clean) {
        return text;
    }
    *end = '\0';
    return clean;
}

/* Where the value that begins here ends: at an unescaped ';' or the end of all. */
static const char *find_end(const char *value, const char *end)
{
    while (value < end && *value != ';') {
        value += *value == '\\' && value + 1 < end ? 2 : 1;
    }
    return value;
}

static apr_size_t write_percent(char *out, const char *in, apr_size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *begin = out;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)in[i];

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
            c == '_' || c == '~') {
            *out++ = (char)c;
        } else {
            *out++ = '%';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 0xf];
        }
    }
    return (apr_size_t)(out - begin);
}

/* At most four octets for each of the value's, since an empty one gives none, and a NUL. */
static apr_size_t write_value(char *out, const char *in, apr_size_t len, es_header_encoding_t encoding)
{
    if (encoding == ES_HEADER_PERCENT) {
        return write_percent(out, in, len);
    }
    apr_encode_base64(out, in, (apr_ssize_t)len, APR_ENCODE_NONE, NULL);
    return (len + 2) / 3 * 4;
}

static apr_size_t unescape(char *out, const char *value, const char *end)
{
    const char *begin = out;

    while (value < end) {
        value += *value == '\\' && value + 1 < end;
        *out++ = *value++;
    }
    return (apr_size_t)(out - begin);
}

/* How many whole values there are in the first `limit` octets; *len = what they take. */
static int count_fitting(apr_size_t *len, const es_header_values_t *values, apr_size_t limit)
{
    const char *value = values->joined, *const end = value + values->len;
    int n = 0;

    *len = 0;
    for (; n < values->count && value <= end; n++) {
        const char *value_end = find_end(value, end);

        if ((apr_size_t)(value_end - values->joined) > limit) {
            break;
        }
        *len = (apr_size_t)(value_end - values->joined);
        value = value_end + 1;
    }
    return n;
}

/* Each value by itself, as many as fit. */
static int write_encoded(const char **text, const es_header_values_t *values, es_header_encoding_t encoding,
                         apr_size_t limit, apr_pool_t *pool)
{
    apr_size_t len = 0, most;
    /* None of these codes makes a value shorter, and an escaped one is at most twice as long as what it says. */
    const int count = count_fitting(&most, values, 2 * limit);
    const char *value = values->joined, *const end = value + most;
    char *out = apr_palloc(pool, 4 * most + 2), *plain = apr_palloc(pool, most + 1);
    int n = 0;

    for (; n < count; n++) {
        const char *value_end = find_end(value, end);
        const apr_size_t plain_len = unescape(plain, value, value_end);
        const apr_size_t more = (n > 0) + write_value(out + len + (n > 0), plain, plain_len, encoding);

        if (len + more > limit) {
            break;
        }
        if (n > 0) {
            out[len] = ';';
        }
        len += more;
        value = value_end + 1;
    }
    out[len] = '\0';
    *text = n > 0 ? out : NULL;
    return n;
}

static int write_plain(const char **text, const es_header_values_t *values, apr_size_t limit, apr_pool_t *pool)
{
    const char *plain = values->joined;
    apr_size_t len = values->len;
    int n = values->count;

    if (len > limit) {
        n = count_fitting(&len, values, limit);
        plain = n > 0 ? apr_pstrmemdup(pool, plain, len) : NULL;
    }
    /* Every request of a user in 150 groups comes here: only what begins as a C1 character is looked at closely. */
    *text = plain && memchr(plain, 0xc2, len) ? es_header_clean(plain, pool) : plain;
    return n;
}

void es_header_write(const char **text, int *missing, const es_header_values_t *values, es_header_encoding_t encoding,
                     apr_size_t limit, apr_pool_t *pool)
{
    const int n = encoding == ES_HEADER_UTF8 ? write_plain(text, values, limit, pool)
                                             : write_encoded(text, values, encoding, limit, pool);

    *missing = values->count - n;
}

const char *es_header_write_one(const char *one, es_header_encoding_t encoding, apr_size_t limit, apr_pool_t *pool)
{
    const apr_size_t len = strlen(one);
    const char *text = one;

    if (encoding == ES_HEADER_UTF8) {
        text = es_header_clean(one, pool);
    } else {
        char *out = apr_palloc(pool, 4 * len + 1);

        out[write_value(out, one, len, encoding)] = '\0';
        text = out;
    }
    return strlen(text) <= limit ? text : NULL;
}
