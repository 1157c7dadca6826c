/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/codec.h"
#include "unit.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

/* A length that may include NULs. */
#define OCTETS(literal)                                                                                                \
    {                                                                                                                  \
        (const unsigned char *)literal, sizeof literal - 1                                                             \
    }

/* RFC 4648 section 10, and octets that use both special characters. */
static const struct {
    es_bytes_t octets;
    const char *base64, *base64url, *hex;
} pairs[] = {
    { OCTETS("f"), "Zg==", "Zg", "66" },
    { OCTETS("fo"), "Zm8=", "Zm8", "666f" },
    { OCTETS("foo"), "Zm9v", "Zm9v", "666f6f" },
    { OCTETS("foob"), "Zm9vYg==", "Zm9vYg", "666f6f62" },
    { OCTETS("fooba"), "Zm9vYmE=", "Zm9vYmE", "666f6f6261" },
    { OCTETS("foobar"), "Zm9vYmFy", "Zm9vYmFy", "666f6f626172" },
    { OCTETS("\0"), "AA==", "AA", "00" },
    { OCTETS("\0\0\0"), "AAAA", "AAAA", "000000" },
    { OCTETS("\xff"), "/w==", "_w", "ff" },
    { OCTETS("\xfb\xff\xbf"), "+/+/", "-_-_", "fbffbf" },
};

START_TEST(published_pair)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t octets = pairs[_i].octets, decoded;

    ck_assert_str_eq(es_codec_base64_encode(octets, unit_pool), pairs[_i].base64);
    ck_assert_str_eq(es_codec_base64url_encode(octets, unit_pool), pairs[_i].base64url);
    ck_assert_str_eq(es_codec_hex(octets, unit_pool), pairs[_i].hex);
    ck_assert_reason(es_codec_base64_decode(&decoded, es_bytes_of(pairs[_i].base64), &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq(decoded.len, octets.len);
    ck_assert_mem_eq(decoded.data, octets.data, octets.len);
    ck_assert_int_eq(decoded.data[decoded.len], '\0');
    decoded = es_codec_base64url_decode(pairs[_i].base64url, unit_pool);
    ck_assert_uint_eq(decoded.len, octets.len);
    ck_assert_mem_eq(decoded.data, octets.data, octets.len);
}
END_TEST

START_TEST(nothing_encodes_to_nothing)
{
    ck_assert_str_eq(es_codec_base64_encode(es_bytes("", 0), unit_pool), "");
    ck_assert_str_eq(es_codec_base64url_encode(es_bytes("", 0), unit_pool), "");
    ck_assert_str_eq(es_codec_hex(es_bytes("", 0), unit_pool), "");
}
END_TEST

static const es_bytes_t no_base64[] = {
    OCTETS(""),
    /* padding: missing, too much, alone, inside */
    OCTETS("Zg"),
    OCTETS("Zg="),
    OCTETS("Zm8"),
    OCTETS("Zg==="),
    OCTETS("Zg===="),
    OCTETS("===="),
    OCTETS("Z==="),
    OCTETS("="),
    OCTETS("Zm9v===="),
    OCTETS("Zg==Zg=="),
    OCTETS("Z=9v"),
    OCTETS("Zm=v"),
    OCTETS("=m9v"),
    /* stray bits in the last quantum (RFC 4648 section 3.5) */
    OCTETS("Zh=="),
    OCTETS("Zv=="),
    OCTETS("Zm9="),
    OCTETS("Zm+="),
    OCTETS("//=="),
    OCTETS("//+="),
    /* white space, line breaks, comments in every place */
    OCTETS(" Zm9v"),
    OCTETS("Zm9v "),
    OCTETS("Zm9v    "),
    OCTETS("    Zm9v"),
    OCTETS("Zm9v\n"),
    OCTETS("Zm9v\r\n"),
    OCTETS("Zm9v\nYmFy"),
    OCTETS("Zm 9"),
    OCTETS("Zm9v\t\t\t\t"),
    OCTETS("Zg== "),
    OCTETS("Zg==\n\n\n\n"),
    OCTETS("-"),
    OCTETS("Zm9v-"),
    OCTETS("Zm9v----"),
    /* other alphabets, other octets */
    OCTETS("-_-_"),
    OCTETS("Zm9\0"),
    OCTETS("\0\0\0\0"),
    OCTETS("Zm9v\0\0\0\0"),
    OCTETS("Zm9\xc3"),
    OCTETS("Zm%3"),
    OCTETS("Z.9v"),
    OCTETS("!m9v"),
    OCTETS("Zm,v"),
    OCTETS("Zm~v"),
};

START_TEST(base64_is_strict)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t out = OCTETS("untouched");

    ck_assert_reason(es_codec_base64_decode(&out, no_base64[_i], &why, unit_pool), ES_BASE64_INVALID, why);
    ck_assert_uint_eq(out.len, 9);
}
END_TEST

static const char *const no_base64url[] = { "",    "Z",   "Zg==", "Zm8=", "Zh",    "Zm9",   "+/+/", "-/-/",
                                            "Zg ", " Zg", "Zm\n", "A",    "AAAAA", "=",     "==",   "Zm9v=",
                                            "Z.g", "Zg%", "\xff", "AB",   "AAB",   "Zm9v\n" };

START_TEST(base64url_is_strict)
{
    ck_assert_msg(!es_codec_base64url_decode(no_base64url[_i], unit_pool).data, "%s", no_base64url[_i]);
}
END_TEST

/* White space anywhere, and otherwise as strict. */
START_TEST(base64_of_xml)
{
    static const char *const good[] = { "Zm9v", " Zm9v", "Zm9v\n", "Z m\t9\r\nv", "\n\nZm9v\n" };
    static const char *const bad[] = { "",
                                       " ",
                                       "Zm9",
                                       "Zm 9",
                                       "Zm9v=",
                                       "Zm-v",
                                       "Zm\v9v",
                                       "Zm\xc2\xa0"
                                       "9v" };
    es_bytes_t out;
    size_t i;

    for (i = 0; i < sizeof good / sizeof *good; i++) {
        out = es_codec_base64_binary(good[i], unit_pool);
        ck_assert_uint_eq(out.len, 3);
        ck_assert_mem_eq(out.data, "foo", 3);
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_ptr_null(es_codec_base64_binary(bad[i], unit_pool).data);
    }
}
END_TEST

/* Every text of four characters is either canonical or refused: exactly 2^24 + 2^16 + 2^8 of the 65^4 that padding and
 * alphabet allow. Here the last quantum's two and three character forms in full. */
START_TEST(one_text_an_octet)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char text[3] = { 0 };
    int a, b, accepted = 0;

    for (a = 0; a < 64; a++) {
        for (b = 0; b < 64; b++) {
            text[0] = alphabet[a];
            text[1] = alphabet[b];
            accepted += es_codec_base64url_decode(text, unit_pool).data != NULL;
        }
    }
    ck_assert_int_eq(accepted, 256);
}
END_TEST

/* The input need not end in a NUL, and nothing behind it is read. */
START_TEST(exact_length)
{
    es_why_t why = ES_WHY_INIT;
    char *text = malloc(4);
    es_bytes_t out;

    memcpy(text, "Zm9v", 4);
    ck_assert_reason(es_codec_base64_decode(&out, es_bytes(text, 4), &why, unit_pool), ES_OK, why);
    free(text);
    ck_assert_str_eq((const char *)out.data, "foo");
}
END_TEST

static es_bytes_t pattern(apr_size_t len)
{
    unsigned char *data = apr_palloc(unit_pool, len + 1);
    unsigned state = 1;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        state = state * 1103515245 + 12345;
        data[i] = (unsigned char)(state >> 16);
    }
    return es_bytes(data, len);
}

static const apr_size_t sizes[] = { 1, 2, 3, 47, 48, 49, 250, 251, 762, 763, 1000, 65535, 1048576 };

START_TEST(base64_round_trip)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t octets = pattern(sizes[_i]), out;
    const char *text = es_codec_base64_encode(octets, unit_pool);

    ck_assert_reason(es_codec_base64_decode(&out, es_bytes_of(text), &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq(out.len, octets.len);
    ck_assert_mem_eq(out.data, octets.data, out.len);
    out = es_codec_base64url_decode(es_codec_base64url_encode(octets, unit_pool), unit_pool);
    ck_assert_uint_eq(out.len, octets.len);
    ck_assert_mem_eq(out.data, octets.data, out.len);
}
END_TEST

static es_bytes_t inflate_raw(es_bytes_t in, apr_size_t expected)
{
    z_stream stream = { 0 };
    unsigned char *data = apr_palloc(unit_pool, expected + 1);

    ck_assert_int_eq(inflateInit2(&stream, -MAX_WBITS), Z_OK);
    stream.next_in = (z_const Bytef *)in.data;
    stream.avail_in = (uInt)in.len;
    stream.next_out = data;
    stream.avail_out = (uInt)expected + 1;
    ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(stream.avail_in, 0);
    inflateEnd(&stream);
    return es_bytes(data, stream.total_out);
}

/* The place is filled with octets that the rest would gladly refer to, if it could. */
static void check_deflate(const char *before, apr_size_t gap, const char *after)
{
    const apr_size_t head = strlen(before), tail = strlen(after), len = head + gap + tail;
    char *whole = apr_pcalloc(unit_pool, len + 1);
    apr_size_t gap_at = 0;
    unsigned char *filled;
    es_bytes_t deflated, out;

    memcpy(whole, before, head);
    memcpy(whole + head + gap, after, tail);
    deflated = es_codec_deflate(&gap_at, es_bytes(whole, len), gap, unit_pool);
    ck_assert_int_eq(deflated.data[deflated.len], '\0');
    ck_assert_uint_le(gap_at + gap, deflated.len);
    filled = apr_pmemdup(unit_pool, deflated.data, deflated.len);
    memset(filled + gap_at, 'a', gap);
    memset(whole + head, 'a', gap);
    out = inflate_raw(es_bytes(filled, deflated.len), len);
    ck_assert_uint_eq(out.len, len);
    ck_assert_mem_eq(out.data, whole, len);
}

START_TEST(deflate_round_trip)
{
    static const apr_size_t gaps[] = { 0, 1, 82, 32767 };
    char *alike = apr_pcalloc(unit_pool, sizes[_i] + 1);
    char *mixed = apr_pcalloc(unit_pool, sizes[_i] + 1);
    es_bytes_t octets = pattern(sizes[_i]);
    apr_size_t i;

    memset(alike, 'a', sizes[_i]);
    for (i = 0; i < sizes[_i]; i++) {
        mixed[i] = (char)(octets.data[i] ? octets.data[i] : 1); /* does not shrink */
    }
    for (i = 0; i < COUNT(gaps); i++) {
        check_deflate(alike, gaps[i], mixed);
        check_deflate(mixed, gaps[i], alike);
        check_deflate(alike, gaps[i], alike);
        check_deflate(mixed, gaps[i], mixed);
        check_deflate("", gaps[i], alike);
        check_deflate(mixed, gaps[i], "");
    }
}
END_TEST

START_TEST(deflate_of_nothing)
{
    check_deflate("", 0, "");
    check_deflate("", 1, "");
}
END_TEST

/* A message without a gap, as a stranger writes it. */
static es_bytes_t deflated_of(es_bytes_t in)
{
    apr_size_t no_gap;

    return es_codec_deflate(&no_gap, in, 0, unit_pool);
}

START_TEST(inflate_to_the_limit)
{
    const es_bytes_t in = pattern(sizes[_i]), deflated = deflated_of(in);
    es_bytes_t out = es_codec_inflate(deflated, in.len, unit_pool);

    ck_assert_ptr_nonnull(out.data);
    ck_assert_uint_eq(out.len, in.len);
    ck_assert_mem_eq(out.data, in.data, in.len);
    ck_assert_int_eq(out.data[out.len], '\0');
    if (in.len > 0) {
        ck_assert_ptr_null(es_codec_inflate(deflated, in.len - 1, unit_pool).data);
    }
}
END_TEST
START_TEST(inflate_misses)
{
    const es_bytes_t deflated = deflated_of(pattern(1000));
    unsigned char *longer = apr_pcalloc(unit_pool, deflated.len + 1);
    apr_size_t len;

    memcpy(longer, deflated.data, deflated.len);
    ck_assert_ptr_null(es_codec_inflate(es_bytes(longer, deflated.len + 1), 4096, unit_pool).data);
    for (len = 0; len < deflated.len; len++) {
        ck_assert_ptr_null(es_codec_inflate(es_bytes(longer, len), 4096, unit_pool).data);
    }
    ck_assert_ptr_null(es_codec_inflate(es_bytes_of("\x07not deflate"), 4096, unit_pool).data);
    ck_assert_ptr_null(es_codec_inflate(es_bytes_of("\x78\x9c\x03\x00\x00\x00\x00\x01"), 4096, unit_pool).data);
}
END_TEST

START_TEST(url_encode)
{
    ck_assert_str_eq(es_codec_url_encode("AZaz09-._~", unit_pool), "AZaz09-._~");
    ck_assert_str_eq(es_codec_url_encode("a b+c/d=e&f%g", unit_pool), "a%20b%2Bc%2Fd%3De%26f%25g");
    ck_assert_str_eq(es_codec_url_encode("!'()*\"<>\\^`{|}\x01\x7f", unit_pool),
                     "%21%27%28%29%2A%22%3C%3E%5C%5E%60%7B%7C%7D%01%7F");
    ck_assert_str_eq(es_codec_url_encode("\xc3\xa9", unit_pool), "%C3%A9");
    ck_assert_str_eq(es_codec_url_encode("", unit_pool), "");
}
END_TEST

static const struct {
    const char *form, *value; /* NULL: absent */
} fields[] = {
    { "", NULL },
    { "f=", "" },
    { "f", "" },
    { "f=a", "a" },
    { "a=b&f=c&d=e", "c" },
    { "f=a+b%20c", "a b c" },
    { "f=a%2Bb%2bc", "a+b+c" },
    { "f=%C3%A9%7f", "\xc3\xa9\x7f" },
    { "f=a=b=c", "a=b=c" },
    { "f=a;g=b", "a;g=b" },
    { "%66=a", "a" },
    { "&&f=a&&", "a" },
    { "=a&f=b", "b" },
    { "ff=a", NULL },
    { "F=a", NULL },
    { "=f", NULL },
    { "+f=a", NULL },
    { "f+=a", NULL },
    { "g=%zz&f=a", "a" },
    { "g=a&g=b&f=c", "c" },
};

START_TEST(form_field)
{
    es_why_t why = ES_WHY_INIT;
    const char *value = "untouched";

    ck_assert_reason(es_codec_form_find(&value, es_bytes_of(fields[_i].form), "f", &why, unit_pool), ES_OK, why);
    ck_assert_pstr_eq(value, fields[_i].value);
}
END_TEST

static const es_bytes_t malformed_forms[] = {
    /* twice, also behind an escape */
    OCTETS("f=a&f=b"),
    OCTETS("f=a&f=a"),
    OCTETS("f&f"),
    OCTETS("f=a&x=y&%66=b"),
    OCTETS("f=&f="),
    /* broken escapes */
    OCTETS("f=%"),
    OCTETS("f=%4"),
    OCTETS("f=%4g"),
    OCTETS("f=%g4"),
    OCTETS("f=a%&b=c"),
    OCTETS("f=% 41"),
    OCTETS("f=%+1"),
    OCTETS("%=a"),
    OCTETS("f%6=a"),
    OCTETS("x%zz=a&f=b"),
    OCTETS("f=b&%=a"),
    /* NUL: C would read less than the signer wrote */
    OCTETS("f=a\0b"),
    OCTETS("f=a%00"),
    OCTETS("f\0=a"),
    OCTETS("f%00=a"),
    OCTETS("\0"),
    OCTETS("f=a&\0"),
};

START_TEST(malformed_form)
{
    es_why_t why = ES_WHY_INIT;
    const char *value = "untouched";

    ck_assert_reason(es_codec_form_find(&value, malformed_forms[_i], "f", &why, unit_pool), ES_FORM_MALFORMED, why);
    ck_assert_str_eq(value, "untouched");
}
END_TEST

/* The octets as they stand, and where they stand. */
START_TEST(form_slice)
{
    static const char form[] = "a=1&f=%2b+%zz=&%66x=2&e=&n";
    static const char *const slices[][2] = { { "f", "%2b+%zz=" }, { "a", "1" },  { "fx", "2" }, { "e", "" },
                                             { "n", "" },         { "g", NULL }, { "F", NULL } };
    es_why_t why = ES_WHY_INIT;
    es_bytes_t raw;
    size_t i;

    for (i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        ck_assert_reason(es_codec_form_slice(&raw, es_bytes_of(form), slices[i][0], &why), ES_OK, why);
        ck_assert((raw.data != NULL) == (slices[i][1] != NULL));
        if (raw.data) {
            ck_assert_uint_eq(raw.len, strlen(slices[i][1]));
            ck_assert_mem_eq(raw.data, slices[i][1], raw.len);
        }
    }
    ck_assert_reason(es_codec_form_slice(&raw, es_bytes_of("f&x&%66=1"), "f", &why), ES_FORM_MALFORMED, why);
}
END_TEST
START_TEST(form_of_exact_length)
{
    es_why_t why = ES_WHY_INIT;
    char *form = malloc(6);
    const char *value;

    memcpy(form, "f=%41%", 6);
    ck_assert_reason(es_codec_form_find(&value, es_bytes(form, 5), "f", &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(value, "A");
    ck_assert_reason(es_codec_form_find(&value, es_bytes(form, 6), "f", &why, unit_pool), ES_FORM_MALFORMED, why);
    free(form);
}
END_TEST

START_TEST(html)
{
    ck_assert_str_eq(es_codec_html("plain text \xc3\xa9", unit_pool), "plain text \xc3\xa9");
    ck_assert_str_eq(es_codec_html("<a href=\"x\" b='y'>&amp;</a>", unit_pool),
                     "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
    ck_assert_str_eq(es_codec_html("a\x01\t\r\n\x1f\x7f"
                                   "b",
                                   unit_pool),
                     "ab");
    ck_assert_str_eq(es_codec_html("", unit_pool), "");
    ck_assert_str_eq(es_codec_html("''''''''''", unit_pool), "&#39;&#39;&#39;&#39;&#39;&#39;&#39;&#39;&#39;&#39;");
    ck_assert_str_eq(es_codec_html("\"\"\"", unit_pool), "&quot;&quot;&quot;");
}
END_TEST

static const struct {
    const char *text, *json;
} literals[] = {
    { "", "\"\"" },
    { "plain / text", "\"plain / text\"" },
    { "say \"\\\"", "\"say \\\"\\\\\\\"\"" },
    { "\x01\t\n\r\x1f\x7f", "\"\\u0001\\u0009\\u000a\\u000d\\u001f\\u007f\"" },
    { "</script>&", "\"\\u003c/script\\u003e\\u0026\"" },
    { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
    /* not UTF-8: lone, cut off, overlong, a surrogate, above U+10FFFF */
    { "a\xff"
      "b",
      "\"a\\ufffdb\"" },
    { "\xc3", "\"\\ufffd\"" },
    { "\xe2\x82", "\"\\ufffd\\ufffd\"" },
    { "\xc0\xaf", "\"\\ufffd\\ufffd\"" },
    { "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
    { "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
    { "\xf8\x88\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"" },
};

START_TEST(json)
{
    ck_assert_str_eq(es_codec_json(literals[_i].text, unit_pool), literals[_i].json);
}
END_TEST

Suite *suite_codec(void)
{
    Suite *suite = suite_create("codec");
    TCase *tcase = unit_case(suite, "base64");

    tcase_add_loop_test(tcase, published_pair, 0, COUNT(pairs));
    tcase_add_test(tcase, nothing_encodes_to_nothing);
    tcase_add_loop_test(tcase, base64_is_strict, 0, COUNT(no_base64));
    tcase_add_test(tcase, base64_of_xml);
    tcase_add_loop_test(tcase, base64url_is_strict, 0, COUNT(no_base64url));
    tcase_add_test(tcase, one_text_an_octet);
    tcase_add_test(tcase, exact_length);
    tcase_add_loop_test(tcase, base64_round_trip, 0, COUNT(sizes));
    tcase = unit_case(suite, "deflate");
    tcase_add_loop_test(tcase, deflate_round_trip, 0, COUNT(sizes));
    tcase_add_test(tcase, deflate_of_nothing);
    tcase_add_loop_test(tcase, inflate_to_the_limit, 0, COUNT(sizes));
    tcase_add_test(tcase, inflate_misses);
    tcase = unit_case(suite, "form");
    tcase_add_test(tcase, url_encode);
    tcase_add_loop_test(tcase, form_field, 0, COUNT(fields));
    tcase_add_loop_test(tcase, malformed_form, 0, COUNT(malformed_forms));
    tcase_add_test(tcase, form_slice);
    tcase_add_test(tcase, form_of_exact_length);
    tcase = unit_case(suite, "pages");
    tcase_add_test(tcase, html);
    tcase_add_loop_test(tcase, json, 0, COUNT(literals));
    return suite;
}
