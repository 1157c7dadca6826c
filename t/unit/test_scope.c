/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sessions of another connection: where they are good, and what ends them.
 */
#include "ledger.h"
#include "person.h"
#include "scene.h"

#include <apr_strings.h>

#define TENANT "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
#define OF_TENANT                                                                                                      \
    ALICE "<Attribute Name=\"http://schemas.microsoft.com/identity/claims/tenantid\"><AttributeValue>" TENANT          \
          "</AttributeValue></Attribute>"

static es_site_t here, there;
static const es_site_t *others[2];
static es_connection_t connection_here, connection_there;

/* Two applications of one host on different ports. scene_site is what the browser talks to. */
static void open_both(void)
{
    es_connection_conf_t conf = { .base_url = "https://app.example.com:8443" };
    es_why_t why = ES_WHY_INIT;
    es_connection_t *made;

    scene_open();
    connection_here = *scene_site.connection;
    ck_assert_reason(es_connection_make(&made, &conf, scene_site.connection->metadata, &why, unit_pool), ES_OK, why);
    connection_there = *made;
    here = there = scene_site;
    here.connection = &connection_here;
    there.connection = &connection_there;
    there.request = person_request(&connection_there);
    others[0] = &there;
    others[1] = NULL;
}

/* "name=value" of a new session at the site. */
static const char *sign_in(const es_site_t *site, const char *attributes)
{
    es_acs_report_t report;
    es_answer_t answer;
    es_acs_form_t form;
    es_why_t why;

    scene_site = *site;
    scene_session_cookie = scene_binding_cookie = NULL;
    scene_flow.others = NULL;
    form = scene_entra(scene_start("/"), (idp_response_t){ .attributes = attributes });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    scene_site = here;
    return scene_session_cookie;
}

static es_rv_t resume(es_session_t *session, const char *cookies, const es_site_t *const *from)
{
    es_why_t why = ES_WHY_INIT;

    scene_flow.cookies = cookies;
    scene_flow.others = from;
    return es_resume_find(session, &scene_flow, LIFETIME, IDLE, &why);
}

START_TEST(good_where_that_is_said)
{
    const char *theirs = sign_in(&there, ALICE);
    es_session_t session;

    ck_assert_int_eq(resume(&session, theirs, NULL), ES_SESSION_NONE);
    ck_assert_int_eq(resume(&session, theirs, others), ES_OK);
    ck_assert_int_eq(memcmp(&session.connection, &connection_there.id, sizeof session.connection), 0);
}
END_TEST

/* The cookie's name is the browser's word, the record is not. */
START_TEST(under_its_own_name_only)
{
    const char *ours = sign_in(&here, ALICE), *theirs = sign_in(&there, ALICE);
    const char *as_ours = apr_pstrcat(unit_pool, connection_here.session_cookie, strchr(theirs, '='), NULL);
    const char *as_theirs = apr_pstrcat(unit_pool, connection_there.session_cookie, strchr(ours, '='), NULL);
    es_session_t session;

    ck_assert_int_eq(resume(&session, as_ours, others), ES_SESSION_FOREIGN);
    ck_assert_int_eq(resume(&session, as_theirs, others), ES_SESSION_FOREIGN);
}
END_TEST

START_TEST(ones_own_comes_first)
{
    const char *ours = sign_in(&here, ALICE), *theirs = sign_in(&there, ALICE);
    es_session_t session;

    ck_assert_int_eq(resume(&session, apr_pstrcat(unit_pool, theirs, "; ", ours, NULL), others), ES_OK);
    ck_assert_int_eq(memcmp(&session.connection, &connection_here.id, sizeof session.connection), 0);
}
END_TEST

#define OBJECT "e0fa9b18-5373-5e48-8455-ace59eb04cc8"
#define OBJECT_OF(tenant)                                                                                              \
    ALICE "<Attribute Name=\"http://schemas.microsoft.com/identity/claims/tenantid\"><AttributeValue>" tenant          \
          "</AttributeValue></Attribute><Attribute "                                                                   \
          "Name=\"http://schemas.microsoft.com/identity/claims/objectidentifier\"><AttributeValue>" OBJECT             \
          "</AttributeValue></Attribute>"

/* Accounts are asked for here, although none were where the session was made; it is not ended for them. */
START_TEST(our_accounts_hold)
{
    es_account_rules_t rules = { .policy = ES_ACCOUNTS_EXISTING,
                                 .database = &ledger,
                                 .trust = es_trust_attach(apr_pcalloc(unit_pool, ES_TRUST_SIZE), unit_pool),
                                 .trusted = SECONDS(60) };
    const es_account_rules_t elsewhere = { .policy = ES_ACCOUNTS_EXISTING,
                                           .database = &ledger,
                                           .trust = rules.trust,
                                           .identity = { { 1 } },
                                           .trusted = SECONDS(60) };
    const char *theirs = sign_in(&there, OBJECT_OF(TENANT));
    es_session_t session;

    ledger_open();
    scene_site.accounts = &rules;
    ck_assert_int_eq(resume(&session, theirs, others), ES_ACCOUNT_MISSING);
    ledger_add("tenant:" TENANT, OBJECT, NULL, NULL, ES_ACCOUNT_IS_ACTIVE);
    ck_assert_int_eq(resume(&session, theirs, others), ES_OK);
    ledger_rows[0].state = ES_ACCOUNT_IS_DISABLED;
    ck_assert_msg(resume(&session, theirs, others) == ES_OK, "trusted for a minute");
    scene_site.accounts = &elsewhere;
    ck_assert_msg(resume(&session, theirs, others) == ES_ACCOUNT_DISABLED, "trust is of one table of accounts");
    scene_site.accounts = NULL;
    ck_assert_int_eq(resume(&session, theirs, others), ES_OK);
}
END_TEST

/* Where there are no accounts nobody has looked whose tenant it is. */
START_TEST(another_connections_tenant_speaks_for_itself)
{
    es_account_rules_t rules = { .policy = ES_ACCOUNTS_EXISTING,
                                 .database = &ledger,
                                 .trust = es_trust_attach(apr_pcalloc(unit_pool, ES_TRUST_SIZE), unit_pool) };
    const char *theirs = sign_in(&there, OBJECT_OF("97fb2e3d-d978-44e1-bb74-0aa0109189b5"));
    es_session_t session;

    ledger_open();
    ledger_add("tenant:97fb2e3d-d978-44e1-bb74-0aa0109189b5", OBJECT, NULL, NULL, ES_ACCOUNT_IS_ACTIVE);
    scene_site.accounts = &rules;
    ck_assert_int_eq(resume(&session, theirs, others), ES_ACCOUNT_TENANT);
}
END_TEST

START_TEST(our_limits_hold)
{
    const char *theirs = sign_in(&there, ALICE);
    es_session_t session;

    scene_flow.now += IDLE;
    ck_assert_int_eq(resume(&session, theirs, others), ES_SESSION_IDLE);
}
END_TEST

START_TEST(the_tenants_of_both_hold)
{
    static const char *const ours[] = { TENANT, NULL }, *const foreign[] = { "97fb2e3d-d978-44e1-bb74-0aa0109189b5",
                                                                             NULL };
    const char *theirs = sign_in(&there, OF_TENANT);
    es_session_t session;

    connection_here.tenants = connection_there.tenants = ours;
    ck_assert_int_eq(resume(&session, theirs, others), ES_OK);
    connection_here.tenants = foreign;
    ck_assert_int_eq(resume(&session, theirs, others), ES_SESSION_FOREIGN);
    connection_here.tenants = NULL;
    ck_assert_int_eq(resume(&session, theirs, others), ES_OK);
    connection_there.tenants = foreign;
    ck_assert_int_eq(resume(&session, theirs, others), ES_SESSION_FOREIGN);
}
END_TEST

static int erases(const es_answer_t *answer, const char *name)
{
    const char *cookie = person_cookie(&scene_flow, answer, name);

    return cookie && cookie[strlen(cookie) - 1] == '=';
}

START_TEST(a_sign_out_ends_what_is_good_here)
{
    const char *ours = sign_in(&here, ALICE), *theirs = sign_in(&there, ALICE);
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_session_t session;
    int ended;

    scene_flow.others = NULL;
    scene_flow.cookies = apr_pstrcat(unit_pool, theirs, "; ", ours, NULL);
    ck_assert_reason(es_logout_start(&answer, &ended, &scene_flow, "/", 1, &why), ES_OK, why);
    ck_assert_int_eq(ended, 1);
    ck_assert(erases(&answer, connection_here.session_cookie) && !erases(&answer, connection_there.session_cookie));
    ck_assert_int_eq(resume(&session, theirs, others), ES_OK);
    answer = (es_answer_t){ NULL };
    scene_flow.cookies = apr_pstrcat(unit_pool, theirs, "; ", ours, NULL);
    ck_assert_reason(es_logout_start(&answer, &ended, &scene_flow, "/", 1, &why), ES_OK, why);
    ck_assert_int_eq(ended, 1);
    ck_assert(erases(&answer, connection_here.session_cookie) && erases(&answer, connection_there.session_cookie));
    ck_assert_int_eq(resume(&session, theirs, others), ES_SESSION_NONE);
    answer = (es_answer_t){ NULL };
    scene_flow.cookies = NULL;
    ck_assert_reason(es_logout_start(&answer, &ended, &scene_flow, "/", 1, &why), ES_OK, why);
    ck_assert_int_eq(answer.n_cookies, 1); /* no cookie came that were theirs to erase */
}
END_TEST

Suite *suite_scope(void)
{
    Suite *suite = suite_create("scope");
    TCase *tcase = unit_case(suite, "scope");

    tcase_add_checked_fixture(tcase, open_both, NULL);
    tcase_add_test(tcase, good_where_that_is_said);
    tcase_add_test(tcase, under_its_own_name_only);
    tcase_add_test(tcase, ones_own_comes_first);
    tcase_add_test(tcase, our_accounts_hold);
    tcase_add_test(tcase, another_connections_tenant_speaks_for_itself);
    tcase_add_test(tcase, our_limits_hold);
    tcase_add_test(tcase, the_tenants_of_both_hold);
    tcase_add_test(tcase, a_sign_out_ends_what_is_good_here);
    return suite;
}
