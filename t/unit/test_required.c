/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is asked of a user's claims as a whole: those that must be there, and whether the groups are.
 */
#include "unit.h"

#include "entra/claims.h"

#define MAIL "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
#define LINK "http://schemas.microsoft.com/claims/groups.link"

static const char *const blank[] = { " \t", "", "\n" };
static const char *const second[] = { "", "x" };
static const char *const address[] = { "https://graph.windows.net/" };
static const es_claim_t claims[] = {
    { 1, "nameid", "nameid", 2, second },
    { 9, MAIL, "emailaddress", 3, blank },
    { 0, "sn", "sn", 2, second },
    { 13, LINK, "groups_link", 1, address },
};
#define N_CLAIMS 4

static void require(const char *first, const char *then, es_rv_t expected, const char *sentence)
{
    const char *const list[] = { first, then, NULL };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_claims_require(claims, N_CLAIMS, list, &why), expected, why);
    ck_assert_str_eq(why.text, sentence);
}

START_TEST(required_claims)
{
    require("sn", "nameid", ES_OK, "");
    require(NULL, NULL, ES_OK, "");
    require("sn", "emailaddress", ES_CLAIM_MISSING, "claim emailaddress is empty");
    require("sn", "givenname", ES_CLAIM_MISSING, "claim givenname is absent");
    require("s", NULL, ES_CLAIM_MISSING, "claim s is absent");
}
END_TEST

START_TEST(required_claims_are_short_names)
{
    static const char *const good[] = { "mail", "a_1" };
    static const char *const bad[] = { "Mail", "", "1a", "http://example.com/x", "a-b" };
    es_why_t why = ES_WHY_INIT;
    int i;

    ck_assert_reason(es_claims_check_required(good, 2, &why), ES_OK, why);
    for (i = 0; i < 5; i++) {
        es_why_t refused = ES_WHY_INIT;

        ck_assert_reason(es_claims_check_required(&bad[i], 1, &refused), ES_CONFIG_CLAIM, refused);
    }
}
END_TEST

START_TEST(overage_is_the_link)
{
    ck_assert_int_eq(es_claims_overage(claims, N_CLAIMS), 1);
    ck_assert_int_eq(es_claims_overage(claims, N_CLAIMS - 1), 0);
    ck_assert_int_eq(es_claims_overage(NULL, 0), 0);
}
END_TEST

/* Of a claim that had the name of our own variable the application could not tell which it sees. */
START_TEST(names_of_our_own)
{
    const es_claim_alias_t alias = { "http://example.com/x", "groups_overage" };
    es_why_t why = ES_WHY_INIT;

    ck_assert_str_eq(es_claims_derive("http://example.com/Groups.Overage", unit_pool), "claim_groups_overage");
    ck_assert_str_eq(es_claims_derive("group_names", unit_pool), "claim_group_names");
    ck_assert_reason(es_claims_check_aliases(&alias, 1, &why), ES_CONFIG_CLAIM, why);
}
END_TEST

Suite *suite_required(void)
{
    Suite *suite = suite_create("required");
    TCase *tcase = unit_case(suite, "required");

    tcase_add_test(tcase, required_claims);
    tcase_add_test(tcase, required_claims_are_short_names);
    tcase_add_test(tcase, overage_is_the_link);
    tcase_add_test(tcase, names_of_our_own);
    return suite;
}
