/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/header.h"

#include "base/codec.h"

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

/* ---- percent, base64 ----------------------------------------------------------------------------------------- */

/* What is read, and what is written; each function moves both over one value, or returns 0 when there is no room. */
typedef struct {
    const char *in, *in_end;
    char *out, *out_end;
} coder_t;

#define IS 1
static const char unreserved[256] = {
    ['-'] = IS, ['.'] = IS, ['_'] = IS, ['~'] = IS, ['0'] = IS, ['1'] = IS, ['2'] = IS, ['3'] = IS, ['4'] = IS,
    ['5'] = IS, ['6'] = IS, ['7'] = IS, ['8'] = IS, ['9'] = IS, ['A'] = IS, ['B'] = IS, ['C'] = IS, ['D'] = IS,
    ['E'] = IS, ['F'] = IS, ['G'] = IS, ['H'] = IS, ['I'] = IS, ['J'] = IS, ['K'] = IS, ['L'] = IS, ['M'] = IS,
    ['N'] = IS, ['O'] = IS, ['P'] = IS, ['Q'] = IS, ['R'] = IS, ['S'] = IS, ['T'] = IS, ['U'] = IS, ['V'] = IS,
    ['W'] = IS, ['X'] = IS, ['Y'] = IS, ['Z'] = IS, ['a'] = IS, ['b'] = IS, ['c'] = IS, ['d'] = IS, ['e'] = IS,
    ['f'] = IS, ['g'] = IS, ['h'] = IS, ['i'] = IS, ['j'] = IS, ['k'] = IS, ['l'] = IS, ['m'] = IS, ['n'] = IS,
    ['o'] = IS, ['p'] = IS, ['q'] = IS, ['r'] = IS, ['s'] = IS, ['t'] = IS, ['u'] = IS, ['v'] = IS, ['w'] = IS,
    ['x'] = IS, ['y'] = IS, ['z'] = IS,
};
#undef IS

/* Object ids are all of one piece: what needs no escape is copied at once. The NUL behind all ends it too. */
static int put_percent(coder_t *coder)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *in = coder->in, *const end = coder->in_end;
    char *out = coder->out;

    for (;;) {
        const char *run = in;
        unsigned char c;

        while (unreserved[(unsigned char)*in]) {
            in++;
        }
        if (in - run > coder->out_end - out) {
            return 0;
        }
        memcpy(out, run, (apr_size_t)(in - run));
        out += in - run;
        if (in == end || *in == ';') {
            break;
        }
        in += *in == '\\' && in + 1 < end;
        c = (unsigned char)*in++;
        if (coder->out_end - out < 3) {
            return 0;
        }
        *out++ = '%';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 0xf];
    }
    coder->in = in;
    coder->out = out;
    return 1;
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

static int put_base64(coder_t *coder, apr_pool_t *pool)
{
    const char *value = coder->in, *const end = find_end(value, coder->in_end);
    apr_size_t len = (apr_size_t)(end - value), size;

    if (memchr(value, '\\', len)) {
        char *plain = apr_palloc(pool, len);

        len = unescape(plain, value, end);
        value = plain;
    }
    size = (len + 2) / 3 * 4;
    if (size > (apr_size_t)(coder->out_end - coder->out)) {
        return 0;
    }
    apr_encode_base64(coder->out, value, (apr_ssize_t)len, APR_ENCODE_NONE, NULL);
    coder->in = end;
    coder->out += size;
    return 1;
}

/* Each value by itself, as many as fit. */
static int write_encoded(const char **text, const es_header_values_t *values, es_header_encoding_t encoding,
                         apr_size_t limit, apr_pool_t *pool)
{
    /* No code makes more than four octets of one; apr_encode_base64 puts a NUL behind them. */
    const apr_size_t size = limit < 4 * values->len ? limit : 4 * values->len;
    char *begin = apr_palloc(pool, size + 1), *whole = begin;
    coder_t coder = { values->joined, values->joined + values->len, begin, begin + size };
    int n = 0;

    while (n < values->count && (encoding == ES_HEADER_PERCENT ? put_percent(&coder) : put_base64(&coder, pool))) {
        n++;
        whole = coder.out;
        if (n < values->count) {
            if (coder.out == coder.out_end || coder.in == coder.in_end) {
                break;
            }
            *coder.out++ = ';';
            coder.in++;
        }
    }
    *whole = '\0';
    *text = n > 0 ? begin : NULL;
    return n;
}

/* ---- utf8 ---------------------------------------------------------------------------------------------------- */

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
    const char *text = encoding == ES_HEADER_UTF8      ? es_header_clean(one, pool)
                       : encoding == ES_HEADER_PERCENT ? es_codec_url_encode(one, pool)
                                                       : es_codec_base64_encode(es_bytes_of(one), pool);

    return strlen(text) <= limit ? text : NULL;
}
