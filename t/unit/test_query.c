/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Messages by redirect: what a signature covers in whatever order and escapes it is written, and each way to be refused.
 */
#include "signer.h"
#include "unit.h"

#include "base/codec.h"
#include "saml/query.h"

#include <apr_lib.h>
#include <apr_strings.h>

#define MORE "http://www.w3.org/2001/04/xmldsig-more#"
#define XML "<a>+/ \xc3\xa9</a>"

static signer_t *signer;
static es_keys_t *keys;

/* A query's parameters, escaped. NULL: left out. */
typedef struct {
    const char *message, *relay_state, *algorithm, *signature;
} parts_t;

static void add_key(const signer_t *from)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_keys_add(keys, from->certificate, &why), ES_OK, why);
}

static void make_keys(void)
{
    signer = signer_make(2048, 30, unit_pool);
    keys = es_keys_make(unit_pool);
    add_key(signer);
}

/* As .NET writes it: %2b and not %2B. */
static const char *escape_low(const char *text)
{
    char *escaped = apr_pstrdup(unit_pool, es_codec_url_encode(text, unit_pool)), *c;

    for (c = escaped; *c; c++) {
        if (*c == '%') {
            c[1] = (char)apr_tolower(c[1]);
            c[2] = (char)apr_tolower(c[2]);
        }
    }
    return escaped;
}

/* A message without a gap, as a stranger writes it. */
static es_bytes_t deflated_of(es_bytes_t in)
{
    apr_size_t no_gap;

    return es_codec_deflate(&no_gap, in, 0, unit_pool);
}

static const char *pack(es_bytes_t xml)
{
    return escape_low(es_codec_base64_encode(deflated_of(xml), unit_pool));
}

static const char *sign(const char *text, const EVP_MD *digest, const signer_t *by)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char value[512];
    size_t len = sizeof value;

    ck_assert_int_eq(EVP_DigestSignInit(context, NULL, digest, NULL, by->key), 1);
    ck_assert_int_eq(EVP_DigestSign(context, value, &len, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    return escape_low(es_codec_base64_encode(es_bytes(value, len), unit_pool));
}

static parts_t signed_by(const signer_t *by, const char *name, const char *relay_state, const char *algorithm,
                         const EVP_MD *digest)
{
    parts_t parts = { .message = pack(es_bytes_of(XML)), .relay_state = relay_state };
    const char *text;

    parts.algorithm = escape_low(algorithm);
    text = apr_pstrcat(unit_pool, name, "=", parts.message, relay_state ? "&RelayState=" : "",
                       relay_state ? relay_state : "", "&SigAlg=", parts.algorithm, NULL);
    parts.signature = sign(text, digest, by);
    return parts;
}

static parts_t good(const char *relay_state)
{
    return signed_by(signer, "SAMLRequest", relay_state, MORE "rsa-sha256", EVP_sha256());
}

static es_rv_t open_text(es_query_t **query, const char *text, int takes_unsigned, es_why_t *why)
{
    es_bytes_t message = { NULL, 0 };
    int is_signed = -1;
    es_rv_t rv = es_query_read(query, es_bytes_of(text), why, unit_pool);

    if (rv == ES_OK) {
        ck_assert_ptr_nonnull(*query);
        rv = es_query_open(&message, &is_signed, *query, keys, takes_unsigned, why, unit_pool);
    }
    if (rv == ES_OK) {
        ck_assert_mem_eq(message.data, XML, strlen(XML) + 1);
        ck_assert_uint_eq(message.len, strlen(XML));
        ck_assert_int_eq(is_signed, (*query)->signature != NULL);
    } else {
        ck_assert_ptr_null(message.data);
        ck_assert_int_eq(is_signed, -1);
    }
    return rv;
}

static const char *joined(const parts_t *parts, const char *name)
{
    return apr_pstrcat(unit_pool, name, "=", parts->message, parts->relay_state ? "&RelayState=" : "",
                       parts->relay_state ? parts->relay_state : "", parts->signature ? "&Signature=" : "",
                       parts->signature ? parts->signature : "", parts->algorithm ? "&SigAlg=" : "",
                       parts->algorithm ? parts->algorithm : "", NULL);
}

static void opens(const char *text)
{
    es_why_t why = ES_WHY_INIT;
    es_query_t *query = NULL;

    ck_assert_reason(open_text(&query, text, 0, &why), ES_OK, why);
}

static void refused(const char *text, int takes_unsigned, es_rv_t rv)
{
    es_why_t why = ES_WHY_INIT;
    es_query_t *query = NULL;

    ck_assert_reason(open_text(&query, text, takes_unsigned, &why), rv, why);
}

START_TEST(as_microsoft_writes_it)
{
    static const char *const relay_states[] = { NULL, "", "a%2fb%2bc+d%3d", "A%2Fb" };
    parts_t parts = good(relay_states[_i]);
    es_why_t why = ES_WHY_INIT;
    es_query_t *query = NULL;

    ck_assert_reason(open_text(&query, joined(&parts, "SAMLRequest"), 0, &why), ES_OK, why);
    ck_assert_int_eq(query->is_response, 0);
    if (_i == 2) {
        ck_assert_str_eq(query->relay_state, "a/b+c d=");
    } else if (_i == 0) {
        ck_assert_ptr_null(query->relay_state);
    }
}
END_TEST

START_TEST(any_order_and_others_between)
{
    const parts_t p = good("r");
    const char *const orders[] = {
        apr_pstrcat(unit_pool, "Signature=", p.signature, "&SigAlg=", p.algorithm,
                    "&RelayState=r&SAMLRequest=", p.message, NULL),
        apr_pstrcat(unit_pool, "SigAlg=", p.algorithm, "&SAMLRequest=", p.message, "&Signature=", p.signature,
                    "&RelayState=r", NULL),
        apr_pstrcat(unit_pool, "x=%zz&y&&McasTsid=1&SAMLRequest=", p.message,
                    "&SAMLEncoding=e&RelayState=r&SigAlg=", p.algorithm, "&Signature=", p.signature, "&z", NULL),
    };

    opens(orders[_i]);
}
END_TEST

START_TEST(every_algorithm)
{
    static const char *const names[] = { MORE "rsa-sha256", MORE "rsa-sha384", MORE "rsa-sha512" };
    const EVP_MD *digests[] = { EVP_sha256(), EVP_sha384(), EVP_sha512() };
    const parts_t parts = signed_by(signer, "SAMLResponse", "r", names[_i], digests[_i]);
    es_why_t why = ES_WHY_INIT;
    es_query_t *query = NULL;

    ck_assert_reason(open_text(&query, joined(&parts, "SAMLResponse"), 0, &why), ES_OK, why);
    ck_assert_int_eq(query->is_response, 1);
}
END_TEST

START_TEST(every_key)
{
    signer_t *second = signer_make(2048, -30, unit_pool), *third = signer_make(3072, 30, unit_pool);
    parts_t parts = signed_by(third, "SAMLRequest", NULL, MORE "rsa-sha256", EVP_sha256());

    refused(joined(&parts, "SAMLRequest"), 0, ES_LOGOUT_SIGNATURE);
    add_key(second);
    add_key(third);
    opens(joined(&parts, "SAMLRequest"));
    parts = signed_by(second, "SAMLRequest", NULL, MORE "rsa-sha256", EVP_sha256());
    opens(joined(&parts, "SAMLRequest"));
}
END_TEST

START_TEST(not_a_message)
{
    static const char *const texts[] = { "", "return=/page", "SAMLRequests=a&samlrequest=b",
                                         "RelayState=a&RelayState=b" };
    es_query_t *query = (es_query_t *)&query;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_query_read(&query, es_bytes_of(texts[_i]), &why, unit_pool), ES_OK, why);
    ck_assert_ptr_null(query);
}
END_TEST

static const char *const malformed[] = {
    "SAMLRequest=a&SAMLResponse=b",
    "SAMLRequest=a&SAMLRequest=b",
    "SAMLRequest=a&SAML%52equest=b",
    "SAMLRequest=a&RelayState=a&RelayState=a",
    "SAMLRequest=a&SigAlg=a&SigAlg=b",
    "SAMLRequest=a&Signature=a&%53ignature=b",
    "SAMLResponse=%",
    "SAMLRequest=a&RelayState=%00",
    "SAMLRequest=a&Signature=%4",
    "SAMLRequest=a&%zz=1",
};

START_TEST(malformed_queries)
{
    es_query_t *query = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_query_read(&query, es_bytes_of(malformed[_i]), &why, unit_pool), ES_LOGOUT_MALFORMED, why);
    ck_assert_ptr_null(query);
}
END_TEST

/* Unsigned is what has no Signature; half a signature is a wrong one, also where unsigned is good enough. */
START_TEST(unsigned_messages)
{
    parts_t parts = good("r");
    es_why_t why = ES_WHY_INIT;
    es_query_t *query = NULL;

    parts.signature = NULL;
    refused(joined(&parts, "SAMLRequest"), 0, ES_LOGOUT_UNSIGNED);
    parts.algorithm = NULL;
    refused(joined(&parts, "SAMLRequest"), 0, ES_LOGOUT_UNSIGNED);
    ck_assert_reason(open_text(&query, joined(&parts, "SAMLRequest"), 1, &why), ES_OK, why);
    parts = good("r");
    parts.algorithm = NULL;
    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_ALGORITHM);
    parts = good("r");
    parts.signature = "";
    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_SIGNATURE);
}
END_TEST

START_TEST(algorithms_refused)
{
    static const char *const names[] = { "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
                                         MORE "rsa-sha224",
                                         MORE "rsa-md5",
                                         MORE "hmac-sha256",
                                         MORE "ecdsa-sha256",
                                         "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
                                         MORE "rsa-sha256 ",
                                         MORE "RSA-SHA256",
                                         "" };
    const parts_t parts = signed_by(signer, "SAMLRequest", NULL, names[_i], _i == 0 ? EVP_sha1() : EVP_sha256());

    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_ALGORITHM);
}
END_TEST

/* Everything the signature covers, and its own octets. */
START_TEST(altered)
{
    parts_t parts = good("r");
    const char *const other = pack(es_bytes_of("<b/>")), *message = parts.message;

    parts.message = other;
    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_SIGNATURE);
    parts.message = message;
    parts.relay_state = "s";
    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_SIGNATURE);
    parts.relay_state = NULL;
    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_SIGNATURE);
    parts.relay_state = "%72"; /* the same, written otherwise: other octets */
    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_SIGNATURE);
    parts = good("r");
    refused(joined(&parts, "SAMLResponse"), 1, ES_LOGOUT_SIGNATURE);
    parts.algorithm = escape_low(MORE "rsa-sha512");
    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_SIGNATURE);
    parts = good("r");
    parts.signature = apr_pstrcat(unit_pool, parts.signature, "+", NULL);
    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_SIGNATURE);
}
END_TEST

START_TEST(another_key)
{
    const parts_t parts =
        signed_by(signer_make(2048, 30, unit_pool), "SAMLRequest", NULL, MORE "rsa-sha256", EVP_sha256());

    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_SIGNATURE);
}
END_TEST

/* Verified first: what is not even DEFLATE is first of all not signed. */
START_TEST(not_inflated_before_it_is_verified)
{
    refused("SAMLRequest=AAAA", 0, ES_LOGOUT_UNSIGNED);
    refused("SAMLRequest=AAAA&Signature=AAAA&SigAlg=" MORE "rsa-sha256", 1, ES_LOGOUT_SIGNATURE);
}
END_TEST

/* Base64 and DEFLATE that are none, cut off, with something behind, or a bomb. */
START_TEST(not_a_deflated_message)
{
    const es_bytes_t zeros = es_bytes(
        memset(apr_palloc(unit_pool, ES_QUERY_MAX_OCTETS + 1), 48, ES_QUERY_MAX_OCTETS + 1), ES_QUERY_MAX_OCTETS + 1);
    const es_bytes_t packed = deflated_of(es_bytes_of(XML));
    const char *const texts[] = {
        "",
        "A",
        "!!!!",
        "AA==",
        es_codec_base64_encode(es_bytes(packed.data, packed.len - 1), unit_pool),
        es_codec_base64_encode(
            es_bytes(
                apr_pstrcat(unit_pool, apr_pstrmemdup(unit_pool, (const char *)packed.data, packed.len), "x", NULL),
                packed.len + 1),
            unit_pool),
        es_codec_base64_encode(es_bytes_of(XML), unit_pool),
        es_codec_base64_encode(deflated_of(zeros), unit_pool),
    };
    const parts_t parts = { .message = escape_low(texts[_i]) };

    refused(joined(&parts, "SAMLRequest"), 1, ES_LOGOUT_MALFORMED);
}
END_TEST

Suite *suite_query(void)
{
    Suite *suite = suite_create("query");
    TCase *tcase = unit_case(suite, "query");

    tcase_add_checked_fixture(tcase, make_keys, NULL);
    tcase_add_loop_test(tcase, as_microsoft_writes_it, 0, 4);
    tcase_add_loop_test(tcase, any_order_and_others_between, 0, 3);
    tcase_add_loop_test(tcase, every_algorithm, 0, 3);
    tcase_add_test(tcase, every_key);
    tcase_add_loop_test(tcase, not_a_message, 0, 4);
    tcase_add_loop_test(tcase, malformed_queries, 0, sizeof malformed / sizeof malformed[0]);
    tcase_add_test(tcase, unsigned_messages);
    tcase_add_loop_test(tcase, algorithms_refused, 0, 9);
    tcase_add_test(tcase, altered);
    tcase_add_test(tcase, another_key);
    tcase_add_test(tcase, not_inflated_before_it_is_verified);
    tcase_add_loop_test(tcase, not_a_deflated_message, 0, 8);
    return suite;
}
