/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accounts: states, keys, addresses, and whose a prepared row is.
 */
#include "unit.h"

#include "session/account.h"

#include <apr_strings.h>

#define TENANT "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
#define OTHER_TENANT "2f277f1e-e5f1-4f62-b595-79c2d13afda4"
#define OBJECT "e0fa9b18-5373-5e48-8455-ace59eb04cc8"
#define ISSUER "https://sts.windows.net/" TENANT "/"
#define MINE "00112233445566778899aabbccddeeff"
#define THEIRS "ffeeddccbbaa99887766554433221100"
#define ADA "ada@contoso.com"

static const char *const domains[] = { "contoso.com", "contoso.co.uk", NULL };

/* A member of the tenant whose User Principal Name is the address. */
static es_account_person_t ada(void)
{
    return (es_account_person_t){ .connection = MINE,
                                  .tenant = TENANT,
                                  .issuer = ISSUER,
                                  .domains = domains,
                                  .address = ADA,
                                  .principal = ADA,
                                  .identity_provider = ISSUER };
}

static es_account_t prepared(const char *connection, const char *address)
{
    return (es_account_t){ .id = "7", .connection = connection, .address = address, .state = ES_ACCOUNT_IS_ACTIVE };
}

static es_rv_t choose(const es_account_t **row, const es_account_t *rows, int n_rows, const es_account_person_t *person,
                      es_why_t *why)
{
    int bound;

    *why = ES_WHY_INIT;
    *row = NULL;
    return es_account_choose(row, &bound, rows, n_rows, person, why, unit_pool);
}

static void assert_refused(const es_account_person_t *person, es_rv_t expected)
{
    const es_account_t rows[] = { prepared(MINE, ADA) };
    const es_account_t *row;
    es_why_t why;

    ck_assert_reason(choose(&row, rows, 1, person, &why), expected, why);
    ck_assert_ptr_null(row);
}

START_TEST(states_have_words)
{
    es_account_state_t state;

    for (int i = 0; i < ES_ACCOUNT_STATES; i++) {
        ck_assert(es_account_state_read(&state, es_account_state_text((es_account_state_t)i)));
        ck_assert_int_eq(state, i);
    }
    ck_assert(!es_account_state_read(&state, "Active") && !es_account_state_read(&state, "active ") &&
              !es_account_state_read(&state, "") && !es_account_state_read(&state, NULL));
}
END_TEST

START_TEST(a_user_is_his_tenants_object)
{
    es_account_key_t key, same;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_account_key_of_user(&key, TENANT, OBJECT, &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(key.authority, "tenant:" TENANT);
    ck_assert_str_eq(key.subject, OBJECT);
    ck_assert_reason(es_account_key_of_user(&same, "7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34",
                                            "E0FA9B18-5373-5E48-8455-ACE59EB04CC8", &why, unit_pool),
                     ES_OK, why);
    ck_assert(es_account_key_equal(&key, &same));
    ck_assert_reason(es_account_key_of_user(&same, OTHER_TENANT, OBJECT, &why, unit_pool), ES_OK, why);
    ck_assert(!es_account_key_equal(&key, &same));
}
END_TEST

START_TEST(no_key_without_both_guids)
{
    static const char *const unfit[] = { NULL, "", "ada", TENANT "0", "{" TENANT "}", " " TENANT };
    es_account_key_t key;

    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        es_why_t why = ES_WHY_INIT, other = ES_WHY_INIT;

        ck_assert_reason(es_account_key_of_user(&key, unfit[i], OBJECT, &why, unit_pool), ES_ACCOUNT_KEY, why);
        ck_assert_reason(es_account_key_of_user(&key, TENANT, unfit[i], &other, unit_pool), ES_ACCOUNT_KEY, other);
    }
}
END_TEST

START_TEST(a_value_is_its_connections)
{
    es_account_key_t key, other;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_account_key_of_value(&key, MINE, NULL, "Ada@contoso.com", &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(key.authority, "connection:" MINE);
    ck_assert_str_eq(key.subject, "Ada@contoso.com");
    ck_assert_reason(es_account_key_of_value(&other, MINE, NULL, "ada@contoso.com", &why, unit_pool), ES_OK, why);
    ck_assert_msg(!es_account_key_equal(&key, &other), "case is no matter of ours: what differs is another");
    ck_assert_reason(es_account_key_of_value(&other, THEIRS, NULL, "Ada@contoso.com", &why, unit_pool), ES_OK, why);
    ck_assert(!es_account_key_equal(&key, &other));
    ck_assert_reason(es_account_key_of_value(&other, MINE, TENANT, "Ada@contoso.com", &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(other.authority, "connection:" MINE "/" TENANT);
    ck_assert(!es_account_key_equal(&key, &other));
}
END_TEST

/* Records show control characters as blanks: one user's value must not become another's by that. */
START_TEST(no_key_of_what_records_make_alike)
{
    static const char *const unfit[] = { NULL, "", " ", "a b", "a\tb", "a\nb", "a\001b", "a\177", " a", "a " };
    const char *longest = apr_psprintf(unit_pool, "%0255d", 1);
    es_account_key_t key;
    es_why_t why = ES_WHY_INIT;

    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        es_why_t refused = ES_WHY_INIT;

        ck_assert_reason(es_account_key_of_value(&key, MINE, NULL, unfit[i], &refused, unit_pool), ES_ACCOUNT_KEY,
                         refused);
    }
    ck_assert_reason(es_account_key_of_value(&key, MINE, NULL, longest, &why, unit_pool), ES_OK, why);
    longest = apr_pstrcat(unit_pool, longest, "x", NULL);
    ck_assert_reason(es_account_key_of_value(&key, MINE, NULL, longest, &why, unit_pool), ES_ACCOUNT_KEY, why);
}
END_TEST

START_TEST(a_key_that_is_not_whole_is_nobodys)
{
    const es_account_key_t whole = { "tenant:" TENANT, OBJECT }, none = { NULL, NULL },
                           half = { "tenant:" TENANT, NULL };

    ck_assert(es_account_key_equal(&whole, &whole));
    ck_assert(!es_account_key_equal(&none, &none) && !es_account_key_equal(&half, &half) &&
              !es_account_key_equal(&whole, &half));
}
END_TEST

START_TEST(the_tenant_stands_in_the_issuer)
{
    ck_assert(es_account_is_issuers(TENANT, ISSUER));
    ck_assert(es_account_is_issuers(TENANT, "https://sts.windows.net/7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34/"));
    ck_assert(es_account_is_issuers(TENANT, "https://login.microsoftonline.com/" TENANT));
    ck_assert(!es_account_is_issuers(OTHER_TENANT, ISSUER));
    ck_assert(!es_account_is_issuers(TENANT, "https://sts.windows.net/x" TENANT "/"));
    ck_assert(!es_account_is_issuers(TENANT, "https://sts.windows.net/" TENANT "0/"));
    ck_assert(!es_account_is_issuers(TENANT, "urn:" TENANT));
}
END_TEST

START_TEST(addresses_are_compared_in_lower_case)
{
    const char *address;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_account_address_read(&address, "Ada.O'Hara+X_1@Contoso-2.CO.UK", &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(address, "ada.o'hara+x_1@contoso-2.co.uk");
}
END_TEST

/* Each is taken for ada@contoso.com by somebody: a database's collation, a mail system, an eye. */
START_TEST(no_address_that_somebody_takes_for_another)
{
    static const char *const unfit[] = {
        NULL,
        "",
        "ada",
        "@contoso.com",
        "ada@",
        "ada@contoso",
        "ada@.com",
        "ada@contoso.com.",
        "ada@contoso..com",
        "ada@-contoso.com",
        "ada@contoso-.com",
        "ada@contoso.com ",
        " ada@contoso.com",
        "ada@contoso.com\n",
        "ada@evil.example,ada@contoso.com",
        "ada@contoso.com@evil.example",
        "<ada@contoso.com>",
        "\"ada\"@contoso.com",
        "ada(x)@contoso.com",
        "ada%contoso.com@evil.example",
        "ada@[127.0.0.1]",
        "ad_%@contoso.com",
        "ada*@contoso.com",
        "\xc3\xa0"
        "da@contoso.com", /* a with a grave accent: equal by accent-blind collations */
        "\xd0\xb0"
        "da@contoso.com", /* Cyrillic a */
        "ada@contoso\xef\xbc\x8e"
        "com",                         /* full-width full stop, a dot to IDNA */
        "ada@\xe2\x84\x82ontoso.com",  /* double-struck C, a c by NFKC */
        "ad\xc4\xb1n@contoso.com",     /* dotless i, whose capital is I */
        "ada\xe2\x80\x8b@contoso.com", /* zero-width space */
        "ada@con\xc2\xadtoso.com",     /* soft hyphen */
        "\xef\xbb\xbf"
        "ada@contoso.com", /* byte order mark */
        "ada;bob@contoso.com",
        "gus_fabrikam.com#EXT#@contoso.onmicrosoft.com",
    };
    const char *address = "untouched";

    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_account_address_read(&address, unfit[i], &why, unit_pool), ES_ACCOUNT_ADDRESS, why);
        ck_assert_str_eq(address, "untouched");
    }
}
END_TEST

START_TEST(addresses_have_their_lengths)
{
    const char *local = apr_psprintf(unit_pool, "%064d", 1), *label = apr_psprintf(unit_pool, "%063d", 1);
    const char *address;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(
        es_account_address_read(&address, apr_pstrcat(unit_pool, local, "@", label, ".com", NULL), &why, unit_pool),
        ES_OK, why);
    ck_assert_reason(
        es_account_address_read(&address, apr_pstrcat(unit_pool, "1", local, "@a.com", NULL), &why, unit_pool),
        ES_ACCOUNT_ADDRESS, why);
    why = ES_WHY_INIT;
    ck_assert_reason(
        es_account_address_read(&address, apr_pstrcat(unit_pool, "a@1", label, ".com", NULL), &why, unit_pool),
        ES_ACCOUNT_ADDRESS, why);
    why = ES_WHY_INIT;
    ck_assert_reason(
        es_account_address_read(&address, apr_pstrcat(unit_pool, "a@", label, ".", label, ".", label, ".", label, NULL),
                                &why, unit_pool),
        ES_ACCOUNT_ADDRESS, why);
}
END_TEST

START_TEST(domains_are_whole)
{
    ck_assert_str_eq(es_account_domain_read("Contoso.COM", unit_pool), "contoso.com");
    ck_assert_ptr_null(es_account_domain_read("*.contoso.com", unit_pool));
    ck_assert_ptr_null(es_account_domain_read(".contoso.com", unit_pool));
    ck_assert_ptr_null(es_account_domain_read("contoso", unit_pool));
    ck_assert_ptr_null(es_account_domain_read("", unit_pool));
}
END_TEST

START_TEST(a_row_waits_for_its_owner)
{
    const es_account_t rows[] = { prepared(THEIRS, ADA), prepared(MINE, "Ada@Contoso.COM") };
    const es_account_person_t person = ada();
    const es_account_t *row;
    es_why_t why;

    ck_assert_reason(choose(&row, rows, 2, &person, &why), ES_OK, why);
    ck_assert_ptr_eq(row, &rows[1]);
    ck_assert_reason(choose(&row, rows, 0, &person, &why), ES_OK, why);
    ck_assert_ptr_null(row);
}
END_TEST

/* A database that takes other texts for equal gives other people's rows. */
START_TEST(rows_of_other_addresses_are_passed_over)
{
    const es_account_t rows[] = { prepared(MINE, "\xc3\xa0"
                                                 "da@contoso.com"),
                                  prepared(MINE, "adam@contoso.com"), prepared(MINE, "ada@contoso.com "),
                                  prepared(MINE, NULL) };
    const es_account_person_t person = ada();
    const es_account_t *row;
    es_why_t why;

    ck_assert_reason(choose(&row, rows, 4, &person, &why), ES_OK, why);
    ck_assert_ptr_null(row);
}
END_TEST

START_TEST(a_row_has_one_owner)
{
    es_account_t row = prepared(MINE, ADA);
    const es_account_person_t person = ada();
    const es_account_t *chosen;
    es_why_t why = ES_WHY_INIT;
    int bound;

    row.key = (es_account_key_t){ "tenant:" TENANT, "another" };
    ck_assert_reason(es_account_choose(&chosen, &bound, &row, 1, &person, &why, unit_pool), ES_OK, why);
    ck_assert(!chosen && bound);
    row.key.subject = NULL; /* half a key is no invitation */
    ck_assert_reason(es_account_choose(&chosen, &bound, &row, 1, &person, &why, unit_pool), ES_OK, why);
    ck_assert(!chosen && bound);
}
END_TEST

START_TEST(two_rows_are_none)
{
    const es_account_t rows[] = { prepared(MINE, ADA), prepared(MINE, "ADA@contoso.com") };
    const es_account_person_t person = ada();
    const es_account_t *row;
    es_why_t why;

    ck_assert_reason(choose(&row, rows, 2, &person, &why), ES_ACCOUNT_AMBIGUOUS, why);
    ck_assert_ptr_null(row);
}
END_TEST

START_TEST(another_connections_row)
{
    const es_account_t rows[] = { prepared(THEIRS, ADA) }, nobodys[] = { prepared(NULL, ADA) };
    const es_account_person_t person = ada();
    const es_account_t *row;
    es_why_t why;

    ck_assert_reason(choose(&row, rows, 1, &person, &why), ES_ACCOUNT_CONNECTION, why);
    ck_assert_reason(choose(&row, nobodys, 1, &person, &why), ES_ACCOUNT_CONNECTION, why);
}
END_TEST

/* The person is refused where one thing about him is otherwise. */
START_TEST(guests_are_not_meant)
{
    static const char fabrikam[] = "https://sts.windows.net/" OTHER_TENANT "/";
    es_account_person_t person = ada();

    person.identity_provider = fabrikam;
    assert_refused(&person, ES_ACCOUNT_GUEST);
    person.identity_provider = "live.com";
    assert_refused(&person, ES_ACCOUNT_GUEST);
    person.identity_provider = ""; /* several values */
    assert_refused(&person, ES_ACCOUNT_GUEST);
    person.identity_provider = fabrikam; /* one word for it, one against */
    person.member = "0";
    assert_refused(&person, ES_ACCOUNT_GUEST);
    person = ada();
    person.member = "1";
    assert_refused(&person, ES_ACCOUNT_GUEST);
    person.member = "";
    assert_refused(&person, ES_ACCOUNT_GUEST);
    person = ada();
    person.principal = "ada_fabrikam.com#ext#@contoso.com";
    assert_refused(&person, ES_ACCOUNT_GUEST);
    person = ada();
    person.identity_provider = NULL; /* nothing that would tell */
    assert_refused(&person, ES_ACCOUNT_GUEST);
}
END_TEST

START_TEST(either_claim_proves_a_member)
{
    const es_account_t rows[] = { prepared(MINE, ADA) };
    es_account_person_t person = ada();
    const es_account_t *row;
    es_why_t why;

    person.identity_provider = NULL;
    person.member = "0";
    ck_assert_reason(choose(&row, rows, 1, &person, &why), ES_OK, why);
    ck_assert_ptr_nonnull(row);
    person.member = NULL;
    person.identity_provider = ISSUER;
    person.issuer = "https://issuer.example/custom";
    ck_assert_reason(choose(&row, rows, 1, &person, &why), ES_OK, why);
    ck_assert_ptr_nonnull(row);
}
END_TEST

START_TEST(a_domain_that_is_not_assigned)
{
    static const char *const similar[] = { "contoso.co", "sub.contoso.com", "xcontoso.com", "com", NULL };
    static const char *const none[] = { NULL };
    es_account_person_t person = ada();

    person.domains = similar;
    assert_refused(&person, ES_ACCOUNT_DOMAIN);
    person.domains = none;
    assert_refused(&person, ES_ACCOUNT_DOMAIN);
    person.domains = NULL;
    assert_refused(&person, ES_ACCOUNT_DOMAIN);
}
END_TEST

START_TEST(mail_alone_proves_nothing)
{
    const es_account_t rows[] = { prepared(MINE, ADA) };
    es_account_person_t person = ada();
    const es_account_t *row;
    es_why_t why;

    person.principal = "mallory@evil.onmicrosoft.com";
    assert_refused(&person, ES_ACCOUNT_UNVERIFIED);
    person.principal = NULL;
    assert_refused(&person, ES_ACCOUNT_UNVERIFIED);
    person.principal = "mallory@evil.example@contoso.com";
    assert_refused(&person, ES_ACCOUNT_UNVERIFIED);
    person.principal = "a.lovelace@contoso.co.uk";
    ck_assert_reason(choose(&row, rows, 1, &person, &why), ES_OK, why);
    person.principal = NULL;
    person.is_principal = 1; /* the address is it */
    ck_assert_reason(choose(&row, rows, 1, &person, &why), ES_OK, why);
}
END_TEST

START_TEST(trust_is_of_a_session)
{
    es_trust_t *trust = es_trust_attach(apr_pcalloc(unit_pool, ES_TRUST_SIZE), unit_pool);
    const apr_time_t now = unit_time("2026-03-01T12:00:00Z");
    es_hash_t one, other;

    memset(&one, 1, sizeof one);
    other = one;
    other.octet[4] ^= 1; /* of the same word */
    ck_assert(es_trust_since(trust, &one) == 0);
    es_trust_note(trust, &one, now + 999999);
    ck_assert(es_trust_since(trust, &one) == now);
    ck_assert(es_trust_since(trust, &other) == 0);
    es_trust_forget(trust, &other);
    ck_assert(es_trust_since(trust, &one) == now);
    es_trust_note(trust, &other, now);
    ck_assert_msg(es_trust_since(trust, &one) == 0, "it had to give way");
    es_trust_forget(trust, &other);
    ck_assert(es_trust_since(trust, &other) == 0);
}
END_TEST

Suite *suite_account(void)
{
    Suite *suite = suite_create("account");
    TCase *keys = unit_case(suite, "keys"), *addresses = unit_case(suite, "addresses");
    TCase *rows = unit_case(suite, "whose a prepared row is"), *trust = unit_case(suite, "trust");

    tcase_add_test(keys, states_have_words);
    tcase_add_test(keys, a_user_is_his_tenants_object);
    tcase_add_test(keys, no_key_without_both_guids);
    tcase_add_test(keys, a_value_is_its_connections);
    tcase_add_test(keys, no_key_of_what_records_make_alike);
    tcase_add_test(keys, a_key_that_is_not_whole_is_nobodys);
    tcase_add_test(keys, the_tenant_stands_in_the_issuer);
    tcase_add_test(addresses, addresses_are_compared_in_lower_case);
    tcase_add_test(addresses, no_address_that_somebody_takes_for_another);
    tcase_add_test(addresses, addresses_have_their_lengths);
    tcase_add_test(addresses, domains_are_whole);
    tcase_add_test(rows, a_row_waits_for_its_owner);
    tcase_add_test(rows, rows_of_other_addresses_are_passed_over);
    tcase_add_test(rows, a_row_has_one_owner);
    tcase_add_test(rows, two_rows_are_none);
    tcase_add_test(rows, another_connections_row);
    tcase_add_test(rows, guests_are_not_meant);
    tcase_add_test(rows, either_claim_proves_a_member);
    tcase_add_test(rows, a_domain_that_is_not_assigned);
    tcase_add_test(rows, mail_alone_proves_nothing);
    tcase_add_test(trust, trust_is_of_a_session);
    return suite;
}
