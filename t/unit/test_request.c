/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/codec.h"
#include "saml/request.h"
#include "signer.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#define SSO "https://login.microsoftonline.com/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/saml2"
#define ENTITY_ID "https://app.example.com/saml/metadata"
#define REPLY_URL "https://app.example.com/saml/acs"
#define REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
#define POST "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

static const es_request_id_t some_id = { { 0x00, 0x01, 0x7f, 0x80, 0xff, 0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7, 8 } };
#define SOME_ID "_00017f80ffabcdef0102030405060708"
#define SOME_TIME "2026-03-01T12:34:56Z"

static es_request_t *make(const char *sso_url, const char *entity_id, const char *reply_url)
{
    const es_request_conf_t conf = { .sso_url = sso_url, .entity_id = entity_id, .reply_url = reply_url };
    es_request_t *request = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_request_make(&request, &conf, &why, unit_pool), ES_OK, why);
    return request;
}

static const char *asking(const es_request_t *request, const es_request_ask_t *ask, const es_request_id_t *id,
                          const char *relay_state, apr_time_t now, apr_pool_t *pool)
{
    const char *url = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_request_url(&url, request, ask, id, relay_state, now, &why, pool), ES_OK, why);
    return url;
}

static const char *url_of(const es_request_t *request, const es_request_id_t *id, const char *relay_state,
                          apr_time_t now, apr_pool_t *pool)
{
    return asking(request, NULL, id, relay_state, now, pool);
}

static es_rv_t metadata(const char **xml, const char *entity_id, const char *reply_url, const char *logout_url,
                        es_why_t *why)
{
    const es_request_sp_t sp = { .entity_id = entity_id, .reply_url = reply_url, .logout_url = logout_url };

    return es_request_metadata(xml, &sp, why, unit_pool);
}

/* A field of a URL's query, decoded; NULL where it is absent. */
static const char *field(const char *url, const char *name)
{
    const char *value = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_codec_form_find(&value, es_bytes_of(strchr(url, '?') + 1), name, &why, unit_pool), ES_OK, why);
    return value;
}

/* What Entra does with the field: base64, raw DEFLATE. */
static const char *unpack(const char *url)
{
    char *xml = apr_pcalloc(unit_pool, 16384);
    z_stream stream = { 0 };
    es_why_t why = ES_WHY_INIT;
    es_bytes_t packed;

    ck_assert_reason(es_codec_base64_decode(&packed, es_bytes_of(field(url, "SAMLRequest")), &why, unit_pool), ES_OK,
                     why);
    ck_assert_int_eq(inflateInit2(&stream, -15), Z_OK);
    stream.next_in = (Bytef *)(apr_uintptr_t)packed.data;
    stream.avail_in = (uInt)packed.len;
    stream.next_out = (Bytef *)xml;
    stream.avail_out = 16383;
    ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(stream.avail_in, 0);
    inflateEnd(&stream);
    return xml;
}

static xmlNodePtr parse(const char *xml, es_xml_kind_t kind)
{
    es_why_t why = ES_WHY_INIT;
    xmlDocPtr doc;

    ck_assert_reason(es_xml_load(&doc, es_bytes_of(xml), kind, &why, unit_pool), ES_OK, why);
    return xmlDocGetRootElement(doc);
}

/* Exactly these attributes, "name=value" with a line feed behind each, in any order. */
static void expect_attributes(const xmlNode *node, const char *expected)
{
    const xmlAttr *attribute;
    apr_size_t len = 0;

    for (attribute = node->properties; attribute; attribute = attribute->next) {
        const char *line = apr_pstrcat(unit_pool, (const char *)attribute->name, "=",
                                       es_xml_attribute(node, (const char *)attribute->name, unit_pool), "\n", NULL);

        ck_assert_msg(strstr(expected, line) != NULL, "%s not expected", line);
        ck_assert_ptr_null(attribute->ns);
        len += strlen(line);
    }
    ck_assert_uint_eq(len, strlen(expected));
}

/* The whole request: six things and nothing else. */
static void expect_request(const char *xml, const char *attributes, const char *issuer)
{
    const xmlNode *root = parse(xml, ES_XML_MESSAGE);
    xmlNodePtr child = es_xml_first(root);

    ck_assert(es_xml_is(root, ES_NS_PROTOCOL, "AuthnRequest"));
    expect_attributes(root, attributes);
    ck_assert_ptr_nonnull(child);
    ck_assert(es_xml_is(child, ES_NS_ASSERTION, "Issuer"));
    expect_attributes(child, "");
    ck_assert_str_eq(es_xml_text(child, unit_pool), issuer);
    ck_assert_ptr_null(es_xml_next(child));
    ck_assert(es_xml_is_element_only(root));
}

START_TEST(exactly_six_things)
{
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);
    const char *url = url_of(request, &some_id, "relay", unit_time(SOME_TIME), unit_pool);

    expect_request(unpack(url),
                   "ID=" SOME_ID "\nVersion=2.0\nIssueInstant=" SOME_TIME "\nDestination=" SSO
                   "\nAssertionConsumerServiceURL=" REPLY_URL "\n",
                   ENTITY_ID);
}
END_TEST

/* SAML bindings 3.4.4.1: SAMLRequest, then RelayState, each percent-encoded. */
START_TEST(order_and_encoding)
{
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);
    const char *url = url_of(request, &some_id, "a b+c&d=\xc3\xa9", unit_time(SOME_TIME), unit_pool);
    const char *start = SSO "?SAMLRequest=", *end = "&RelayState=a%20b%2Bc%26d%3D%C3%A9";
    const char *value;

    ck_assert_int_eq(strncmp(url, start, strlen(start)), 0);
    value = url + strlen(start);
    ck_assert_str_eq(value + strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%"), end);
    ck_assert_str_eq(field(url, "RelayState"), "a b+c&d=\xc3\xa9");
}
END_TEST

START_TEST(no_relay_state)
{
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);
    const char *url = url_of(request, &some_id, NULL, unit_time(SOME_TIME), unit_pool);

    ck_assert_ptr_null(field(url, "RelayState"));
    ck_assert_ptr_null(strchr(url, '&'));
    ck_assert_str_eq(field(url_of(request, &some_id, "", unit_time(SOME_TIME), unit_pool), "RelayState"), "");
}
END_TEST

START_TEST(address_with_a_query)
{
    static const char *const cases[][2] = {
        { SSO "?whr=contoso.com", SSO "?whr=contoso.com&SAMLRequest=" },
        { SSO "?", SSO "?SAMLRequest=" },
        { SSO "?a=b&c=d", SSO "?a=b&c=d&SAMLRequest=" },
    };
    const es_request_t *request = make(cases[_i][0], ENTITY_ID, REPLY_URL);
    const char *url = url_of(request, &some_id, "x", unit_time(SOME_TIME), unit_pool);

    ck_assert_int_eq(strncmp(url, cases[_i][1], strlen(cases[_i][1])), 0);
    expect_request(unpack(url),
                   apr_pstrcat(unit_pool, "ID=" SOME_ID "\nVersion=2.0\nIssueInstant=" SOME_TIME "\nDestination=",
                               cases[_i][0], "\nAssertionConsumerServiceURL=" REPLY_URL "\n", NULL),
                   ENTITY_ID);
}
END_TEST

/* Values that XML must escape, and values that try to look like ours. */
START_TEST(values_are_escaped)
{
    static const char *const values[] = {
        "https://app.example.com/acs?a=b&c=<d>\"'&amp;&#38;",
        "urn:\xc3\xa9\xf0\x9f\x98\x80",
        "\" ID=\"_00000000000000000000000000000000\" IssueInstant=\"0000-00-00T00:00:00Z\"",
        "_00000000000000000000000000000000",
        "0000-00-00T00:00:00Z",
        "]]>",
    };
    const char *value = values[_i];
    const es_request_t *request = make(apr_pstrcat(unit_pool, "https://x/", value, NULL), value, value);
    const char *url = url_of(request, &some_id, "x", unit_time(SOME_TIME), unit_pool);

    expect_request(unpack(url),
                   apr_pstrcat(unit_pool,
                               "ID=" SOME_ID "\nVersion=2.0\nIssueInstant=" SOME_TIME "\nDestination=https://x/", value,
                               "\nAssertionConsumerServiceURL=", value, "\n", NULL),
                   value);
}
END_TEST

START_TEST(requests_differ_in_id_and_time_only)
{
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);
    es_request_id_t other_id = some_id;
    const char *first, *again, *second;
    apr_size_t i;
    char *expected;

    memset(other_id.octet, 0x5a, sizeof other_id.octet);
    first = unpack(url_of(request, &some_id, "x", unit_time(SOME_TIME), unit_pool));
    second = unpack(url_of(request, &other_id, "y", unit_time("2031-12-31T23:59:59Z"), unit_pool));
    again = unpack(url_of(request, &some_id, "z", unit_time(SOME_TIME), unit_pool));
    ck_assert_str_eq(first, again);
    ck_assert_uint_eq(strlen(first), strlen(second));
    expected = apr_pstrdup(unit_pool, first);
    memcpy(strstr(expected, SOME_ID), "_5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", strlen(SOME_ID));
    memcpy(strstr(expected, SOME_TIME), "2031-12-31T23:59:59Z", strlen(SOME_TIME));
    for (i = 0; expected[i]; i++) {
        ck_assert_int_eq(expected[i], second[i]);
    }
}
END_TEST

START_TEST(times)
{
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);
    static const char *const texts[] = { "1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "9999-12-31T23:59:59Z" };
    apr_time_t now = unit_time(texts[_i]);
    const char *expected = apr_pstrcat(unit_pool, " IssueInstant=\"", texts[_i], "\"", NULL);

    ck_assert_ptr_nonnull(strstr(unpack(url_of(request, &some_id, "x", now, unit_pool)), expected));
    now += apr_time_from_msec(999); /* cut off, not rounded: never in the future */
    ck_assert_ptr_nonnull(strstr(unpack(url_of(request, &some_id, "x", now, unit_pool)), expected));
}
END_TEST

START_TEST(id_text)
{
    ck_assert_str_eq(es_request_id_text(&some_id, unit_pool), SOME_ID);
}
END_TEST

/* The longest landing that travels (700 octets, sealed some 1,100) must find room in 2,048 characters. */
START_TEST(length)
{
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);
    const char *url = url_of(request, &some_id, "", unit_time(SOME_TIME), unit_pool);

    ck_assert_uint_le(strlen(url), 700);
}
END_TEST

/* The minimal request, and the one word more; Comparison exact is the only one Entra takes. */
START_TEST(one_word_more)
{
    static const char *const extra[] = { "", "ForceAuthn=true\n", "IsPassive=true\n" };
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);

    for (int kind = 0; kind <= ES_REQUEST_PASSIVE; kind++) {
        const es_request_ask_t ask = { .kind = (es_request_kind_t)kind };
        const char *url = asking(request, &ask, &some_id, "relay", unit_time(SOME_TIME), unit_pool);

        expect_request(unpack(url),
                       apr_pstrcat(unit_pool,
                                   "ID=" SOME_ID "\nVersion=2.0\nIssueInstant=" SOME_TIME "\nDestination=" SSO
                                   "\nAssertionConsumerServiceURL=" REPLY_URL "\n",
                                   extra[kind], NULL),
                       ENTITY_ID);
    }
}
END_TEST

/* Asks for a class of its own, whatever else is configured, and for a sign-in that can satisfy it. */
START_TEST(more_than_one_factor)
{
    static const char *const classes[] = { "urn:oasis:names:tc:SAML:2.0:ac:classes:X509", NULL };
    const char *const *const configured[] = { NULL, classes };
    const es_request_ask_t ask = { .kind = ES_REQUEST_MFA };

    for (unsigned i = 0; i < 2; i++) {
        const es_request_conf_t conf = { SSO, ENTITY_ID, REPLY_URL, configured[i] };
        es_request_t *request;
        es_why_t why = ES_WHY_INIT;
        xmlNodePtr root, child;
        const char *url;

        ck_assert_reason(es_request_make(&request, &conf, &why, unit_pool), ES_OK, why);
        url = asking(request, &ask, &some_id, "relay", unit_time(SOME_TIME), unit_pool);
        root = parse(unpack(url), ES_XML_MESSAGE);
        expect_attributes(root, "ID=" SOME_ID "\nVersion=2.0\nIssueInstant=" SOME_TIME "\nDestination=" SSO
                                "\nForceAuthn=true\nAssertionConsumerServiceURL=" REPLY_URL "\n");
        child = es_xml_next(es_xml_first(root));
        ck_assert(es_xml_is(child, ES_NS_PROTOCOL, "RequestedAuthnContext") && !es_xml_next(child));
        expect_attributes(child, "Comparison=exact\n");
        child = es_xml_first(child);
        ck_assert(es_xml_is(child, ES_NS_ASSERTION, "AuthnContextClassRef") && !es_xml_next(child));
        ck_assert_str_eq(es_xml_text(child, unit_pool), "http://schemas.microsoft.com/claims/multipleauthn");
    }
}
END_TEST

START_TEST(classes_in_order)
{
    static const char *const classes[] = { "urn:oasis:names:tc:SAML:2.0:ac:classes:X509", "urn:x:<&>\"'", NULL };
    const es_request_conf_t conf = { SSO, ENTITY_ID, REPLY_URL, classes };
    es_request_t *request;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_request_make(&request, &conf, &why, unit_pool), ES_OK, why);
    for (int kind = 0; kind <= ES_REQUEST_PASSIVE; kind++) {
        const es_request_ask_t ask = { .kind = (es_request_kind_t)kind };
        const char *url = asking(request, &ask, &some_id, "x", unit_time(SOME_TIME), unit_pool);
        xmlNodePtr child = es_xml_next(es_xml_first(parse(unpack(url), ES_XML_MESSAGE)));
        xmlNodePtr class = es_xml_first(child);

        ck_assert(es_xml_is(child, ES_NS_PROTOCOL, "RequestedAuthnContext"));
        expect_attributes(child, "Comparison=exact\n");
        for (int i = 0; classes[i]; i++, class = es_xml_next(class)) {
            ck_assert(es_xml_is(class, ES_NS_ASSERTION, "AuthnContextClassRef"));
            ck_assert_str_eq(es_xml_text(class, unit_pool), classes[i]);
        }
        ck_assert(!class && !es_xml_next(child));
    }
}
END_TEST

/* Behind everything that belongs to the message, and left out where the address would be too long. */
START_TEST(hints_at_the_end)
{
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);
    const char *plain = url_of(request, &some_id, "x", unit_time(SOME_TIME), unit_pool);
    const apr_size_t room = ES_REQUEST_URL_MAX - strlen(plain);
    char *hints = memset(apr_pcalloc(unit_pool, room + 2), 'y', room);
    const es_request_ask_t ask = { .hints = hints };

    hints[0] = '&';
    ck_assert_str_eq(asking(request, &ask, &some_id, "x", unit_time(SOME_TIME), unit_pool),
                     apr_pstrcat(unit_pool, plain, hints, NULL));
    hints[room] = 'y';
    ck_assert_str_eq(asking(request, &ask, &some_id, "x", unit_time(SOME_TIME), unit_pool), plain);
}
END_TEST

START_TEST(text_that_is_none)
{
    static const char *const bad[] = { "", "\xff", "a\xc3" };
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *const classes[] = { "urn:x", bad[i], NULL };
        const es_request_conf_t confs[] = { { bad[i], ENTITY_ID, REPLY_URL, NULL },
                                            { SSO, bad[i], REPLY_URL, NULL },
                                            { SSO, ENTITY_ID, bad[i], NULL },
                                            { SSO, ENTITY_ID, REPLY_URL, classes } };
        es_why_t first = ES_WHY_INIT, second = ES_WHY_INIT, third = ES_WHY_INIT;
        es_request_t *request = NULL;
        const char *xml = NULL;

        for (size_t k = 0; k < sizeof confs / sizeof confs[0]; k++) {
            es_why_t why = ES_WHY_INIT;

            ck_assert_reason(es_request_make(&request, &confs[k], &why, unit_pool), ES_INTERNAL, why);
        }
        ck_assert_reason(metadata(&xml, bad[i], REPLY_URL, REPLY_URL, &first), ES_INTERNAL, first);
        ck_assert_reason(metadata(&xml, ENTITY_ID, bad[i], REPLY_URL, &second), ES_INTERNAL, second);
        ck_assert_reason(metadata(&xml, ENTITY_ID, REPLY_URL, bad[i], &third), ES_INTERNAL, third);
        ck_assert_ptr_null(request);
        ck_assert_ptr_null(xml);
    }
}
END_TEST

/* Any number of threads share one request: each must find its own ID and nobody else's in what it gets. */
#define THREADS 4
#define ROUNDS 2000

typedef struct {
    const es_request_t *request;
    es_request_id_t id;
    const char *expected; /* what one thread alone gets */
    int mismatches;
} worker_t;

static void *APR_THREAD_FUNC write_many(apr_thread_t *thread, void *data)
{
    worker_t *worker = data;
    apr_pool_t *pool;
    int i;

    (void)thread;
    for (i = 0; i < ROUNDS; i++) {
        apr_pool_create(&pool, NULL);
        worker->mismatches += strcmp(url_of(worker->request, &worker->id, "x", 0, pool), worker->expected) != 0;
        apr_pool_destroy(pool);
    }
    return NULL;
}

START_TEST(threads)
{
    const es_request_t *request = make(SSO, ENTITY_ID, REPLY_URL);
    apr_thread_t *thread[THREADS];
    worker_t workers[THREADS];
    apr_threadattr_t *attributes;
    apr_status_t rv;
    int i;

    ck_assert(apr_threadattr_create(&attributes, unit_pool) == APR_SUCCESS);
    for (i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){ .request = request };
        memset(workers[i].id.octet, i, sizeof workers[i].id.octet);
        workers[i].expected = url_of(request, &workers[i].id, "x", 0, unit_pool);
    }
    for (i = 0; i < THREADS; i++) {
        ck_assert(apr_thread_create(&thread[i], attributes, write_many, &workers[i], unit_pool) == APR_SUCCESS);
    }
    for (i = 0; i < THREADS; i++) {
        ck_assert(apr_thread_join(&rv, thread[i]) == APR_SUCCESS);
        ck_assert_int_eq(workers[i].mismatches, 0);
    }
}
END_TEST

/* SAML metadata 2.4.2, 2.4.4: what stands where, in the order of the schema. */
START_TEST(sp_metadata)
{
    es_why_t why = ES_WHY_INIT;
    const char *xml = NULL;
    const xmlNode *root, *role;
    xmlNodePtr child;

    ck_assert_reason(
        metadata(&xml, "urn:a&b", "https://app.example.com/acs?a&b", "https://app.example.com/saml/logout", &why),
        ES_OK, why);
    ck_assert_ptr_eq(strstr(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor "), xml);
    root = parse(xml, ES_XML_METADATA);
    ck_assert(es_xml_is(root, ES_NS_METADATA, "EntityDescriptor"));
    expect_attributes(root, "entityID=urn:a&b\n");
    role = es_xml_first(root);
    ck_assert(es_xml_is(role, ES_NS_METADATA, "SPSSODescriptor"));
    expect_attributes(
        role, "AuthnRequestsSigned=false\nWantAssertionsSigned=true\nprotocolSupportEnumeration=" ES_NS_PROTOCOL "\n");
    ck_assert_ptr_null(es_xml_next(role));

    child = es_xml_first(role);
    ck_assert(es_xml_is(child, ES_NS_METADATA, "SingleLogoutService"));
    expect_attributes(child, "Binding=" REDIRECT "\nLocation=https://app.example.com/saml/logout\n");
    child = es_xml_next(child);
    ck_assert(es_xml_is(child, ES_NS_METADATA, "AssertionConsumerService"));
    expect_attributes(child, "Binding=" POST "\nLocation=https://app.example.com/acs?a&b\nindex=0\nisDefault=true\n");
    ck_assert_ptr_null(es_xml_first(child));
    ck_assert_ptr_null(es_xml_next(child));
}
END_TEST

/* The document with certificates: two that sign, one to encrypt for. Keys stand first, as the schema wants it. */
START_TEST(sp_metadata_keys)
{
    const es_pair_t *one = signer_pair(signer_make(2048, 30, unit_pool), unit_pool);
    const es_pair_t *two = signer_pair(signer_make(2048, 30, unit_pool), unit_pool);
    const es_pair_t *signing[] = { one, two, NULL }, *decryption[] = { two, NULL };
    const es_request_sp_t sp = { ENTITY_ID, REPLY_URL, REPLY_URL, signing, decryption };
    const es_pair_t *const expected[] = { one, two, two };
    const char *const uses[] = { "signing", "signing", "encryption" };
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr child, inner;
    const char *xml = NULL;
    int i;

    ck_assert_reason(es_request_metadata(&xml, &sp, &why, unit_pool), ES_OK, why);
    child = es_xml_first(parse(xml, ES_XML_METADATA));
    ck_assert_str_eq(es_xml_attribute(child, "AuthnRequestsSigned", unit_pool), "true");
    child = es_xml_first(child);
    for (i = 0; i < 3; i++) {
        ck_assert(es_xml_is(child, ES_NS_METADATA, "KeyDescriptor"));
        ck_assert_str_eq(es_xml_attribute(child, "use", unit_pool), uses[i]);
        ck_assert_int_eq(es_xml_child(&inner, child, ES_NS_DSIG, "KeyInfo"), 1);
        ck_assert_int_eq(es_xml_child(&inner, inner, ES_NS_DSIG, "X509Data"), 1);
        ck_assert_int_eq(es_xml_child(&inner, inner, ES_NS_DSIG, "X509Certificate"), 1);
        ck_assert_str_eq(es_xml_text(inner, unit_pool), expected[i]->base64);
        child = es_xml_next(child);
    }
    ck_assert(es_xml_is(child, ES_NS_METADATA, "SingleLogoutService"));
    ck_assert_ptr_null(strstr(xml, "PRIVATE"));
}
END_TEST

/* lasso, GLib and libxml2 write to stderr when they are unhappy, which would be the server's error log. */
START_TEST(silence)
{
    char path[] = "/tmp/test_request.XXXXXX", octet;
    const int file = mkstemp(path), stderr_before = dup(2);
    es_why_t why = ES_WHY_INIT;
    const es_request_t *request;
    const char *xml;

    ck_assert_int_ge(file, 0);
    unlink(path);
    ck_assert_int_eq(dup2(file, 2), 2);
    ck_assert_reason(unit_init(&why), ES_OK, why);
    request = make(SSO "?a=b&c=d", "urn:<&>\"\xc3\xa9", REPLY_URL);
    url_of(request, &some_id, "x", unit_time(SOME_TIME), unit_pool);
    ck_assert_reason(metadata(&xml, "urn:<&>\"\xc3\xa9", REPLY_URL, REPLY_URL, &why), ES_OK, why);
    ck_assert_int_eq(dup2(stderr_before, 2), 2);
    ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
    ck_assert_int_eq(read(file, &octet, 1), 0);
    close(file);
    close(stderr_before);
}
END_TEST

/* httpd configures itself twice in one process, and again for every restart. */
START_TEST(several_passes)
{
    int i;

    for (i = 0; i < 3; i++) {
        es_why_t why = ES_WHY_INIT;
        const char *url;

        ck_assert_reason(unit_init(&why), ES_OK, why);
        url = url_of(make(SSO, ENTITY_ID, REPLY_URL), &some_id, "x", unit_time(SOME_TIME), unit_pool);
        ck_assert_ptr_nonnull(strstr(unpack(url), SOME_ID));
    }
}
END_TEST

Suite *suite_request(void)
{
    Suite *suite = suite_create("request");
    TCase *tcase = unit_case(suite, "request");

    tcase_add_test(tcase, exactly_six_things);
    tcase_add_test(tcase, order_and_encoding);
    tcase_add_test(tcase, no_relay_state);
    tcase_add_loop_test(tcase, address_with_a_query, 0, 3);
    tcase_add_loop_test(tcase, values_are_escaped, 0, 6);
    tcase_add_test(tcase, requests_differ_in_id_and_time_only);
    tcase_add_loop_test(tcase, times, 0, 3);
    tcase_add_test(tcase, id_text);
    tcase_add_test(tcase, length);
    tcase_add_test(tcase, one_word_more);
    tcase_add_test(tcase, more_than_one_factor);
    tcase_add_test(tcase, classes_in_order);
    tcase_add_test(tcase, hints_at_the_end);
    tcase_add_test(tcase, text_that_is_none);
    tcase_add_test(tcase, threads);
    tcase_add_test(tcase, sp_metadata);
    tcase_add_test(tcase, sp_metadata_keys);
    tcase_add_test(tcase, silence);
    tcase_add_test(tcase, several_passes);
    return suite;
}
