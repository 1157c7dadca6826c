/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What we say to Entra in single logout, element by element, as Entra reads it.
 */
#include "signer.h"
#include "unit.h"

#include "base/codec.h"
#include "saml/logout.h"
#include "saml/query.h"
#include "saml/signoff.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>

#define SLO "https://login.microsoftonline.com/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/saml2"
#define ENTITY_ID "urn:app?a&<b>"
#define EMAIL "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
#define SOME_TIME "2026-03-01T12:34:56Z"
#define HEAD "ID=_1 Version=2.0 IssueInstant=" SOME_TIME " Destination=" SLO

static const es_signoff_t signoff = { SLO, ENTITY_ID, NULL };

static const char *field(const char *url, const char *name)
{
    const char *value = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_codec_form_find(&value, es_bytes_of(strchr(url, '?') + 1), name, &why, unit_pool), ES_OK, why);
    return value;
}

static es_bytes_t unpack(const char *text)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t packed, xml;

    ck_assert_ptr_nonnull(text);
    ck_assert_reason(es_codec_base64_decode(&packed, es_bytes_of(text), &why, unit_pool), ES_OK, why);
    xml = es_codec_inflate(packed, 16384, unit_pool);
    ck_assert_ptr_nonnull(xml.data);
    return xml;
}

/* A tree as lines: depth, name, attributes in order, text. */
static const char *describe(const xmlNode *node, const char *indent)
{
    const char *text = apr_pstrcat(unit_pool, indent, (const char *)node->name, NULL);
    const xmlAttr *attribute;
    const xmlNode *child;

    for (attribute = node->properties; attribute; attribute = attribute->next) {
        text = apr_pstrcat(unit_pool, text, " ", (const char *)attribute->name, "=", es_xml_value(attribute, unit_pool),
                           NULL);
    }
    child = es_xml_first(node);
    if (!child && *es_xml_text(node, unit_pool)) {
        text = apr_pstrcat(unit_pool, text, ": ", es_xml_text(node, unit_pool), NULL);
    }
    text = apr_pstrcat(unit_pool, text, "\n", NULL);
    for (; child; child = es_xml_next(child)) {
        text = apr_pstrcat(unit_pool, text, describe(child, apr_pstrcat(unit_pool, indent, " ", NULL)), NULL);
    }
    return text;
}

static const char *described(es_bytes_t xml)
{
    es_why_t why = ES_WHY_INIT;
    xmlDocPtr doc;

    ck_assert_reason(es_xml_load(&doc, xml, ES_XML_MESSAGE, &why, unit_pool), ES_OK, why);
    ck_assert_str_eq((const char *)xmlDocGetRootElement(doc)->ns->href, ES_NS_PROTOCOL);
    return describe(xmlDocGetRootElement(doc), "");
}

static const char *request_url(const es_signoff_t *from, const es_signoff_user_t *user, const char *relay_state)
{
    es_why_t why = ES_WHY_INIT;
    const char *url = NULL;

    ck_assert_reason(es_signoff_request(&url, from, user, "_1", relay_state, unit_time(SOME_TIME), &why, unit_pool),
                     ES_OK, why);
    return url;
}

static const struct {
    es_signoff_user_t user;
    const char *children;
} users[] = {
    { { "ada@contoso.example", EMAIL, "_i" }, " NameID Format=" EMAIL ": ada@contoso.example\n SessionIndex: _i\n" },
    { { "ada@contoso.example", "", "" }, " NameID: ada@contoso.example\n" },
    { { "\xc3\x85<&>\"' ]]>", "a&b", "<i>&\"" }, " NameID Format=a&b: \xc3\x85<&>\"' ]]>\n SessionIndex: <i>&\"\n" },
};

START_TEST(request)
{
    const char *url = request_url(&signoff, &users[_i].user, "relay state");

    ck_assert_ptr_eq(strstr(url, SLO "?SAMLRequest="), url);
    ck_assert_str_eq(strchr(url, '&'), "&RelayState=relay%20state");
    ck_assert_str_eq(
        described(unpack(field(url, "SAMLRequest"))),
        apr_pstrcat(unit_pool, "LogoutRequest " HEAD "\n Issuer: " ENTITY_ID "\n", users[_i].children, NULL));
}
END_TEST

START_TEST(response)
{
    es_why_t why = ES_WHY_INIT;
    const char *url = NULL;

    ck_assert_reason(
        es_signoff_response(&url, &signoff, "_of<them>", "_1", NULL, unit_time(SOME_TIME), &why, unit_pool), ES_OK,
        why);
    ck_assert_ptr_eq(strstr(url, SLO "?SAMLResponse="), url);
    ck_assert_ptr_null(strchr(url, '&'));
    ck_assert_str_eq(described(unpack(field(url, "SAMLResponse"))),
                     "LogoutResponse ID=_1 InResponseTo=_of<them> Version=2.0 IssueInstant=" SOME_TIME
                     " Destination=" SLO "\n Issuer: " ENTITY_ID
                     "\n Status\n  StatusCode Value=urn:oasis:names:tc:SAML:2.0:status:Success\n");
}
END_TEST

START_TEST(address_with_a_query)
{
    static const char *const cases[][2] = { { SLO "?", SLO "?SAMLRequest=" }, { SLO "?a=b", SLO "?a=b&SAMLRequest=" } };
    const es_signoff_t from = { cases[_i][0], ENTITY_ID, NULL };
    const char *url = request_url(&from, &users[0].user, NULL);

    ck_assert_ptr_eq(strstr(url, cases[_i][1]), url);
}
END_TEST

/* Our own reader takes what we write. */
START_TEST(as_we_would_read_it)
{
    const char *url = request_url(&signoff, &users[0].user, NULL);
    es_why_t why = ES_WHY_INIT;
    es_logout_t *logout = NULL;

    ck_assert_reason(es_logout_read(&logout, unpack(field(url, "SAMLRequest")), 0, &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(logout->name_id, users[0].user.name_id);
    ck_assert_str_eq(logout->indexes[0], "_i");
    ck_assert_reason(es_signoff_response(&url, &signoff, "_r", "_1", NULL, unit_time(SOME_TIME), &why, unit_pool),
                     ES_OK, why);
    ck_assert_reason(es_logout_read(&logout, unpack(field(url, "SAMLResponse")), 1, &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(logout->in_response_to, "_r");
    ck_assert_ptr_null(logout->failure);
}
END_TEST

/* With a certificate of our own: as whoever verifies the query finds it. */
START_TEST(signed_messages)
{
    const signer_t *signer = signer_make(2048, 30, unit_pool);
    const es_signoff_t from = { SLO, ENTITY_ID, signer_pair(signer, unit_pool) };
    const char *url = request_url(&from, &users[0].user, "relay state");
    es_keys_t *keys = es_keys_make(unit_pool);
    es_why_t why = ES_WHY_INIT;
    es_query_t *query = NULL;
    es_bytes_t message;
    int is_signed = 0;

    ck_assert_reason(es_keys_add(keys, signer->certificate, &why), ES_OK, why);
    ck_assert_reason(es_query_read(&query, es_bytes_of(strchr(url, '?') + 1), &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_query_open(&message, &is_signed, query, keys, 0, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(is_signed, 1);
}
END_TEST

#define THREADS 4
#define ROUNDS 300

typedef struct {
    char id[16];
    const char *expected; /* what one thread alone gets */
    int mismatches;
} worker_t;

static void write_one(const char **url, const char *id, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;

    *url = "";
    es_signoff_request(url, &signoff, &users[0].user, id, "x", 0, &why, pool);
}

static void *APR_THREAD_FUNC write_many(apr_thread_t *thread, void *data)
{
    worker_t *worker = data;
    const char *url;
    apr_pool_t *pool;
    int i;

    (void)thread;
    for (i = 0; i < ROUNDS; i++) {
        apr_pool_create(&pool, NULL);
        write_one(&url, worker->id, pool);
        worker->mismatches += strcmp(url, worker->expected) != 0;
        apr_pool_destroy(pool);
    }
    return NULL;
}

/* lasso works for several threads at once here, as in httpd. */
START_TEST(threads)
{
    apr_thread_t *thread[THREADS];
    worker_t workers[THREADS];
    apr_status_t rv;
    int i;

    for (i = 0; i < THREADS; i++) {
        snprintf(workers[i].id, sizeof workers[i].id, "_%d", i);
        write_one(&workers[i].expected, workers[i].id, unit_pool);
        workers[i].mismatches = 0;
        ck_assert(apr_thread_create(&thread[i], NULL, write_many, &workers[i], unit_pool) == APR_SUCCESS);
    }
    for (i = 0; i < THREADS; i++) {
        ck_assert(apr_thread_join(&rv, thread[i]) == APR_SUCCESS);
        ck_assert_int_eq(workers[i].mismatches, 0);
    }
}
END_TEST

START_TEST(several_passes)
{
    es_why_t why = ES_WHY_INIT;
    int i;

    for (i = 0; i < 3; i++) {
        ck_assert_reason(es_signoff_init(&why), ES_OK, why);
    }
}
END_TEST

Suite *suite_signoff(void)
{
    Suite *suite = suite_create("signoff");
    TCase *tcase = unit_case(suite, "signoff");

    tcase_add_loop_test(tcase, request, 0, 3);
    tcase_add_test(tcase, response);
    tcase_add_loop_test(tcase, address_with_a_query, 0, 2);
    tcase_add_test(tcase, as_we_would_read_it);
    tcase_add_test(tcase, signed_messages);
    tcase_add_test(tcase, threads);
    tcase_add_test(tcase, several_passes);
    return suite;
}
