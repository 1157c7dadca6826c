/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/issuer.h"

#define CLAIM "http://schemas.microsoft.com/identity/claims/tenantid"
#define TEMPLATE "https://sts.windows.net/{tenantid}/"
#define FABRIKAM "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
#define CONTOSO "2f277f1e-e5f1-4f62-b595-79c2d13afda4"
#define STS(tenant) "https://sts.windows.net/" tenant "/"

static const char *const fabrikam[] = { FABRIKAM, NULL };
static const char *const both[] = { CONTOSO, FABRIKAM, NULL };
static const char *const nobody[] = { NULL };

START_TEST(templates)
{
    ck_assert(es_issuer_is_template(TEMPLATE));
    ck_assert(es_issuer_is_template("https://sts.windows.net/{tenant}/"));
    ck_assert(!es_issuer_is_template(STS(FABRIKAM)));
    ck_assert(!es_issuer_is_template("https://sts.windows.net/{tenantid/"));
    ck_assert(!es_issuer_is_template(""));
    ck_assert_str_eq(es_issuer_of(TEMPLATE, FABRIKAM, unit_pool), STS(FABRIKAM));
    ck_assert_str_eq(es_issuer_of("https://sts.windows.net/{tenant}/x", FABRIKAM, unit_pool), STS(FABRIKAM) "x");
    ck_assert_str_eq(es_issuer_of("{tenantid}", FABRIKAM, unit_pool), FABRIKAM);
    ck_assert_str_eq(es_issuer_of(STS(CONTOSO), FABRIKAM, unit_pool), STS(CONTOSO));
    /* once only: what is left can be no issuer of Entra's */
    ck_assert_str_eq(es_issuer_of("{tenantid}{tenantid}", FABRIKAM, unit_pool), FABRIKAM "{tenantid}");
}
END_TEST

START_TEST(lists)
{
    ck_assert(es_issuer_admits(NULL, CONTOSO));
    ck_assert(!es_issuer_admits(nobody, CONTOSO));
    ck_assert(es_issuer_admits(both, CONTOSO) && es_issuer_admits(both, FABRIKAM));
    ck_assert(es_issuer_admits(both, "2F277F1E-E5F1-4F62-B595-79C2D13AFDA4"));
    ck_assert(!es_issuer_admits(fabrikam, CONTOSO));
    ck_assert(!es_issuer_admits(both, CONTOSO ";" FABRIKAM)); /* two values of a session's claim */
    ck_assert(!es_issuer_admits(both, ""));
}
END_TEST

/* An assertion's attribute of a name and up to two values. */
static es_attribute_t attribute(const char *name, int count, const char *const *values)
{
    return (es_attribute_t){ name, count, values };
}

static es_rv_t expect(const char **issuer, const char *configured, const char *const *tenants,
                      const es_attribute_t *attributes, int count, es_why_t *why)
{
    const es_assertion_t assertion = { .n_attributes = count, .attributes = attributes };

    *why = ES_WHY_INIT;
    *issuer = "unchanged";
    return es_issuer_expect(issuer, configured, tenants, &assertion, why, unit_pool);
}

START_TEST(expected)
{
    static const char *const value[] = { FABRIKAM }, *const upper[] = { "7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34" };
    const es_attribute_t claims[] = { attribute("name", 1, value), attribute(CLAIM, 1, value) };
    const es_attribute_t shouting[] = { attribute(CLAIM, 1, upper) };
    const char *issuer;
    es_why_t why;

    ck_assert_reason(expect(&issuer, STS(CONTOSO), NULL, NULL, 0, &why), ES_OK, why);
    ck_assert_str_eq(issuer, STS(CONTOSO));
    ck_assert_reason(expect(&issuer, TEMPLATE, fabrikam, claims, 2, &why), ES_OK, why);
    ck_assert_str_eq(issuer, STS(FABRIKAM));
    ck_assert_reason(expect(&issuer, TEMPLATE, both, shouting, 1, &why), ES_OK, why);
    ck_assert_str_eq(issuer, STS(FABRIKAM));
    /* a list holds for one tenant's document too */
    ck_assert_reason(expect(&issuer, STS(FABRIKAM), both, claims, 2, &why), ES_OK, why);
    ck_assert_str_eq(issuer, STS(FABRIKAM));
}
END_TEST

START_TEST(refused)
{
    static const char *const value[] = { CONTOSO };
    const es_attribute_t claims[] = { attribute(CLAIM, 1, value) };
    const char *issuer;
    es_why_t why;

    ck_assert_reason(expect(&issuer, TEMPLATE, fabrikam, claims, 1, &why), ES_TENANT_REFUSED, why);
    ck_assert_ptr_nonnull(strstr(why.text, CONTOSO));
    ck_assert_str_eq(issuer, "unchanged");
    ck_assert_reason(expect(&issuer, TEMPLATE, nobody, claims, 1, &why), ES_TENANT_REFUSED, why);
    ck_assert_reason(expect(&issuer, TEMPLATE, NULL, claims, 1, &why), ES_TENANT_REFUSED, why);
    ck_assert_reason(expect(&issuer, STS(CONTOSO), fabrikam, claims, 1, &why), ES_TENANT_REFUSED, why);
}
END_TEST

START_TEST(missing)
{
    static const char *const two[] = { FABRIKAM, CONTOSO }, *const word[] = { "fabrikam" }, *const empty[] = { "" };
    const es_attribute_t none[] = { attribute(CLAIM, 0, two) };
    const es_attribute_t double_value[] = { attribute(CLAIM, 2, two) };
    const es_attribute_t twice[] = { attribute(CLAIM, 1, two), attribute(CLAIM, 1, two) };
    const es_attribute_t no_guid[] = { attribute(CLAIM, 1, word) };
    const es_attribute_t nothing[] = { attribute(CLAIM, 1, empty) };
    const es_attribute_t bare[] = { attribute("tenantid", 1, two) }; /* any name can be given to any claim */
    const char *issuer;
    es_why_t why;

    ck_assert_reason(expect(&issuer, TEMPLATE, both, NULL, 0, &why), ES_TENANT_MISSING, why);
    ck_assert_reason(expect(&issuer, TEMPLATE, both, none, 1, &why), ES_TENANT_MISSING, why);
    ck_assert_reason(expect(&issuer, TEMPLATE, both, double_value, 1, &why), ES_TENANT_MISSING, why);
    ck_assert_reason(expect(&issuer, TEMPLATE, both, twice, 2, &why), ES_TENANT_MISSING, why);
    ck_assert_reason(expect(&issuer, TEMPLATE, both, no_guid, 1, &why), ES_TENANT_MISSING, why);
    ck_assert_reason(expect(&issuer, TEMPLATE, both, nothing, 1, &why), ES_TENANT_MISSING, why);
    ck_assert_reason(expect(&issuer, TEMPLATE, both, bare, 1, &why), ES_TENANT_MISSING, why);
    ck_assert_reason(expect(&issuer, STS(FABRIKAM), fabrikam, NULL, 0, &why), ES_TENANT_MISSING, why);
}
END_TEST

Suite *suite_issuer(void)
{
    Suite *suite = suite_create("issuer");
    TCase *tcase = unit_case(suite, "issuer");

    tcase_add_test(tcase, templates);
    tcase_add_test(tcase, lists);
    tcase_add_test(tcase, expected);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, missing);
    return suite;
}
