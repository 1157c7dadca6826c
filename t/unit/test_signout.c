/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sign-out's path with a clock and a store in hand: what Entra is told, what its messages end, and what they do not.
 */
#include "parting.h"
#include "unit.h"

#include "base/codec.h"
#include "flow/flow.h"
#include "flow/subject.h"
#include "session/shm.h"
#include "table_tools.h"

#include <apr_strings.h>

#define ADA "ada@contoso.example"

static signer_t *signer;
static es_site_t site;
static es_flow_t flow;
static es_seal_key_t key;

static es_bytes_t metadata_text(void)
{
    return es_bytes_of(apr_pstrcat(
        unit_pool,
        "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://sts.example/t/\">"
        "<IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><KeyDescriptor>"
        "<KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate>",
        es_codec_base64_encode(signer->certificate, unit_pool),
        "</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService "
        "Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://login.example/t/saml2\"/>"
        "</IDPSSODescriptor></EntityDescriptor>",
        NULL));
}

static void open_site(void)
{
    static const es_signoff_t signoff = { "https://login.example/t/saml2", "https://app.example.com/saml/metadata",
                                          NULL };
    const es_connection_conf_t conf = { .server_name = "app.example.com" };
    void *memory = table_memory(es_shm_minimum());
    es_why_t why = ES_WHY_INIT;
    es_connection_t *connection;
    es_metadata_t *metadata;
    es_shm_t *shm;

    signer = signer_make(2048, 30, unit_pool);
    ck_assert_reason(es_metadata_load(&metadata, metadata_text(), &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_connection_make(&connection, &conf, metadata, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_shm_format(memory, es_shm_minimum(), &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, es_shm_minimum(), &why, unit_pool), ES_OK, why);
    memset(&key, 7, sizeof key);
    site = (es_site_t){ .connection = connection, .signoff = &signoff, .single_logout = 1 };
    flow = (es_flow_t){ .site = &site,
                        .store = es_shm_store(shm),
                        .key = &key,
                        .cookies = "",
                        .now = unit_time(PARTING_NOW),
                        .pool = unit_pool };
}

/* A session, its cookie added to those that come along; `other`: another connection's. */
static es_hash_t sign_in(const char *name_id, const char *index, int other)
{
    es_session_new_t fresh = { .connection = site.connection->id,
                               .created = flow.now,
                               .user = "user",
                               .name_id = name_id,
                               .name_id_format = "urn:f",
                               .session_index = index };
    es_why_t why = ES_WHY_INIT;
    es_hash_t subjects[ES_SUBJECTS], session_key;
    es_session_t session;
    es_bytes_t record;
    const char *cookie;

    fresh.connection.octet[0] ^= (unsigned char)other;
    ck_assert_reason(es_session_token_make(&cookie, &session_key, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_session_pack(&record, &fresh, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_session_read(&session, record, &why), ES_OK, why);
    ck_assert_reason(flow.store->insert(flow.store, &session_key, record, subjects, es_subject_all(subjects, &session),
                                        flow.now + apr_time_from_sec(3600), flow.now, &why),
                     ES_OK, why);
    flow.cookies = apr_pstrcat(unit_pool, flow.cookies, "; ", site.connection->session_cookie, "=", cookie, NULL);
    return session_key;
}

static int is_there(const es_hash_t *session_key)
{
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;

    ck_assert_reason(flow.store->find(&stored, flow.store, session_key, flow.now, &why, unit_pool), ES_OK, why);
    return stored.record.data != NULL;
}

static const char *start(const char *landing, int asks, int expected)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    int ended;

    ck_assert_reason(es_logout_start(&answer, &ended, &flow, landing, asks, &why), ES_OK, why);
    ck_assert_int_eq(ended, expected);
    ck_assert_int_eq(answer.n_cookies, 1);
    return answer.location;
}

static const char *value_of(const char *url, const char *name)
{
    es_why_t why = ES_WHY_INIT;
    const char *value;

    ck_assert_reason(es_codec_form_find(&value, es_bytes_of(strchr(url, '?') + 1), name, &why, unit_pool), ES_OK, why);
    return value;
}

/* The XML of what we say to Entra. */
static const char *said(const char *url, const char *name)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t packed;

    ck_assert_reason(es_codec_base64_decode(&packed, es_bytes_of(value_of(url, name)), &why, unit_pool), ES_OK, why);
    return (const char *)es_codec_inflate(packed, 16384, unit_pool).data;
}

/* A message of Entra's: `rest` is what stands in its root element and behind. */
static es_query_t *message(const char *name, const char *id, const char *rest, const char *relay, int is_signed)
{
    return parting_message(is_signed ? signer : NULL, name, id, rest, relay);
}

#define BY "><Issuer>https://sts.example/t/</Issuer>"
#define REQUEST(indexes) BY "<NameID>" ADA "</NameID>" indexes
#define STATUS(code) "<p:Status><p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:" code "\"/></p:Status>"

static es_rv_t follow(es_answer_t *answer, es_logout_report_t *report, const es_query_t *query, es_why_t *why)
{
    *answer = (es_answer_t){ NULL };
    *report = (es_logout_report_t){ NULL };
    why->rv = ES_OK;
    return es_logout_follow(answer, report, &flow, query, why);
}

START_TEST(entra_is_told_of_the_session)
{
    es_hash_t session_key = sign_in(ADA, "_index", 0);
    const char *url = start(NULL, 1, 1), *xml;

    ck_assert(!is_there(&session_key));
    ck_assert_ptr_eq(strstr(url, "https://login.example/t/saml2?SAMLRequest="), url);
    xml = said(url, "SAMLRequest");
    ck_assert_ptr_nonnull(strstr(xml, " Format=\"urn:f\">" ADA "<"));
    ck_assert_ptr_nonnull(strstr(xml, ">_index<"));
}
END_TEST

START_TEST(entra_is_not_asked)
{
    sign_in(ADA, "_index", 0);
    if (_i == 0) {
        site.single_logout = 0;
    } else if (_i == 1) {
        site.signoff = NULL;
    }
    ck_assert_str_eq(start("/bye", _i != 2, 1), "/bye");
}
END_TEST

/* Without a NameID, or of another connection, whose cookie came under our name: it ends, and Entra does not hear of it. */
START_TEST(sessions_that_entra_cannot_be_told_of)
{
    sign_in("", "_1", 0);
    sign_in("eve@contoso.example", "_2", 1);
    ck_assert_ptr_null(start(NULL, 1, 2));
    sign_in(ADA, "_3", 0);
    ck_assert_ptr_nonnull(strstr(said(start(NULL, 1, 1), "SAMLRequest"), ADA));
}
END_TEST

START_TEST(a_request_too_long_does_without_the_page)
{
    char landing[701], name[1001];
    const char *url;

    memset(landing, 'a', 700);
    landing[0] = '/';
    landing[700] = '\0';
    sign_in(ADA, "_i", 0);
    url = start(landing, 1, 1);
    ck_assert_uint_le(strlen(url), 2048);
    ck_assert_uint_gt(strlen(value_of(url, "RelayState")), 900);
    for (unsigned i = 0, random = 1; i < 1000; i++) { /* nothing that DEFLATE could make shorter */
        random = random * 1103515245 + 12345;
        name[i] = (char)('a' + (random >> 16) % 26);
    }
    name[1000] = '\0';
    sign_in(name, "_i", 0);
    ck_assert_uint_le(strlen(value_of(start(landing, 1, 1), "RelayState")), 80);
}
END_TEST

START_TEST(a_request_ends_what_it_names)
{
    const es_hash_t one = sign_in(ADA, "_1", 0), two = sign_in(ADA, "_2", 0), three = sign_in(ADA, "_3", 0);
    const es_hash_t foreign = sign_in(ADA, "_1", 1), other = sign_in("ben@contoso.example", "_4", 0);
    es_logout_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(follow(&answer, &report,
                            message("SAMLRequest", "_a", REQUEST(PARTING_INDEX("_1") PARTING_INDEX("_3")), "r", 1),
                            &why),
                     ES_OK, why);
    ck_assert_int_eq(report.ended, 2);
    ck_assert_str_eq(report.request_id, "_a");
    ck_assert(!is_there(&one) && is_there(&two) && !is_there(&three) && is_there(&foreign) && is_there(&other));
    ck_assert_ptr_nonnull(strstr(said(answer.location, "SAMLResponse"), " InResponseTo=\"_a\""));
    ck_assert_reason(
        follow(&answer, &report, message("SAMLRequest", "_b", REQUEST(PARTING_INDEX("_1")), NULL, 1), &why), ES_OK,
        why);
    ck_assert_int_eq(report.ended, 1);
    ck_assert(!is_there(&two) && is_there(&foreign) && is_there(&other));
}
END_TEST

START_TEST(a_request_is_good_once)
{
    const es_query_t *query = message("SAMLRequest", "_a", REQUEST(""), NULL, 1);
    es_logout_report_t report;
    es_hash_t session_key;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(follow(&answer, &report, query, &why), ES_OK, why);
    session_key = sign_in(ADA, "_1", 0);
    flow.now += apr_time_from_sec(479); /* five minutes and the skew: to the last second */
    ck_assert_reason(follow(&answer, &report, query, &why), ES_LOGOUT_REPLAYED, why);
    ck_assert_ptr_null(answer.location);
    flow.now += apr_time_from_sec(1);
    ck_assert_reason(follow(&answer, &report, query, &why), ES_LOGOUT_STALE, why);
    ck_assert(is_there(&session_key));
}
END_TEST

START_TEST(an_unsigned_request)
{
    const es_query_t *query = message("SAMLRequest", "_a", REQUEST(""), NULL, 0);
    const es_hash_t session_key = sign_in(ADA, "_1", 0);
    es_logout_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(follow(&answer, &report, query, &why), ES_LOGOUT_UNSIGNED, why);
    ck_assert(is_there(&session_key));
    site.unsigned_logout = 1;
    ck_assert_reason(follow(&answer, &report, query, &why), ES_OK, why);
    ck_assert(!is_there(&session_key));
    ck_assert_reason(follow(&answer, &report, query, &why), ES_OK, why); /* no mark: see mark_request */
}
END_TEST

/* RelayState and InResponseTo of our request, and what came of Entra's answer to it. */
static const char *relay_state, *request_id;

static void ask(const char *landing)
{
    const char *url, *xml;

    sign_in(ADA, "_1", 0);
    url = start(landing, 1, 1);
    relay_state = value_of(url, "RelayState");
    xml = strstr(said(url, "SAMLRequest"), " ID=\"") + 5;
    request_id = apr_pstrndup(unit_pool, xml, strcspn(xml, "\""));
}

static void finished(const char *answers, const char *code, const char *state, const char *landing, es_rv_t rv)
{
    const char *rest = apr_pstrcat(unit_pool, " InResponseTo=\"", answers, "\"" BY, code, NULL);
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_logout_finish(&answer, &flow, message("SAMLResponse", "_r", rest, state, 1), &why), rv, why);
    ck_assert_int_eq(answer.n_cookies, 0);
    if (landing) {
        ck_assert_str_eq(answer.location, landing);
    } else {
        ck_assert_ptr_null(answer.location);
    }
}

START_TEST(an_answer_to_our_request)
{
    ask("/bye?a=b");
    finished(request_id, STATUS("Success"), relay_state, "/bye?a=b", ES_OK);
    finished("_other", STATUS("Success"), relay_state, "/bye?a=b", ES_LOGOUT_UNASKED);
    finished(request_id, STATUS("Responder"), relay_state, "/bye?a=b", ES_LOGOUT_STATUS);
    finished(request_id, STATUS("Success"), NULL, NULL, ES_LOGOUT_UNASKED);
    finished(request_id, STATUS("Success"), "https://evil.test/", NULL, ES_LOGOUT_UNASKED);
    finished(request_id, "", relay_state, "/bye?a=b", ES_LOGOUT_SHAPE);
    ask(NULL);
    finished(request_id, STATUS("Success"), relay_state, NULL, ES_OK);
}
END_TEST

START_TEST(an_answer_of_another_connection)
{
    es_connection_t other = *site.connection;

    ask("/bye");
    other.id.octet[0] ^= 1;
    site.connection = &other;
    finished(request_id, STATUS("Success"), relay_state, NULL, ES_LOGOUT_UNASKED);
}
END_TEST

Suite *suite_signout(void)
{
    Suite *suite = suite_create("signout");
    TCase *tcase = unit_case(suite, "signout");

    tcase_add_checked_fixture(tcase, open_site, NULL);
    tcase_add_test(tcase, entra_is_told_of_the_session);
    tcase_add_loop_test(tcase, entra_is_not_asked, 0, 3);
    tcase_add_test(tcase, sessions_that_entra_cannot_be_told_of);
    tcase_add_test(tcase, a_request_too_long_does_without_the_page);
    tcase_add_test(tcase, a_request_ends_what_it_names);
    tcase_add_test(tcase, a_request_is_good_once);
    tcase_add_test(tcase, an_unsigned_request);
    tcase_add_test(tcase, an_answer_to_our_request);
    tcase_add_test(tcase, an_answer_of_another_connection);
    return suite;
}
