/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accounts through the whole flow: who gets in by which policy, who cannot take over whose account, what an authenticated
 * request asks.
 */
#include "ledger.h"
#include "scene.h"

#include "base/codec.h"

#include <apr_strings.h>

#define TENANT "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34" /* of IDP_ISSUER */
#define OTHER_TENANT "2f277f1e-e5f1-4f62-b595-79c2d13afda4"
#define OBJECT "e0fa9b18-5373-5e48-8455-ace59eb04cc8"
#define OTHER_OBJECT "0b1f34e0-5373-4e48-8455-9b18ace59eb0"
#define TRUSTED SECONDS(60)
#define ADDRESS "alice@example.com"

#define IDENTITY "http://schemas.microsoft.com/identity/claims/"
#define CLAIM(name, value) "<Attribute Name=\"" name "\"><AttributeValue>" value "</AttributeValue></Attribute>"
#define MAIL(value) CLAIM("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", value)
#define UPN(value) CLAIM("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", value)
#define USER(tenant, object)                                                                                           \
    CLAIM(IDENTITY "tenantid", tenant)                                                                                 \
    CLAIM(IDENTITY "objectidentifier", object) CLAIM(IDENTITY "identityprovider", IDP_ISSUER)
#define KNOWN UPN(ADDRESS) MAIL("Alice@Example.COM") USER(TENANT, OBJECT)

static es_account_rules_t rules;
static const char *const domains[] = { "example.com", NULL };
static const es_account_claim_t match = { 9, "emailaddress" };

static void open_all(void)
{
    scene_open();
    ledger_open();
    rules = (es_account_rules_t){
        .policy = ES_ACCOUNTS_WAITING_ROOM,
        .database = &ledger,
        .trust = es_trust_attach(apr_pcalloc(unit_pool, ES_TRUST_SIZE), unit_pool),
        .trusted = TRUSTED,
        .connection = es_codec_hex(es_bytes(&scene_site.connection->id, sizeof scene_site.connection->id), unit_pool),
        .domains = domains
    };
    scene_site.accounts = &rules;
}

static void prepare(es_account_state_t state)
{
    rules.policy = ES_ACCOUNTS_EXISTING;
    rules.match = &match;
    ledger_add(NULL, NULL, rules.connection, ADDRESS, state);
}

static es_acs_report_t report;
static es_rv_t sign_in(const char *attributes, es_why_t *why)
{
    es_acs_form_t form;
    es_answer_t answer;

    scene_session_cookie = scene_binding_cookie = NULL;
    form = scene_entra(scene_start("/page"), (idp_response_t){ .attributes = attributes });
    return scene_post(&answer, &report, &form, why);
}

static void assert_sign_in(const char *attributes, es_rv_t expected)
{
    es_why_t why;

    ck_assert_reason(sign_in(attributes, &why), expected, why);
    ck_assert(!scene_session_cookie == (expected != ES_OK));
}

static void assert_resume(es_rv_t expected)
{
    es_session_t session;

    ck_assert_str_eq(es_reason(scene_resume(&session))->code, es_reason(expected)->code);
}

/* ---- policies ----------------------------------------------------------------------------------------------------- */

START_TEST(nobody_is_asked_where_accounts_are_off)
{
    scene_site.accounts = NULL;
    assert_sign_in(ALICE, ES_OK);
    assert_resume(ES_OK);
    ck_assert_int_eq(ledger_asked, 0);
}
END_TEST

START_TEST(just_in_time)
{
    rules.policy = ES_ACCOUNTS_JIT;
    assert_sign_in(KNOWN, ES_OK);
    ck_assert_int_eq(ledger_n_rows, 1);
    ck_assert_str_eq(ledger_rows[0].key.authority, "tenant:" TENANT);
    ck_assert_str_eq(ledger_rows[0].key.subject, OBJECT);
    ck_assert_ptr_null(ledger_rows[0].address);
    ck_assert(ledger_rows[0].state == ES_ACCOUNT_IS_ACTIVE && !report.is_waiting);
    assert_resume(ES_OK);
    assert_sign_in(KNOWN, ES_OK);
    ck_assert_int_eq(ledger_n_rows, 1);
}
END_TEST

START_TEST(the_waiting_room)
{
    const char *session;

    assert_sign_in(KNOWN, ES_OK);
    ck_assert(report.is_waiting && ledger_rows[0].state == ES_ACCOUNT_IS_PENDING);
    session = scene_session_cookie;
    assert_resume(ES_ACCOUNT_PENDING);
    ledger_rows[0].state = ES_ACCOUNT_IS_ACTIVE;
    assert_resume(ES_OK);
    ck_assert_str_eq(scene_session_cookie, session);
}
END_TEST

START_TEST(only_the_existing)
{
    rules.policy = ES_ACCOUNTS_EXISTING;
    assert_sign_in(KNOWN, ES_ACCOUNT_MISSING);
    ck_assert_int_eq(ledger_n_rows, 0);
    ledger_add("tenant:" TENANT, OBJECT, NULL, NULL, ES_ACCOUNT_IS_PENDING);
    assert_sign_in(KNOWN, ES_ACCOUNT_PENDING);
    ledger_rows[0].state = ES_ACCOUNT_IS_ACTIVE;
    assert_sign_in(KNOWN, ES_OK);
    ledger_rows[0].state = ES_ACCOUNT_IS_DISABLED;
    assert_sign_in(KNOWN, ES_ACCOUNT_DISABLED);
}
END_TEST

START_TEST(the_disabled_are_out_by_any_policy)
{
    rules.policy = (es_accounts_policy_t)_i;
    ledger_add("tenant:" TENANT, OBJECT, NULL, NULL, ES_ACCOUNT_IS_DISABLED);
    assert_sign_in(KNOWN, ES_ACCOUNT_DISABLED);
}
END_TEST

START_TEST(a_message_refused_for_its_account_is_not_used_up)
{
    es_acs_form_t form;
    es_answer_t answer;
    es_why_t why;

    rules.policy = ES_ACCOUNTS_EXISTING;
    form = scene_entra(scene_start("/page"), (idp_response_t){ .attributes = KNOWN });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_ACCOUNT_MISSING, why);
    ledger_add("tenant:" TENANT, OBJECT, NULL, NULL, ES_ACCOUNT_IS_ACTIVE);
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_ptr_nonnull(scene_session_cookie);
}
END_TEST

START_TEST(an_account_needs_both_ids)
{
    assert_sign_in(ALICE, ES_ACCOUNT_KEY);
    assert_sign_in(ALICE CLAIM(IDENTITY "tenantid", TENANT), ES_ACCOUNT_KEY);
    assert_sign_in(ALICE USER(TENANT, OBJECT) CLAIM(IDENTITY "objectidentifier", OTHER_OBJECT), ES_ACCOUNT_KEY);
    ck_assert_int_eq(ledger_n_rows, 0);
}
END_TEST

/* ---- attackers ------------------------------------------------------------------------------------------------------ */

/* With a signing key of its own, an application's administrator maps what he likes to any claim. */
START_TEST(a_tenant_speaks_for_itself_only)
{
    ledger_add("tenant:" OTHER_TENANT, OBJECT, NULL, NULL, ES_ACCOUNT_IS_ACTIVE);
    assert_sign_in(UPN(ADDRESS) USER(OTHER_TENANT, OBJECT), ES_ACCOUNT_TENANT);
    assert_sign_in(UPN(ADDRESS) USER(TENANT, OBJECT) CLAIM(IDENTITY "tenantid", OTHER_TENANT), ES_ACCOUNT_TENANT);
    rules.key = &(es_account_claim_t){ 10, "name" };
    assert_sign_in(UPN(ADDRESS) USER(OTHER_TENANT, OBJECT), ES_ACCOUNT_TENANT);
}
END_TEST

START_TEST(another_tenants_object_of_the_same_number)
{
    ledger_add("tenant:" OTHER_TENANT, OBJECT, NULL, NULL, ES_ACCOUNT_IS_ACTIVE);
    assert_sign_in(KNOWN, ES_OK);
    ck_assert(report.is_waiting);
    ck_assert_int_eq(ledger_n_rows, 2);
}
END_TEST

/* This ledger takes ADA for ada. */
START_TEST(a_database_that_does_not_care_for_case)
{
    static const es_account_claim_t key = { 10, "name" };

    rules.key = &key;
    rules.policy = ES_ACCOUNTS_EXISTING;
    ledger_add(apr_pstrcat(unit_pool, "connection:", rules.connection, NULL), "ALICE@example.com", NULL, NULL,
               ES_ACCOUNT_IS_ACTIVE);
    assert_sign_in(KNOWN, ES_ACCOUNT_MISSING);
}
END_TEST

START_TEST(a_prepared_row_is_bound_once)
{
    prepare(ES_ACCOUNT_IS_ACTIVE);
    assert_sign_in(KNOWN, ES_OK);
    ck_assert_str_eq(ledger_rows[0].key.subject, OBJECT);
    ck_assert_int_eq(ledger_n_rows, 1);
    assert_sign_in(UPN("x@example.com") USER(TENANT, OBJECT), ES_OK); /* by his key now, whatever his address is */
    assert_sign_in(UPN(ADDRESS) MAIL(ADDRESS) USER(TENANT, OTHER_OBJECT), ES_ACCOUNT_BOUND);
    ck_assert_str_eq(ledger_rows[0].key.subject, OBJECT);
}
END_TEST

START_TEST(whoever_gets_an_address_later_gets_an_account_of_his_own)
{
    prepare(ES_ACCOUNT_IS_ACTIVE);
    rules.policy = ES_ACCOUNTS_JIT;
    assert_sign_in(KNOWN, ES_OK);
    assert_sign_in(UPN(ADDRESS) MAIL(ADDRESS) USER(TENANT, OTHER_OBJECT), ES_OK);
    ck_assert_int_eq(ledger_n_rows, 2);
    ck_assert_str_eq(ledger_rows[0].key.subject, OBJECT);
    ck_assert_str_eq(ledger_rows[1].key.subject, OTHER_OBJECT);
}
END_TEST

/* The row is there, and stays whose it is, by any policy. */
START_TEST(who_does_not_get_a_prepared_row)
{
    static const struct {
        const char *attributes;
        es_rv_t rv;
    } cases[] = {
        { UPN(ADDRESS) MAIL(ADDRESS) CLAIM(IDENTITY "tenantid", TENANT) CLAIM(IDENTITY "objectidentifier", OBJECT)
              CLAIM(IDENTITY "identityprovider", "https://sts.windows.net/" OTHER_TENANT "/"),
          ES_ACCOUNT_GUEST },
        { UPN(ADDRESS) MAIL(ADDRESS) CLAIM(IDENTITY "tenantid", TENANT) CLAIM(IDENTITY "objectidentifier", OBJECT),
          ES_ACCOUNT_GUEST },
        { KNOWN CLAIM(IDENTITY "acct", "1"), ES_ACCOUNT_GUEST },
        { KNOWN CLAIM(IDENTITY "acct", "0") CLAIM(IDENTITY "acct", "1"), ES_ACCOUNT_GUEST },
        { KNOWN CLAIM(IDENTITY "identityprovider", "live.com"), ES_ACCOUNT_GUEST },
        { UPN("alice_evil.example#EXT#@example.com") MAIL(ADDRESS) USER(TENANT, OBJECT), ES_ACCOUNT_GUEST },
        { UPN("mallory@evil.example") MAIL(ADDRESS) USER(TENANT, OBJECT), ES_ACCOUNT_UNVERIFIED },
        { MAIL(ADDRESS) CLAIM(IDENTITY "displayname", "x") USER(TENANT, OBJECT), ES_ACCOUNT_UNVERIFIED },
    };

    prepare(ES_ACCOUNT_IS_ACTIVE);
    rules.policy = (es_accounts_policy_t)_i;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_sign_in(cases[i].attributes, cases[i].rv);
        ck_assert_ptr_null(ledger_rows[0].key.subject);
        ck_assert_int_eq(ledger_n_rows, 1);
    }
    rules.domains = NULL;
    assert_sign_in(KNOWN, ES_ACCOUNT_DOMAIN);
    rules.domains = domains;
    ledger_rows[0].connection = "ffeeddccbbaa99887766554433221100";
    assert_sign_in(KNOWN, ES_ACCOUNT_CONNECTION);
    ledger_rows[0].connection = rules.connection;
    ledger_add(NULL, NULL, rules.connection, "ALICE@example.com", ES_ACCOUNT_IS_ACTIVE);
    assert_sign_in(KNOWN, ES_ACCOUNT_AMBIGUOUS);
}
END_TEST

START_TEST(addresses_that_look_alike_find_nobody)
{
    static const char *const lookalikes[] = { "\xd0\xb0lice@example.com", "alice@ex\xc3\xa1mple.com",
                                              "al\xc4\xb1"
                                              "ce@example.com",
                                              " " ADDRESS, ADDRESS "." };

    prepare(ES_ACCOUNT_IS_ACTIVE);
    for (size_t i = 0; i < sizeof lookalikes / sizeof *lookalikes; i++) {
        assert_sign_in(apr_pstrcat(unit_pool, UPN(ADDRESS) USER(TENANT, OBJECT), MAIL(""), NULL), ES_ACCOUNT_ADDRESS);
        assert_sign_in(apr_psprintf(unit_pool, UPN(ADDRESS) USER(TENANT, OBJECT) MAIL("%s"), lookalikes[i]),
                       ES_ACCOUNT_ADDRESS);
        ck_assert_ptr_null(ledger_rows[0].key.subject);
    }
    assert_sign_in(UPN(ADDRESS) USER(TENANT, OBJECT) MAIL(ADDRESS) MAIL("x@example.com"), ES_ACCOUNT_ADDRESS);
    assert_sign_in(UPN(ADDRESS) USER(TENANT, OBJECT) MAIL("alice@sub.example.com"), ES_ACCOUNT_MISSING);
    rules.policy = ES_ACCOUNTS_JIT;
    assert_sign_in(UPN(ADDRESS) USER(TENANT, OBJECT) MAIL("\xd0\xb0lice@example.com"), ES_OK);
    ck_assert_int_eq(ledger_n_rows, 2);
    ck_assert_ptr_null(ledger_rows[0].key.subject);
}
END_TEST

START_TEST(a_prepared_row_has_its_state)
{
    prepare(ES_ACCOUNT_IS_PENDING);
    assert_sign_in(KNOWN, ES_ACCOUNT_PENDING);
    ck_assert_ptr_null(ledger_rows[0].key.subject);
    rules.policy = ES_ACCOUNTS_WAITING_ROOM;
    assert_sign_in(KNOWN, ES_OK);
    ck_assert(report.is_waiting && ledger_rows[0].key.subject);
    ledger_open();
    prepare(ES_ACCOUNT_IS_DISABLED);
    assert_sign_in(KNOWN, ES_ACCOUNT_DISABLED);
    ck_assert_ptr_null(ledger_rows[0].key.subject);
}
END_TEST

/* ---- several at once -------------------------------------------------------------------------------------------------- */

static void another_of_mine(void)
{
    ledger_add("tenant:" TENANT, OBJECT, NULL, NULL, ES_ACCOUNT_IS_ACTIVE);
}

static void another_is_faster(void)
{
    ledger_rows[0].key = (es_account_key_t){ "tenant:" TENANT, OTHER_OBJECT };
}

static void mine_is_faster(void)
{
    ledger_rows[0].key = (es_account_key_t){ "tenant:" TENANT, OBJECT };
}

static void disabled_meanwhile(void)
{
    ledger_add("tenant:" TENANT, OBJECT, NULL, NULL, ES_ACCOUNT_IS_DISABLED);
}

START_TEST(first_sign_ins_at_once_make_one_row)
{
    ledger_meanwhile = another_of_mine;
    assert_sign_in(KNOWN, ES_OK);
    ck_assert_int_eq(ledger_n_rows, 1);
    ck_assert_msg(!report.is_waiting, "the row that is there counts");
}
END_TEST

/* A table of the site's own, whose statement cannot pass over a row that is there. */
START_TEST(a_unique_key_that_refuses_is_no_fault)
{
    ledger_meanwhile = another_of_mine;
    ledger_refuses = ES_ACCOUNTS_FAULT;
    assert_sign_in(KNOWN, ES_OK);
    ck_assert_int_eq(ledger_n_rows, 1);
}
END_TEST

START_TEST(a_row_is_bound_to_one_of_two)
{
    prepare(ES_ACCOUNT_IS_ACTIVE);
    ledger_meanwhile = another_is_faster;
    assert_sign_in(KNOWN, ES_ACCOUNT_BOUND);
    ledger_open();
    prepare(ES_ACCOUNT_IS_ACTIVE);
    ledger_meanwhile = mine_is_faster;
    assert_sign_in(KNOWN, ES_OK);
}
END_TEST

START_TEST(disabled_at_the_last_moment)
{
    ledger_meanwhile = disabled_meanwhile;
    assert_sign_in(KNOWN, ES_ACCOUNT_DISABLED);
}
END_TEST

/* A message makes an account once: a replay does not bring back one that was removed. */
START_TEST(a_launch_makes_an_account_once)
{
    es_acs_form_t form = scene_launch(NULL, (idp_response_t){ .attributes = KNOWN });
    es_answer_t answer;
    es_why_t why;

    scene_site.idp_initiated = 1;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert(report.is_waiting && ledger_n_rows == 1);
    assert_resume(ES_ACCOUNT_PENDING);
    ledger_n_rows = 0;
    scene_session_cookie = scene_binding_cookie = NULL;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_REPLAYED, why);
    ck_assert_int_eq(ledger_n_rows, 0);
}
END_TEST

START_TEST(a_table_without_a_unique_key)
{
    another_of_mine();
    another_of_mine();
    assert_sign_in(KNOWN, ES_ACCOUNTS_ROW);
}
END_TEST

/* ---- keys and profiles ------------------------------------------------------------------------------------------------ */

START_TEST(a_claim_as_key)
{
    static const es_account_claim_t key = { 0, "employee" };

    rules.key = &key;
    assert_sign_in(KNOWN, ES_ACCOUNT_KEY);
    assert_sign_in(ALICE CLAIM("employee", "a b"), ES_ACCOUNT_KEY);
    assert_sign_in(ALICE CLAIM("employee", "a;b\\c"), ES_OK);
    ck_assert_str_eq(ledger_rows[0].key.authority, apr_pstrcat(unit_pool, "connection:", rules.connection, NULL));
    ck_assert_str_eq(ledger_rows[0].key.subject, "a;b\\c");
    ledger_rows[0].state = ES_ACCOUNT_IS_ACTIVE;
    assert_resume(ES_OK);
}
END_TEST

START_TEST(profiles_are_what_claims_say)
{
    static const es_account_claim_t profile[] = {
        { 9, "emailaddress" }, { 0, "names" }, { 7, "givenname" }, { 0, "one" }
    };

    rules.profile = profile;
    rules.n_profile = 4;
    assert_sign_in(KNOWN CLAIM("names", "a;b") CLAIM("names", "c") CLAIM("one", "x;\\y"), ES_OK);
    ck_assert_int_eq(ledger_n_profile, 4);
    ck_assert_str_eq(ledger_profile[0], "Alice@Example.COM");
    ck_assert_str_eq(ledger_profile[1], "a\\;b;c");
    ck_assert_ptr_null(ledger_profile[2]);
    ck_assert_str_eq(ledger_profile[3], "x;\\y");
}
END_TEST

/* ---- authenticated requests --------------------------------------------------------------------------------------------- */

static void sign_in_active(void)
{
    rules.policy = ES_ACCOUNTS_JIT;
    assert_sign_in(KNOWN, ES_OK);
    ledger_asked = 0;
}

START_TEST(an_active_account_is_asked_once_in_its_time)
{
    sign_in_active();
    scene_flow.now += TRUSTED - 1;
    assert_resume(ES_OK);
    ck_assert_int_eq(ledger_asked, 0);
    scene_flow.now += 1;
    assert_resume(ES_OK);
    assert_resume(ES_OK);
    ck_assert_int_eq(ledger_asked, 1);
    rules.trusted = 0;
    assert_resume(ES_OK);
    assert_resume(ES_OK);
    ck_assert_int_eq(ledger_asked, 3);
}
END_TEST

START_TEST(who_waits_is_asked_for_each_time_and_not_idle)
{
    assert_sign_in(KNOWN, ES_OK);
    ledger_asked = 0;
    for (int i = 1; i <= 4; i++) {
        scene_flow.now += IDLE / 2;
        assert_resume(ES_ACCOUNT_PENDING);
        ck_assert_int_eq(ledger_asked, i);
    }
}
END_TEST

START_TEST(who_is_set_back_waits_again)
{
    sign_in_active();
    rules.trusts_when_down = 1;
    ledger_rows[0].state = ES_ACCOUNT_IS_PENDING;
    scene_flow.now += TRUSTED;
    assert_resume(ES_ACCOUNT_PENDING);
    ledger_silence = ES_ACCOUNTS_DOWN;
    assert_resume(ES_ACCOUNTS_DOWN);
}
END_TEST

START_TEST(a_session_ends_with_its_account)
{
    sign_in_active();
    rules.trusts_when_down = 1;
    ledger_rows[0].state = ES_ACCOUNT_IS_DISABLED;
    scene_flow.now += TRUSTED;
    assert_resume(ES_ACCOUNT_DISABLED);
    ledger_rows[0].state = ES_ACCOUNT_IS_ACTIVE;
    assert_resume(ES_SESSION_NONE);
}
END_TEST

START_TEST(a_row_that_is_gone)
{
    sign_in_active();
    ledger_n_rows = 0;
    scene_flow.now += TRUSTED;
    assert_resume(ES_SESSION_EXPIRED);
    assert_resume(ES_SESSION_NONE);
    sign_in_active();
    rules.policy = ES_ACCOUNTS_EXISTING;
    ledger_n_rows = 0;
    scene_flow.now += TRUSTED;
    assert_resume(ES_ACCOUNT_MISSING);
    assert_resume(ES_SESSION_NONE);
}
END_TEST

START_TEST(a_clock_that_was_set_back_asks)
{
    sign_in_active();
    scene_flow.now -= SECONDS(10);
    assert_resume(ES_OK);
    ck_assert_int_eq(ledger_asked, 1);
}
END_TEST

START_TEST(a_database_that_is_down)
{
    sign_in_active();
    ledger_silence = _i ? ES_ACCOUNTS_FAULT : ES_ACCOUNTS_DOWN;
    assert_resume(ES_OK);
    scene_flow.now += TRUSTED;
    assert_resume(ledger_silence);
    rules.trusts_when_down = 1;
    assert_resume(ES_OK);
    scene_session_cookie = NULL;
    assert_sign_in(KNOWN, ledger_silence);
    ledger_silence = ES_OK;
}
END_TEST

/* Only who was known as active: not who waits, nor whoever this server knows nothing of. */
START_TEST(nobody_is_trusted_unknown)
{
    rules.trusts_when_down = 1;
    assert_sign_in(KNOWN, ES_OK);
    ledger_silence = ES_ACCOUNTS_DOWN;
    assert_resume(ES_ACCOUNTS_DOWN);
    ledger_silence = ES_OK;
    sign_in_active();
    rules.trust = es_trust_attach(apr_pcalloc(unit_pool, ES_TRUST_SIZE), unit_pool);
    ledger_silence = ES_ACCOUNTS_DOWN;
    assert_resume(ES_ACCOUNTS_DOWN);
    ledger_silence = ES_OK;
    ledger_rows[0].state = ES_ACCOUNT_IS_ACTIVE;
    assert_resume(ES_OK);
    scene_flow.now += TRUSTED;
    ledger_silence = ES_ACCOUNTS_ROW; /* an answer */
    assert_resume(ES_ACCOUNTS_ROW);
}
END_TEST

static void add_policies(Suite *suite)
{
    TCase *tests = unit_case(suite, "policies");

    tcase_add_checked_fixture(tests, open_all, NULL);
    tcase_add_test(tests, nobody_is_asked_where_accounts_are_off);
    tcase_add_test(tests, just_in_time);
    tcase_add_test(tests, the_waiting_room);
    tcase_add_test(tests, only_the_existing);
    tcase_add_loop_test(tests, the_disabled_are_out_by_any_policy, ES_ACCOUNTS_EXISTING, ES_ACCOUNTS_WAITING_ROOM + 1);
    tcase_add_test(tests, a_message_refused_for_its_account_is_not_used_up);
    tcase_add_test(tests, an_account_needs_both_ids);
    tcase_add_test(tests, a_claim_as_key);
    tcase_add_test(tests, profiles_are_what_claims_say);
}

static void add_attackers(Suite *suite)
{
    TCase *tests = unit_case(suite, "attackers"), *races = unit_case(suite, "several at once");

    tcase_add_checked_fixture(tests, open_all, NULL);
    tcase_add_test(tests, a_tenant_speaks_for_itself_only);
    tcase_add_test(tests, another_tenants_object_of_the_same_number);
    tcase_add_test(tests, a_database_that_does_not_care_for_case);
    tcase_add_test(tests, a_prepared_row_is_bound_once);
    tcase_add_test(tests, whoever_gets_an_address_later_gets_an_account_of_his_own);
    tcase_add_loop_test(tests, who_does_not_get_a_prepared_row, ES_ACCOUNTS_EXISTING, ES_ACCOUNTS_WAITING_ROOM + 1);
    tcase_add_test(tests, addresses_that_look_alike_find_nobody);
    tcase_add_test(tests, a_prepared_row_has_its_state);
    tcase_add_checked_fixture(races, open_all, NULL);
    tcase_add_test(races, first_sign_ins_at_once_make_one_row);
    tcase_add_test(races, a_unique_key_that_refuses_is_no_fault);
    tcase_add_test(races, a_row_is_bound_to_one_of_two);
    tcase_add_test(races, disabled_at_the_last_moment);
    tcase_add_test(races, a_launch_makes_an_account_once);
    tcase_add_test(races, a_table_without_a_unique_key);
}

Suite *suite_accounts(void)
{
    Suite *suite = suite_create("accounts");
    TCase *tests = unit_case(suite, "requests");

    add_policies(suite);
    add_attackers(suite);
    tcase_add_checked_fixture(tests, open_all, NULL);
    tcase_add_test(tests, an_active_account_is_asked_once_in_its_time);
    tcase_add_test(tests, who_waits_is_asked_for_each_time_and_not_idle);
    tcase_add_test(tests, who_is_set_back_waits_again);
    tcase_add_test(tests, a_session_ends_with_its_account);
    tcase_add_test(tests, a_row_that_is_gone);
    tcase_add_test(tests, a_clock_that_was_set_back_asks);
    tcase_add_loop_test(tests, a_database_that_is_down, 0, 2);
    tcase_add_test(tests, nobody_is_trusted_unknown);
    return suite;
}
