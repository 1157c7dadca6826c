/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names for groups, and the rules that use them; groups that Entra left out.
 */
#include "unit.h"

#include "entra/claims.h"
#include "policy/rule.h"

#include <apr_strings.h>

#define FINANCE "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define AUDIT "5b7c2d10-6a3e-4f48-9d21-7e8f90a1b2c3"
#define GROUPS "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
#define LINK "http://schemas.microsoft.com/claims/groups.link"

static const es_group_t known[] = {
    { "Finance", FINANCE },
    { "Audit", "5B7C2D10-6a3e-4f48-9d21-7e8f90a1b2c3" },
    { "Money & more", FINANCE },
    { "CONTOSO", AUDIT },
};

static es_groups_t *make_groups(void)
{
    es_groups_t *groups = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_groups_make(&groups, known, 4, &why, unit_pool), ES_OK, why);
    return groups;
}

/* Judges a line against a user with these claims. */
static es_rv_t judge(const char *line, const es_claim_t *claims, int n_claims, es_why_t *why)
{
    const es_session_new_t fresh = { .user = "alice",
                                     .name_id = "",
                                     .name_id_format = "",
                                     .session_index = "",
                                     .n_claims = n_claims,
                                     .claims = claims };
    es_session_t session;
    es_bytes_t record;
    es_rule_t *rule;
    es_rv_t rv;

    ck_assert_reason(es_rule_make(&rule, line, es_claims_find, why, unit_pool), ES_OK, *why);
    ck_assert_reason(es_session_pack(&record, &fresh, why, unit_pool), ES_OK, *why);
    ck_assert_reason(es_session_read(&session, record, why), ES_OK, *why);
    rv = es_rule_check(rule, &session, make_groups(), unit_pool);
    return rv == ES_OK ? rv : es_fail(why, rv, "%s", es_rule_explain(rule, &session, make_groups(), unit_pool));
}

#define VALUES(...)                                                                                                    \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static void assert_rules(const es_claim_t *claims, int n_claims, const char *const *lines, es_rv_t expected)
{
    for (; *lines; lines++) {
        es_why_t why = ES_WHY_INIT;
        const es_rv_t rv = judge(*lines, claims, n_claims, &why);

        ck_assert_msg(rv == expected, "%s: %s %s", *lines, es_reason(rv)->code, why.text);
    }
}

START_TEST(names_are_found_exactly)
{
    const es_groups_t *groups = make_groups();

    ck_assert_str_eq(es_groups_find(groups, "Finance"), FINANCE);
    ck_assert_str_eq(es_groups_find(groups, "Money & more"), es_groups_find(groups, "Finance"));
    ck_assert_str_eq(es_groups_find(groups, "Audit"), AUDIT);
    ck_assert_ptr_null(es_groups_find(groups, "finance"));
    ck_assert_ptr_null(es_groups_find(groups, "Financ"));
    ck_assert_ptr_null(es_groups_find(groups, ""));
}
END_TEST

START_TEST(no_names)
{
    es_groups_t *groups = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_groups_make(&groups, NULL, 0, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(groups->count, 0);
    ck_assert_ptr_null(es_groups_find(groups, "Finance"));
}
END_TEST

static const es_group_t refused[] = {
    { "", FINANCE },
    { "a;b", FINANCE },
    { "a\\b", FINANCE },
    { "a\nb", FINANCE },
    { "a\x7f", FINANCE },
    { AUDIT, FINANCE },
    { "Finance", "" },
    { "Finance", "Finance" },
    { "Finance", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f" },
    { "Finance", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f99" },
    { "Finance", "0a1b2c3d4e5f-6071-8293-a4b5c6d7e8f9-" },
    { "Finance", "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}" },
    { "Finance", "0a1b2c3g-4e5f-6071-8293-a4b5c6d7e8f9" },
};

START_TEST(refused_pairs)
{
    es_groups_t *groups = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_groups_make(&groups, &refused[_i], 1, &why, unit_pool), ES_CONFIG_GROUP, why);
    ck_assert_ptr_null(groups);
}
END_TEST

START_TEST(one_name_twice)
{
    const es_group_t pairs[] = { { "B", AUDIT }, { "A", FINANCE }, { "B", FINANCE } };
    es_groups_t *groups = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_groups_make(&groups, pairs, 3, &why, unit_pool), ES_CONFIG_GROUP, why);
    ck_assert_str_eq(why.text, "the name B is given twice");
}
END_TEST

/* A name that is known means its group and nothing else; one that is not is a value as any other. */
START_TEST(rules_take_names)
{
    const es_claim_t claims[] = {
        { 12, GROUPS, "groups", 3, VALUES(FINANCE, "CONTOSO", "Sales") },
        { 14, "x", "roles", 1, VALUES(AUDIT) },
    };
    static const char *const met[] = { "groups:Finance",
                                       "\"groups:Money & more\"",
                                       "groups:" FINANCE,
                                       "groups:Sales",
                                       "groups:Nobody groups:Finance",
                                       GROUPS ":Finance",
                                       NULL };
    static const char *const unmet[] = { "groups:Audit", "groups:CONTOSO",   "groups:finance",
                                         "roles:Audit",  "groups~^Finance$", NULL };

    assert_rules(claims, 2, met, ES_OK);
    assert_rules(claims, 2, unmet, ES_ACCESS_DENIED);
}
END_TEST

/* A link in place of the groups: no rule about groups is met, whatever it says, nor about a claim that may have been
 * left out with them; all others are judged as ever. */
START_TEST(groups_left_out)
{
    const es_claim_t claims[] = {
        { 13, LINK, "groups_link", 1, VALUES("https://graph.windows.net/t/users/u/getMemberObjects") },
        { 10, "x", "name", 1, VALUES("alice@example.com") },
        { 0, "department", "department", 1, VALUES("Sales") },
    };
    static const char *const met[] = { "name:alice@example.com", "department:Sales",
                                       "groups:" FINANCE " department:Sales", "groups_link~getMemberObjects", NULL };
    static const char *const unmet[] = { "name:bob@example.com", "department:Audit", "upn:alice", "wids:" AUDIT, NULL };
    static const char *const unknown[] = {
        "groups:" FINANCE, "groups:Finance", "groups~.", "groups:Sales name:bob",
        "roles:Editor",    "Group:" FINANCE, NULL,
    };

    assert_rules(claims, 3, met, ES_OK);
    assert_rules(claims, 3, unmet, ES_ACCESS_DENIED);
    assert_rules(claims, 3, unknown, ES_GROUPS_UNKNOWN);
}
END_TEST

/* Both at once is nothing that Entra sends: whether the groups are all is unknown then too. Roles that came are known. */
START_TEST(groups_beside_a_link)
{
    const es_claim_t claims[] = {
        { 13, LINK, "groups_link", 1, VALUES("https://graph.windows.net/t/users/u/getMemberObjects") },
        { 12, GROUPS, "groups", 1, VALUES(FINANCE) },
        { 14, "x", "roles", 1, VALUES("Editor") },
    };
    static const char *const met[] = { "roles:Editor", NULL };
    static const char *const unmet[] = { "roles:Reader", NULL };
    static const char *const unknown[] = { "groups:" FINANCE, "groups:" AUDIT, NULL };

    assert_rules(claims, 3, met, ES_OK);
    assert_rules(claims, 3, unmet, ES_ACCESS_DENIED);
    assert_rules(claims, 3, unknown, ES_GROUPS_UNKNOWN);
}
END_TEST

START_TEST(unknown_groups_are_explained)
{
    const es_claim_t claims[] = { { 13, LINK, "groups_link", 1, VALUES("https://x/") } };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(judge("groups:Finance name:x", claims, 1, &why), ES_GROUPS_UNKNOWN, why);
    ck_assert_str_eq(why.text, "claim groups is unknown, Entra sent groups.link, claim name is absent");
}
END_TEST

Suite *suite_group(void)
{
    Suite *suite = suite_create("group");
    TCase *tcase = unit_case(suite, "group");

    tcase_add_test(tcase, names_are_found_exactly);
    tcase_add_test(tcase, no_names);
    tcase_add_loop_test(tcase, refused_pairs, 0, sizeof refused / sizeof refused[0]);
    tcase_add_test(tcase, one_name_twice);
    tcase_add_test(tcase, rules_take_names);
    tcase_add_test(tcase, groups_left_out);
    tcase_add_test(tcase, groups_beside_a_link);
    tcase_add_test(tcase, unknown_groups_are_explained);
    return suite;
}
