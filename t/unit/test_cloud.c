/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/cloud.h"

#include <apr_strings.h>

#define TENANT "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
#define APPLICATION "c1d2e3f4-0a1b-4c2d-8e3f-405162738495"
#define TAIL "/federationmetadata/2007-06/federationmetadata.xml?appid=" APPLICATION

static const struct {
    const char *cloud, *tenant, *application, *url;
} good[] = {
    { NULL, TENANT, APPLICATION, "https://login.microsoftonline.com/" TENANT TAIL },
    { "public", TENANT, APPLICATION, "https://login.microsoftonline.com/" TENANT TAIL },
    { "usgov", TENANT, APPLICATION, "https://login.microsoftonline.us/" TENANT TAIL },
    { "china", TENANT, APPLICATION, "https://login.partner.microsoftonline.cn/" TENANT TAIL },
    { NULL, "7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34", "C1D2E3F4-0A1B-4C2D-8E3F-405162738495",
      "https://login.microsoftonline.com/" TENANT TAIL },
    { NULL, "contoso.onmicrosoft.com", APPLICATION, "https://login.microsoftonline.com/contoso.onmicrosoft.com" TAIL },
    { NULL, "Contoso.COM", APPLICATION, "https://login.microsoftonline.com/contoso.com" TAIL },
    { NULL, "xn--bcher-kva.example", APPLICATION, "https://login.microsoftonline.com/xn--bcher-kva.example" TAIL },
    { NULL, "3m.co.uk", APPLICATION, "https://login.microsoftonline.com/3m.co.uk" TAIL },
};

START_TEST(test_good)
{
    es_why_t why = ES_WHY_INIT;
    const char *url = NULL;

    ck_assert_reason(
        es_cloud_metadata_url(&url, good[_i].cloud, good[_i].tenant, good[_i].application, &why, unit_pool), ES_OK,
        why);
    ck_assert_str_eq(url, good[_i].url);
}
END_TEST

#define LABEL_63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct {
    const char *cloud, *tenant, *application;
} bad[] = {
    { "germany", TENANT, APPLICATION }, /* closed in 2021 */
    { "Public", TENANT, APPLICATION },
    { "", TENANT, APPLICATION },
    { NULL, "", APPLICATION },
    { NULL, "common", APPLICATION },
    { NULL, "organizations", APPLICATION },
    { NULL, "contoso", APPLICATION },
    { NULL, ".com", APPLICATION },
    { NULL, "contoso.", APPLICATION },
    { NULL, "contoso..com", APPLICATION },
    { NULL, "-contoso.com", APPLICATION },
    { NULL, "contoso-.com", APPLICATION },
    { NULL, "contoso.com/..", APPLICATION },
    { NULL, "contoso.com/common", APPLICATION },
    { NULL, "contoso.com?a=b", APPLICATION },
    { NULL, "contoso.com#x", APPLICATION },
    { NULL, "con toso.com", APPLICATION },
    { NULL, "con%2etoso.com", APPLICATION },
    { NULL,
      "b\xc3\xbc"
      "cher.example",
      APPLICATION },
    { NULL, "192.0.2.1", APPLICATION },
    { NULL, "a" LABEL_63 ".com", APPLICATION },
    { NULL, LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, APPLICATION }, /* 255 */
    { NULL, TENANT "0", APPLICATION },
    { NULL, "{" TENANT "}", APPLICATION },
    { NULL, TENANT, "" },
    { NULL, TENANT, "contoso.com" },
    { NULL, TENANT, APPLICATION "&x=y" },
    { NULL, TENANT, "spn:" APPLICATION },
};

START_TEST(test_bad)
{
    es_why_t why = ES_WHY_INIT;
    const char *url = "unchanged";

    ck_assert_reason(es_cloud_metadata_url(&url, bad[_i].cloud, bad[_i].tenant, bad[_i].application, &why, unit_pool),
                     ES_CONFIG_TENANT, why);
    ck_assert_str_eq(url, "unchanged");
}
END_TEST

/* 253 octets in labels of at most 63 is a domain, and so long a one fits. */
START_TEST(test_longest)
{
    const char *tenant = apr_pstrcat(unit_pool, LABEL_63 "." LABEL_63 "." LABEL_63 ".", LABEL_63 + 2, NULL);
    es_why_t why = ES_WHY_INIT;
    const char *url = NULL;

    ck_assert_uint_eq(strlen(tenant), 253);
    ck_assert_reason(es_cloud_metadata_url(&url, NULL, tenant, APPLICATION, &why, unit_pool), ES_OK, why);
    ck_assert_ptr_nonnull(strstr(url, tenant));
}
END_TEST

Suite *suite_cloud(void)
{
    Suite *suite = suite_create("cloud");
    TCase *tests = unit_case(suite, "cloud");

    tcase_add_loop_test(tests, test_good, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tests, test_bad, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, test_longest);
    return suite;
}
