/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Responses signed by a key that the metadata does not have: Entra may sign with a certificate that was activated a
 * moment ago. One more round, in which the metadata is fetched; not a third, not for another browser, not for a sign-in
 * that is too old, and not where nobody started one.
 */
#include "person.h"
#include "unit.h"

#include "base/codec.h"
#include "flow/flow.h"
#include "idp.h"
#include "session/pending.h"
#include "session/shm.h"
#include "table_tools.h"

#include <apr_strings.h>

static idp_t *known, *stranger;
static es_site_t site;
static es_seal_key_t key;
static es_flow_t flow;

static void make_site(void)
{
    es_connection_conf_t conf = { .server_name = "app.example.com" };
    const apr_size_t size = es_shm_minimum();
    void *memory = table_memory(size);
    es_connection_t *connection;
    es_why_t why = ES_WHY_INIT;
    es_metadata_t *metadata;
    es_shm_t *shm;

    known = idp_make(unit_pool);
    stranger = idp_make(unit_pool);
    ck_assert_reason(es_metadata_load(&metadata, idp_metadata(known, unit_pool), &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_connection_make(&connection, &conf, metadata, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    memset(&key, 7, sizeof key);
    site =
        (es_site_t){ .connection = connection, .request = person_request(connection), .keep = apr_time_from_sec(3600) };
    flow = (es_flow_t){ .site = &site,
                        .key = &key,
                        .store = es_shm_store(shm),
                        .now = unit_time("2026-03-01T12:00:00Z"),
                        .pool = unit_pool };
}

/* The form that this provider would post for the request of a redirect. */
static es_acs_form_t answer_of(const idp_t *idp, const char *redirect)
{
    idp_response_t about = { .reply_url = site.connection->reply_url,
                             .audience = site.connection->entity_id,
                             .attributes =
                                 "<Attribute Name=\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name\">"
                                 "<AttributeValue>alice</AttributeValue></Attribute>",
                             .now = flow.now };
    es_acs_form_t form = { NULL, NULL };
    es_why_t why = ES_WHY_INIT;
    es_pending_t *pending;
    es_request_id_t id;

    ck_assert_reason(
        es_codec_form_find(&form.relay_state, es_bytes_of(strchr(redirect, '?') + 1), "RelayState", &why, unit_pool),
        ES_OK, why);
    ck_assert_reason(es_pending_open(&pending, form.relay_state, &key, &why, unit_pool), ES_OK, why);
    memcpy(id.octet, pending->request_id, sizeof id.octet);
    about.request_id = es_request_id_text(&id, unit_pool);
    form.saml_response = idp_response(idp, &about, unit_pool);
    return form;
}

/* The redirect to Entra; from then on the browser has the binding cookie. */
static const char *start(void)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_signon_start(&answer, &flow, NULL, "/page", &why), ES_OK, why);
    ck_assert_int_eq(answer.n_cookies, 1);
    flow.cookies = apr_pstrndup(unit_pool, answer.cookies[0], strcspn(answer.cookies[0], ";"));
    return answer.location;
}

static es_rv_t post(es_answer_t *answer, es_acs_report_t *report, const es_acs_form_t *form, es_why_t *why)
{
    memset(answer, 0, sizeof *answer);
    memset(report, 0, sizeof *report);
    *why = ES_WHY_INIT;
    return es_acs_accept(answer, report, &flow, form, why);
}

START_TEST(one_more_round)
{
    es_acs_report_t report;
    es_acs_form_t form;
    es_answer_t answer;
    es_why_t why;

    make_site();
    form = answer_of(stranger, start());
    ck_assert_reason(post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_int_eq(report.restarted, ES_SIGNATURE_KEY_UNKNOWN);
    ck_assert_int_eq(why.rv, ES_SIGNATURE_KEY_UNKNOWN); /* for the log, and whoever fetches */
    ck_assert_ptr_null(report.user);
    form = answer_of(stranger, answer.location);
    answer.location = NULL;
    ck_assert_reason(post(&answer, &report, &form, &why), ES_SIGNATURE_KEY_UNKNOWN, why);
    ck_assert_ptr_null(answer.location);
}
END_TEST

START_TEST(the_round_is_good)
{
    es_acs_report_t report;
    es_acs_form_t form;
    es_answer_t answer;
    es_why_t why;

    make_site();
    form = answer_of(stranger, start());
    ck_assert_reason(post(&answer, &report, &form, &why), ES_OK, why);
    form = answer_of(known, answer.location);
    ck_assert_reason(post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/page");
    ck_assert_str_eq(report.user, "alice");
}
END_TEST

START_TEST(for_whom_it_is_not)
{
    const char *cookies;
    es_acs_report_t report;
    es_acs_form_t form;
    es_answer_t answer;
    es_why_t why;

    make_site();
    form = answer_of(stranger, start());
    cookies = flow.cookies;
    flow.cookies = NULL;
    ck_assert_reason(post(&answer, &report, &form, &why), ES_SIGNATURE_KEY_UNKNOWN, why);
    flow.cookies = cookies;
    flow.now += ES_PENDING_LIFETIME + apr_time_from_sec(1);
    ck_assert_reason(post(&answer, &report, &form, &why), ES_SIGNATURE_KEY_UNKNOWN, why);
    flow.now -= ES_PENDING_LIFETIME + apr_time_from_sec(1);
    form.relay_state = NULL;
    ck_assert_reason(post(&answer, &report, &form, &why), ES_SIGNATURE_KEY_UNKNOWN, why);
    form.relay_state = "c29tZXRoaW5nIGVsc2U";
    ck_assert_reason(post(&answer, &report, &form, &why), ES_SIGNATURE_KEY_UNKNOWN, why);
}
END_TEST

Suite *suite_unknown_key(void)
{
    Suite *suite = suite_create("unknown_key");
    TCase *tcase = unit_case(suite, "unknown_key");

    tcase_add_test(tcase, one_more_round);
    tcase_add_test(tcase, the_round_is_good);
    tcase_add_test(tcase, for_whom_it_is_not);
    return suite;
}
