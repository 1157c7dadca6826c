/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/claims.h"

#include <apr_strings.h>

#define WS "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
#define MS "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
#define ID "http://schemas.microsoft.com/identity/claims/"

static const struct {
    unsigned id;
    const char *short_name, *name;
} rows[] = {
#define ES_CLAIM(number, short_name, name) { number, short_name, name },
#include "entra/claims.def"
#undef ES_CLAIM
};
#define N_ROWS (int)(sizeof rows / sizeof rows[0])

/* The claims and the outcome of the last reading. */
static es_attribute_t attributes[8];
static es_assertion_t assertion;
static const es_claim_t *claims;
static int n_claims, n_dropped;

static void reset(void)
{
    memset(&assertion, 0, sizeof assertion);
    assertion.attributes = attributes;
    claims = NULL;
    n_claims = n_dropped = -1;
}

/* An attribute with up to three values, NULL where there is none. */
static void give(const char *name, const char *first, const char *second, const char *third)
{
    const char **values = apr_palloc(unit_pool, 3 * sizeof *values);
    es_attribute_t *attribute = &attributes[assertion.n_attributes++];

    ck_assert_int_le(assertion.n_attributes, 8);
    values[0] = first;
    values[1] = second;
    values[2] = third;
    attribute->name = name;
    attribute->values = values;
    attribute->count = first ? second ? third ? 3 : 2 : 1 : 0;
}

static void read_claims(const es_claim_alias_t *aliases, int n_aliases)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_claims_read(&claims, &n_claims, &n_dropped, &assertion, aliases, n_aliases, &why, unit_pool),
                     ES_OK, why);
}

/* The claim at an index has this number, these names and these values joined by '|'. */
static void expect(int index, unsigned id, const char *short_name, const char *name, const char *values)
{
    const char *joined = "";
    int i;

    ck_assert_int_lt(index, n_claims);
    ck_assert_uint_eq(claims[index].id, id);
    ck_assert_str_eq(claims[index].short_name, short_name);
    ck_assert_str_eq(claims[index].name, name);
    for (i = 0; i < claims[index].count; i++) {
        joined = apr_pstrcat(unit_pool, joined, i ? "|" : "", claims[index].values[i], NULL);
    }
    ck_assert_str_eq(joined, values);
}

START_TEST(numbers_never_change)
{
    /* Session records carry them: a change here loses every session, or gives it another meaning. */
    ck_assert_uint_eq(es_claims_find("nameid"), 1);
    ck_assert_uint_eq(es_claims_find(ID "tenantid"), 2);
    ck_assert_uint_eq(es_claims_find(ID "objectidentifier"), 3);
    ck_assert_uint_eq(es_claims_find(WS "emailaddress"), 9);
    ck_assert_uint_eq(es_claims_find(WS "name"), 10);
    ck_assert_uint_eq(es_claims_find(MS "groups"), 12);
    ck_assert_uint_eq(es_claims_find("http://schemas.microsoft.com/claims/groups.link"), 13);
    ck_assert_uint_eq(es_claims_find(MS "role"), 14);
    ck_assert_uint_eq(es_claims_find("http://schemas.microsoft.com/2014/03/psso"), 26);
    ck_assert_uint_eq(es_claims_find(ID "xms_et"), 38);
    ck_assert_uint_eq(es_claims_count(), 38);
}
END_TEST

START_TEST(every_row)
{
    ck_assert_uint_eq(rows[_i].id, (unsigned)_i + 1);
    ck_assert_str_eq(es_claims_short_name(rows[_i].id), rows[_i].short_name);
    ck_assert_uint_eq(es_claims_find(rows[_i].name), rows[_i].id);
    ck_assert_uint_eq(es_claims_find(rows[_i].short_name), rows[_i].id);
    ck_assert_uint_eq(strspn(rows[_i].short_name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                      strlen(rows[_i].short_name));
    ck_assert_uint_le(strlen(rows[_i].short_name), ES_CLAIMS_SHORT_MAX);
}
END_TEST

START_TEST(numbers_that_are_none)
{
    ck_assert_ptr_null(es_claims_short_name(0));
    ck_assert_ptr_null(es_claims_short_name(es_claims_count() + 1));
    ck_assert_ptr_null(es_claims_short_name(0xffffffffu));
    ck_assert_uint_eq(es_claims_find(""), 0);
    ck_assert_uint_eq(es_claims_find("Name"), 0);
    ck_assert_uint_eq(es_claims_find(WS), 0);
    ck_assert_uint_eq(es_claims_find(WS "NAME"), 0);
    ck_assert_uint_eq(es_claims_find("https://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"), 0);
}
END_TEST

START_TEST(derived_names)
{
    static const struct {
        const char *name, *derived;
    } cases[] = {
        { "department", "department" },
        { "Group", "group" },
        { WS "department", "department" },
        { "https://aws.amazon.com/SAML/Attributes/RoleSessionName", "rolesessionname" },
        { "urn:oasis:names:tc:SAML:2.0:assertion/displayName", "claim_displayname" },
        { "urn:oid:0.9.2342.19200300.100.1.3", "claim_0_9_2342_19200300_100_1_3" },
        { "http://example.com/ns#cost-centre", "cost_centre" },
        { "http://example.com/department/", "department" },
        { "employee id (new)", "employee_id_new" },
        { "--x--y--", "x_y" },
        { "__a__b__", "a_b" },
        { "name", "claim_name" },
        { "https://example.com/Groups", "claim_groups" },
        { "2fa", "claim_2fa" },
        { "", "claim_" },
        { "://", "claim_" },
        { "\xc3\xa9quipe", "quipe" },
        { "d\xc3\xa9partement", "d_partement" },
        { "\xe9\x83\xa8\xe9\x96\x80", "claim_" },
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_str_eq(es_claims_derive(cases[i].name, unit_pool), cases[i].derived);
    }
}
END_TEST

/* Every octet, alone and doubled, at the start, in the middle and at the end: always safe, never a built-in. */
START_TEST(derived_names_are_safe)
{
    int octet, form;

    for (octet = 1; octet < 256; octet++) {
        for (form = 0; form < 4; form++) {
            static const char *const forms[] = { "%c", "%cname", "na%c%cme", "name%c" };
            const char *text;
            const char *derived;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            text = apr_psprintf(unit_pool, forms[form], octet, octet);
#pragma GCC diagnostic pop
            derived = es_claims_derive(text, unit_pool);
            ck_assert(derived[0] >= 'a' && derived[0] <= 'z');
            ck_assert_uint_eq(strspn(derived, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(derived));
            ck_assert_uint_eq(es_claims_find(derived), 0);
        }
    }
}
END_TEST

/* Also where the gap before the last character that finds room is itself the last. */
START_TEST(derived_names_are_bounded)
{
    char *text = apr_palloc(unit_pool, 100001);
    apr_size_t len, dash;

    for (len = 50; len < 70; len++) {
        for (dash = 0; dash < len; dash++) {
            memset(text, 'a', len);
            text[len] = '\0';
            text[dash] = '-';
            ck_assert_uint_le(strlen(es_claims_derive(text, unit_pool)), ES_CLAIMS_SHORT_MAX);
            text[0] = '1';
            ck_assert_uint_le(strlen(es_claims_derive(text, unit_pool)), ES_CLAIMS_SHORT_MAX);
        }
    }
    memset(text, 'b', 100000);
    text[100000] = '\0';
    ck_assert_uint_le(strlen(es_claims_derive(text, unit_pool)), ES_CLAIMS_SHORT_MAX);
}
END_TEST

static void refuse_aliases(const es_claim_alias_t *aliases, int n, const char *part)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_claims_check_aliases(aliases, n, &why), ES_CONFIG_CLAIM, why);
    ck_assert_msg(strstr(why.text, part) != NULL, "%s does not say %s", why.text, part);
}

START_TEST(aliases_accepted)
{
    const es_claim_alias_t aliases[] = { { "urn:oid:2.5.4.3", "cn" }, { "Group", "team" }, { "x", "a_1" } };
    char *longest = apr_pcalloc(unit_pool, ES_CLAIMS_SHORT_MAX + 1);
    es_why_t why = ES_WHY_INIT;
    es_claim_alias_t alias = { "x", longest };

    memset(longest, 'z', ES_CLAIMS_SHORT_MAX);
    ck_assert_reason(es_claims_check_aliases(aliases, 3, &why), ES_OK, why);
    ck_assert_reason(es_claims_check_aliases(NULL, 0, &why), ES_OK, why);
    ck_assert_reason(es_claims_check_aliases(&alias, 1, &why), ES_OK, why);
}
END_TEST

START_TEST(aliases_refused)
{
    static const char *const bad[] = { "", "A", "1a", "_a", "a-b", "a.b", "a b", "a\n", "\xc3\xa9", "aA" };
    const es_claim_alias_t twice_short[] = { { "x", "team" }, { "y", "team" } };
    const es_claim_alias_t twice_full[] = { { "x", "team" }, { "x", "crew" } };
    const es_claim_alias_t builtin_short = { "x", "groups" }, builtin_full = { WS "name", "login" };
    const es_claim_alias_t builtin_bare = { "groups", "team" };
    const es_claim_alias_t empty = { "", "team" }, space = { "a b", "team" }, control = { "a\x7f", "team" };
    es_claim_alias_t alias = { "x", NULL };
    char *longer = apr_pcalloc(unit_pool, ES_CLAIMS_SHORT_MAX + 2);
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        alias.short_name = bad[i];
        refuse_aliases(&alias, 1, "short name");
    }
    memset(longer, 'z', ES_CLAIMS_SHORT_MAX + 1);
    alias.short_name = longer;
    refuse_aliases(&alias, 1, "short name");
    refuse_aliases(twice_short, 2, "is given to x and to y");
    refuse_aliases(twice_full, 2, "two short names, team and crew");
    refuse_aliases(&builtin_short, 1, "built-in claim " MS "groups");
    refuse_aliases(&builtin_full, 1, "built in as name");
    refuse_aliases(&builtin_bare, 1, "built in as groups");
    refuse_aliases(&empty, 1, "not a claim name");
    refuse_aliases(&space, 1, "not a claim name");
    refuse_aliases(&control, 1, "not a claim name");
}
END_TEST

START_TEST(nothing_to_read)
{
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 0);
    ck_assert_int_eq(n_dropped, 0);
}
END_TEST

START_TEST(order_and_names)
{
    assertion.name_id = "alice@example.com";
    give(ID "tenantid", "t", NULL, NULL);
    give(MS "groups", "a", "b", NULL);
    give(MS "role", "Editor", NULL, NULL);
    give("Group", "staff", NULL, NULL);
    give(WS "name", "Alice", NULL, NULL);
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 6);
    ck_assert_int_eq(n_dropped, 0);
    expect(0, 1, "nameid", WS "nameidentifier", "alice@example.com");
    expect(1, 2, "tenantid", ID "tenantid", "t");
    expect(2, 12, "groups", MS "groups", "a|b");
    expect(3, 14, "roles", MS "role", "Editor");
    expect(4, 0, "group", "Group", "staff");
    expect(5, 10, "name", WS "name", "Alice");
}
END_TEST

START_TEST(attributes_of_one_name_are_joined)
{
    give(MS "role", "a", NULL, NULL);
    give("x", "1", "2", NULL);
    give(MS "role", "b", "c", "d");
    give("x", NULL, NULL, NULL);
    give(MS "role", "e", NULL, NULL);
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 2);
    ck_assert_int_eq(n_dropped, 0);
    expect(0, 14, "roles", MS "role", "a|b|c|d|e");
    expect(1, 0, "x", "x", "1|2");
}
END_TEST

START_TEST(attributes_without_values_are_none)
{
    give("http://a.example/team", NULL, NULL, NULL);
    give("http://b.example/team", "b", NULL, NULL);
    give(WS "name", NULL, NULL, NULL);
    give("name", "bare", NULL, NULL);
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 2);
    ck_assert_int_eq(n_dropped, 0);
    expect(0, 0, "team", "http://b.example/team", "b");
    expect(1, 10, "name", "name", "bare");
}
END_TEST

START_TEST(uri_wins_over_bare_word)
{
    give("emailaddress", "bare", "bare2", NULL);
    give("surname", "s", NULL, NULL);
    give(WS "emailaddress", "uri", NULL, NULL);
    give("emailaddress", "bare3", NULL, NULL);
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 2);
    ck_assert_int_eq(n_dropped, 1);
    expect(0, 9, "emailaddress", WS "emailaddress", "uri");
    expect(1, 8, "surname", "surname", "s");

    reset();
    give(WS "emailaddress", "uri", NULL, NULL);
    give("emailaddress", "bare", NULL, NULL);
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 1);
    ck_assert_int_eq(n_dropped, 1);
    expect(0, 9, "emailaddress", WS "emailaddress", "uri");
}
END_TEST

START_TEST(first_of_two_derived_wins)
{
    give("http://a.example/team", "a", NULL, NULL);
    give("http://b.example/team", "b", NULL, NULL);
    give("team", "c", NULL, NULL);
    give("http://a.example/team", "d", NULL, NULL);
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 1);
    ck_assert_int_eq(n_dropped, 2);
    expect(0, 0, "team", "http://a.example/team", "a|d");
}
END_TEST

START_TEST(alias_wins_over_derived)
{
    const es_claim_alias_t aliases[] = { { "http://b.example/x", "team" }, { "absent", "other" } };

    give("http://a.example/team", "a", NULL, NULL);
    give("http://b.example/x", "b", NULL, NULL);
    give("team", "c", NULL, NULL);
    read_claims(aliases, 2);
    ck_assert_int_eq(n_claims, 1);
    ck_assert_int_eq(n_dropped, 2);
    expect(0, 0, "team", "http://b.example/x", "b");
}
END_TEST

START_TEST(nobody_but_the_nameid_is_nameid)
{
    give("nameid", "mallory", NULL, NULL);
    give(WS "nameidentifier", "mallory", NULL, NULL);
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 0);
    ck_assert_int_eq(n_dropped, 2);

    assertion.name_id = "alice";
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 1);
    expect(0, 1, "nameid", WS "nameidentifier", "alice");

    assertion.name_id = "";
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 0);
}
END_TEST

START_TEST(foreign_uri_is_no_built_in)
{
    give("https://evil.example/claims/groups", "0a1b", NULL, NULL);
    give("https://evil.example/name", "mallory", NULL, NULL);
    read_claims(NULL, 0);
    expect(0, 0, "claim_groups", "https://evil.example/claims/groups", "0a1b");
    expect(1, 0, "claim_name", "https://evil.example/name", "mallory");
}
END_TEST

START_TEST(values_stay_as_they_are)
{
    give("x", " R&D; \\ \xe6\x97\xa5\xe6\x9c\xac\r\n", "", "\x01");
    read_claims(NULL, 0);
    ck_assert_int_eq(claims[0].count, 3);
    ck_assert_ptr_eq(claims[0].values[0], attributes[0].values[0]);
    ck_assert_str_eq(claims[0].values[1], "");
    ck_assert_ptr_eq(claims[0].values[2], attributes[0].values[2]);
}
END_TEST

/* 2,000 groups as one attribute, as 2,000 attributes of one name, and 16,000 names of their own. */
START_TEST(thousands)
{
    enum { GROUPS = 2000, NAMES = 16000 };
    const char **values = apr_palloc(unit_pool, NAMES * sizeof *values);
    es_attribute_t *many = apr_pcalloc(unit_pool, NAMES * sizeof *many);
    apr_time_t start;
    int i;

    for (i = 0; i < NAMES; i++) {
        values[i] = apr_psprintf(unit_pool, "%08d-0000-0000-0000-000000000000", i);
    }
    attributes[0] = (es_attribute_t){ .name = MS "groups", .count = GROUPS, .values = values };
    assertion.n_attributes = 1;
    read_claims(NULL, 0);
    ck_assert_int_eq(claims[0].count, GROUPS);
    ck_assert_str_eq(claims[0].values[GROUPS - 1], values[GROUPS - 1]);

    assertion.attributes = many;
    assertion.n_attributes = GROUPS;
    for (i = 0; i < GROUPS; i++) {
        many[i] = (es_attribute_t){ .name = MS "groups", .count = 1, .values = &values[i] };
    }
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, 1);
    ck_assert_int_eq(claims[0].count, GROUPS);
    for (i = 0; i < GROUPS; i++) {
        ck_assert_ptr_eq(claims[0].values[i], values[i]);
    }

    assertion.n_attributes = NAMES;
    for (i = 0; i < NAMES; i++) {
        many[i] = (es_attribute_t){ .name = apr_psprintf(unit_pool, "n%d", i), .count = 1, .values = &values[i] };
    }
    start = apr_time_now();
    read_claims(NULL, 0);
    ck_assert_int_eq(n_claims, NAMES);
    /* Some 20 ms; comparing each with each would take 128 million comparisons. */
    ck_assert_int_lt(apr_time_now() - start, apr_time_from_sec(2));
}
END_TEST

/* REMOTE_USER */
static es_rv_t choose(const char **user, const char *first, const char *second, es_why_t *why)
{
    const char *const list[] = { first, second, NULL };

    read_claims(NULL, 0);
    return es_claims_user(user, claims, n_claims, list, why);
}

START_TEST(user_is_the_first_of_the_list)
{
    es_why_t why = ES_WHY_INIT;
    const char *user = NULL;

    assertion.name_id = "opaque";
    give(WS "name", "alice@example.com", NULL, NULL);
    give("mail", "a@example.com", NULL, NULL);
    ck_assert_reason(choose(&user, "name", "nameid", &why), ES_OK, why);
    ck_assert_str_eq(user, "alice@example.com");
    ck_assert_reason(choose(&user, "nameid", "name", &why), ES_OK, why);
    ck_assert_str_eq(user, "opaque");
    ck_assert_reason(choose(&user, "upn", "mail", &why), ES_OK, why);
    ck_assert_str_eq(user, "a@example.com");
    ck_assert_reason(choose(&user, "upn", "emailaddress", &why), ES_REMOTE_USER_MISSING, why);
    ck_assert_str_eq(user, "a@example.com");
    ck_assert_str_eq(why.text, "no claim of EntraSAMLRemoteUser names the user: upn (absent), emailaddress (absent)");
}
END_TEST

START_TEST(user_must_be_one_clean_value)
{
    static const char *const unfit[] = { "", "a\nb", "\tx", "x\r", "a\x1b[0m", "a\x7f", "a\xc2\x85z", "\xc2\x9f" };
    const char *user = "untouched";
    size_t i;

    for (i = 0; i < sizeof unfit / sizeof unfit[0]; i++) {
        es_why_t why = ES_WHY_INIT;

        reset();
        give(WS "name", unfit[i], NULL, NULL);
        ck_assert_reason(choose(&user, "name", NULL, &why), ES_REMOTE_USER_MISSING, why);
        ck_assert_str_eq(why.text, *unfit[i]
                                       ? "no claim of EntraSAMLRemoteUser names the user: name (a control character)"
                                       : "no claim of EntraSAMLRemoteUser names the user: name (empty)");
        ck_assert_str_eq(user, "untouched");
    }
}
END_TEST

/* A backend that gets the name in a header would see it without them. */
START_TEST(user_has_no_blank_at_an_end)
{
    static const char *const unfit[] = { " ada", "ada ", " ", "  ada  " };
    const char *user = "untouched";
    size_t i;

    for (i = 0; i < sizeof unfit / sizeof unfit[0]; i++) {
        es_why_t why = ES_WHY_INIT;

        reset();
        give(WS "name", unfit[i], NULL, NULL);
        ck_assert_reason(choose(&user, "name", NULL, &why), ES_REMOTE_USER_MISSING, why);
        ck_assert_msg(strstr(why.text, "name (a blank at an end)") != NULL, "%s", why.text);
        ck_assert_str_eq(user, "untouched");
    }
}
END_TEST

START_TEST(user_falls_back)
{
    es_why_t why = ES_WHY_INIT;
    const char *user = NULL;

    assertion.name_id = "\xc3\xa9l\xc3\xa8ve \xc2\xa0 x";
    give(WS "name", "a", "b", NULL);
    ck_assert_reason(choose(&user, "name", "nameid", &why), ES_OK, why);
    ck_assert_str_eq(user, "\xc3\xa9l\xc3\xa8ve \xc2\xa0 x");
    ck_assert_reason(choose(&user, "name", "upn", &why), ES_REMOTE_USER_MISSING, why);
    ck_assert_msg(strstr(why.text, "name (several values), upn (absent)") != NULL, "%s", why.text);
}
END_TEST

START_TEST(user_of_a_long_list)
{
    const char *list[101] = { NULL };
    es_why_t why = ES_WHY_INIT;
    const char *user = NULL;
    int i;

    for (i = 0; i < 100; i++) {
        list[i] = "abcdefghijklmnopqrstuvwxyz";
    }
    read_claims(NULL, 0);
    ck_assert_reason(es_claims_user(&user, claims, n_claims, list, &why), ES_REMOTE_USER_MISSING, why);
    ck_assert_ptr_null(user);
}
END_TEST

Suite *suite_claims(void)
{
    Suite *suite = suite_create("claims");
    TCase *tcase = unit_case(suite, "names");

    tcase_add_test(tcase, numbers_never_change);
    tcase_add_loop_test(tcase, every_row, 0, N_ROWS);
    tcase_add_test(tcase, numbers_that_are_none);
    tcase_add_test(tcase, derived_names);
    tcase_add_test(tcase, derived_names_are_safe);
    tcase_add_test(tcase, derived_names_are_bounded);
    tcase_add_test(tcase, aliases_accepted);
    tcase_add_test(tcase, aliases_refused);

    tcase = unit_case(suite, "read");
    tcase_add_checked_fixture(tcase, reset, NULL);
    tcase_add_test(tcase, nothing_to_read);
    tcase_add_test(tcase, order_and_names);
    tcase_add_test(tcase, attributes_of_one_name_are_joined);
    tcase_add_test(tcase, attributes_without_values_are_none);
    tcase_add_test(tcase, uri_wins_over_bare_word);
    tcase_add_test(tcase, first_of_two_derived_wins);
    tcase_add_test(tcase, alias_wins_over_derived);
    tcase_add_test(tcase, nobody_but_the_nameid_is_nameid);
    tcase_add_test(tcase, foreign_uri_is_no_built_in);
    tcase_add_test(tcase, values_stay_as_they_are);
    tcase_add_test(tcase, thousands);

    tcase = unit_case(suite, "user");
    tcase_add_checked_fixture(tcase, reset, NULL);
    tcase_add_test(tcase, user_is_the_first_of_the_list);
    tcase_add_test(tcase, user_must_be_one_clean_value);
    tcase_add_test(tcase, user_has_no_blank_at_an_end);
    tcase_add_test(tcase, user_falls_back);
    tcase_add_test(tcase, user_of_a_long_list);
    return suite;
}
