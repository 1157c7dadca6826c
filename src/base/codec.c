/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The alphabets and the DEFLATE are OpenSSL's and zlib's. What stands here is strictness (neither library has it) and
 * the encodings nobody offers in the form we need.
 */
#include "base/codec.h"

#include <apr_escape.h>
#include <apr_strings.h>
#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <zlib.h>

/* EVP_EncodeBlock and EVP_DecodeBlock count in int. */
#define ENCODE_MAX ((apr_size_t)INT_MAX / 4 * 3 - 3)

/* What the heads of two more blocks take at most. */
#define BLOCKS_ROOM 32

static char *encode_block(apr_size_t *len, es_bytes_t in, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, (in.len + 2) / 3 * 4 + 1);

    *len = (apr_size_t)EVP_EncodeBlock((unsigned char *)text, in.data, (int)in.len);
    return text;
}

/* EVP_DecodeBlock trims white space (then it returns less), takes = for A in any place and drops stray bits of the last
 * quantum. So no = may stand before that, and encoding it again gives its one canonical text (RFC 4648 section 3.5),
 * which everything else differs from. */
static es_bytes_t decode_block(es_bytes_t in, apr_pool_t *pool)
{
    es_bytes_t miss = { NULL, 0 };
    unsigned char *data, canonical[5];
    apr_size_t len, last;

    if (in.len == 0 || in.len % 4 != 0 || in.len > ENCODE_MAX || memchr(in.data, '=', in.len - 4)) {
        return miss;
    }
    data = apr_palloc(pool, in.len / 4 * 3 + 1);
    if (EVP_DecodeBlock(data, in.data, (int)in.len) != (int)(in.len / 4 * 3)) {
        return miss;
    }
    len = in.len / 4 * 3 - (in.data[in.len - 1] == '=') - (in.data[in.len - 2] == '=');
    last = in.len / 4 * 3 - 3;
    EVP_EncodeBlock(canonical, data + last, (int)(len - last));
    if (memcmp(canonical, in.data + in.len - 4, 4) != 0) {
        return miss;
    }
    data[len] = '\0';
    return es_bytes(data, len);
}

es_rv_t es_codec_base64_decode(es_bytes_t *out, es_bytes_t in, es_why_t *why, apr_pool_t *pool)
{
    es_bytes_t data = decode_block(in, pool);

    if (!data.data) {
        return es_fail(why, ES_BASE64_INVALID, "%" APR_SIZE_T_FMT " octets that are not canonical base64", in.len);
    }
    *out = data;
    return ES_OK;
}

const char *es_codec_base64_encode(es_bytes_t in, apr_pool_t *pool)
{
    apr_size_t len;

    return encode_block(&len, in, pool);
}

es_bytes_t es_codec_base64_binary(const char *in, apr_pool_t *pool)
{
    char *packed = apr_palloc(pool, strlen(in) + 1);
    apr_size_t len = 0;

    for (; *in; in++) {
        if (!strchr(" \t\r\n", *in)) {
            packed[len++] = *in;
        }
    }
    return decode_block(es_bytes(packed, len), pool);
}

es_bytes_t es_codec_base64url_decode(const char *in, apr_pool_t *pool)
{
    es_bytes_t miss = { NULL, 0 };
    apr_size_t i, len = strlen(in), padded = (len + 3) / 4 * 4;
    char *text;

    if (len > ENCODE_MAX) {
        return miss;
    }
    text = apr_palloc(pool, padded);
    for (i = 0; i < len; i++) {
        if (in[i] == '+' || in[i] == '/' || in[i] == '=') {
            return miss;
        }
        text[i] = (char)(in[i] == '-' ? '+' : in[i] == '_' ? '/' : in[i]);
    }
    memset(text + len, '=', padded - len);
    return decode_block(es_bytes(text, padded), pool);
}

const char *es_codec_base64url_encode(es_bytes_t in, apr_pool_t *pool)
{
    apr_size_t i, len;
    char *text = encode_block(&len, in, pool);

    for (i = 0; i < len && text[i] != '='; i++) {
        text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    }
    text[i] = '\0';
    return text;
}

const char *es_codec_hex(es_bytes_t in, apr_pool_t *pool)
{
    return apr_pescape_hex(pool, in.data, in.len, 0);
}

/* zlib's working memory comes from a pool, so that deflate has no way to fail. */
static voidpf pool_alloc(voidpf pool, uInt items, uInt size)
{
    return apr_palloc(pool, (apr_size_t)items * size);
}

static void pool_keep(voidpf pool, voidpf address)
{
    (void)pool;
    (void)address;
}

static void feed(z_stream *stream, const unsigned char *octets, apr_size_t len, int flush)
{
    stream->next_in = (z_const Bytef *)octets;
    stream->avail_in = (uInt)len;
    deflate(stream, flush);
}

/* Level 0 puts the gap into a stored block (RFC 1951 section 3.2.4), which begins and ends with an octet. What follows
 * refers back to what comes before, but never to the gap: it holds no NUL. */
es_bytes_t es_codec_deflate(apr_size_t *gap_at, es_bytes_t in, apr_size_t gap, apr_pool_t *pool)
{
    const unsigned char *nul = gap ? memchr(in.data, '\0', in.len) : NULL;
    const apr_size_t before = nul ? (apr_size_t)(nul - in.data) : 0;
    z_stream stream = { 0 };
    apr_pool_t *scratch;
    unsigned char *data;
    apr_size_t room;

    apr_pool_create(&scratch, pool);
    stream.zalloc = pool_alloc;
    stream.zfree = pool_keep;
    stream.opaque = scratch;
    deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY);
    room = deflateBound(&stream, in.len) + BLOCKS_ROOM;
    data = apr_palloc(pool, room + 1);
    stream.next_out = data;
    stream.avail_out = (uInt)room;
    feed(&stream, in.data, before, Z_BLOCK);
    deflateParams(&stream, Z_NO_COMPRESSION, Z_DEFAULT_STRATEGY);
    feed(&stream, in.data + before, gap, Z_BLOCK);
    *gap_at = stream.total_out - gap;
    deflateParams(&stream, Z_BEST_COMPRESSION, Z_DEFAULT_STRATEGY);
    feed(&stream, in.data + before + gap, in.len - before - gap, Z_FINISH);
    data[stream.total_out] = '\0';
    deflateEnd(&stream);
    apr_pool_destroy(scratch);
    return es_bytes(data, stream.total_out);
}

es_bytes_t es_codec_inflate(es_bytes_t in, apr_size_t limit, apr_pool_t *pool)
{
    unsigned char *data = apr_palloc(pool, limit + 1);
    z_stream stream = { 0 };
    int rv;

    stream.zalloc = pool_alloc;
    stream.zfree = pool_keep;
    stream.opaque = pool;
    inflateInit2(&stream, -MAX_WBITS);
    stream.next_in = (z_const Bytef *)in.data;
    stream.avail_in = (uInt)in.len;
    stream.next_out = data;
    stream.avail_out = (uInt)limit;
    rv = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    if (rv != Z_STREAM_END || stream.avail_in > 0) {
        return es_bytes(NULL, 0);
    }
    data[stream.total_out] = '\0';
    return es_bytes(data, stream.total_out);
}

static int is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

const char *es_codec_url_encode(const char *in, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    char *text = apr_palloc(pool, strlen(in) * 3 + 1), *end = text;

    for (; *in; in++) {
        unsigned char c = (unsigned char)*in;

        if (is_unreserved(c)) {
            *end++ = (char)c;
        } else {
            *end++ = '%';
            *end++ = digits[c >> 4];
            *end++ = digits[c & 0xf];
        }
    }
    *end = '\0';
    return text;
}

static int hex_value(unsigned char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Takes one decoded octet off the front; 0 for a broken escape and for a NUL, escaped or not. */
static unsigned char form_octet(es_bytes_t *in)
{
    int c = in->data[0], width = 1;

    if (c == '+') {
        c = ' ';
    } else if (c == '%') {
        int high = in->len >= 3 ? hex_value(in->data[1]) : -1;
        int low = high >= 0 ? hex_value(in->data[2]) : -1;

        if (low < 0) {
            return 0;
        }
        c = high << 4 | low;
        width = 3;
    }
    *in = es_bytes(in->data + width, in->len - width);
    return (unsigned char)c;
}

/* NULL when the value is malformed. */
static const char *form_value(es_bytes_t in, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, in.len + 1), *end = text;
    apr_size_t i = 0;

    while (i < in.len) {
        unsigned char c = in.data[i];

        /* Most of a value, and the SAMLResponse is long, stands for itself. */
        if (c != '%' && c != '+' && c != '\0') {
            i++;
        } else {
            es_bytes_t rest = es_bytes(in.data + i, in.len - i);

            if ((c = form_octet(&rest)) == 0) {
                return NULL;
            }
            i = in.len - rest.len;
        }
        *end++ = (char)c;
    }
    *end = '\0';
    return text;
}

/* Names are compared decoded, so that a field cannot hide its second occurrence behind an escape. -1 when this one is
 * malformed. */
static int form_name_is(es_bytes_t in, const char *name)
{
    int same = 1;

    while (in.len) {
        unsigned char c = form_octet(&in);

        if (c == 0) {
            return -1;
        }
        same = same && (unsigned char)*name++ == c;
    }
    return same && *name == '\0';
}

/* Cuts the octets up to the delimiter off the front of *rest. */
static es_bytes_t cut(es_bytes_t *rest, char delimiter)
{
    const unsigned char *end = rest->len ? memchr(rest->data, delimiter, rest->len) : NULL;
    es_bytes_t head = es_bytes(rest->data, end ? (apr_size_t)(end - rest->data) : rest->len);

    *rest = end ? es_bytes(end + 1, rest->len - head.len - 1) : es_bytes(NULL, 0);
    return head;
}

es_rv_t es_codec_form_slice(es_bytes_t *raw, es_bytes_t form, const char *name, es_why_t *why)
{
    es_bytes_t found = { NULL, 0 };

    while (form.len) {
        es_bytes_t field = cut(&form, '&');
        int same = form_name_is(cut(&field, '='), name);

        if (same < 0) {
            return es_fail(why, ES_FORM_MALFORMED, "the name of a field has a broken escape or a NUL");
        }
        if (!same) {
            continue;
        }
        if (found.data) {
            return es_fail(why, ES_FORM_MALFORMED, "the field %s stands twice", name);
        }
        found = field.data ? field : es_bytes("", 0);
    }
    *raw = found;
    return ES_OK;
}

es_rv_t es_codec_form_find(const char **value, es_bytes_t form, const char *name, es_why_t *why, apr_pool_t *pool)
{
    const char *found = NULL;
    es_bytes_t raw;
    es_rv_t rv = es_codec_form_slice(&raw, form, name, why);

    if (rv != ES_OK) {
        return rv;
    }
    if (raw.data && !(found = form_value(raw, pool))) {
        return es_fail(why, ES_FORM_MALFORMED, "the field %s has a broken escape or a NUL", name);
    }
    *value = found;
    return ES_OK;
}

static const char *html_entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

const char *es_codec_html(const char *in, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, strlen(in) * 6 + 1), *end = text;

    for (; *in; in++) {
        const char *entity = html_entity(*in);

        if (entity) {
            end = apr_cpystrn(end, entity, 7);
        } else if ((unsigned char)*in >= 0x20 && *in != 0x7f) {
            *end++ = *in;
        }
    }
    *end = '\0';
    return text;
}

/* The length of the UTF-8 character at the start, 0 where there is none. */
static apr_size_t utf8_length(const unsigned char *in, apr_size_t most)
{
    unsigned long character;
    int len = UTF8_getc(in, most < 4 ? (int)most : 4, &character);

    return len > 0 && character <= 0x10ffff && (character < 0xd800 || character > 0xdfff) ? (apr_size_t)len : 0;
}

int es_codec_is_utf8(es_bytes_t in)
{
    apr_size_t at = 0, len = 1;

    while (at < in.len && (len = utf8_length(in.data + at, in.len - at)) > 0) {
        at += len;
    }
    return at == in.len;
}

/* JSON text must be UTF-8 (RFC 8259 section 8.1), our input need not be. */
const char *es_codec_json(const char *in, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, strlen(in) * 6 + 3), *end = text;

    *end++ = '"';
    while (*in) {
        apr_size_t len = utf8_length((const unsigned char *)in, strnlen(in, 4));

        if (len == 0) {
            end += sprintf(end, "\\ufffd");
            len = 1;
        } else if (len > 1) {
            memcpy(end, in, len);
            end += len;
        } else if (*in == '"' || *in == '\\') {
            *end++ = '\\';
            *end++ = *in;
        } else if ((unsigned char)*in < 0x20 || *in == 0x7f || strchr("<>&", *in)) {
            end += sprintf(end, "\\u%04x", (unsigned)*in);
        } else {
            *end++ = *in;
        }
        in += len;
    }
    *end++ = '"';
    *end = '\0';
    return text;
}
