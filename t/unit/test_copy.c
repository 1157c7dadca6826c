/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/copy.h"

#include <apr_strings.h>

#define SOURCE "https://login.example.com/metadata.xml"

static const es_seal_key_t key = { "one key" }, other_key = { "another key" };

static es_bytes_t seal(const es_copy_t *copy)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t sealed;

    ck_assert_reason(es_copy_seal(&sealed, copy, SOURCE, &key, &why, unit_pool), ES_OK, why);
    return sealed;
}

static es_copy_t *reopen(const es_copy_t *copy)
{
    es_why_t why = ES_WHY_INIT;
    es_copy_t *opened = NULL;

    ck_assert_reason(es_copy_open(&opened, seal(copy), SOURCE, &key, &why, unit_pool), ES_OK, why);
    return opened;
}

static void refuse(es_bytes_t sealed, const char *source, const es_seal_key_t *with)
{
    es_why_t why = ES_WHY_INIT;
    es_copy_t *opened = NULL;

    ck_assert_reason(es_copy_open(&opened, sealed, source, with, &why, unit_pool), ES_METADATA_COPY, why);
    ck_assert_ptr_null(opened);
}

START_TEST(comes_back)
{
    const es_copy_t copy = { .etag = "W/\"a\"",
                             .modified = "Sun, 06 Nov 1994 08:49:37 GMT",
                             .fetched = apr_time_from_sec(1700000000) + 7,
                             .document = es_bytes("<a>\n\0\xff\n</a>", 12) };
    const es_copy_t *opened = reopen(&copy);

    ck_assert_str_eq(opened->etag, copy.etag);
    ck_assert_str_eq(opened->modified, copy.modified);
    ck_assert_int_eq(opened->fetched, apr_time_from_sec(1700000000));
    ck_assert_uint_eq(opened->document.len, 12);
    ck_assert_mem_eq(opened->document.data, copy.document.data, 12);
}
END_TEST

/* What a server says in headers must not become another line, nor grow. */
START_TEST(validators)
{
    char *longest = apr_pcalloc(unit_pool, ES_COPY_VALIDATOR_MAX + 2);
    es_copy_t copy = { .etag = "\"a\n1\n2\n", .modified = NULL, .document = es_bytes_of("x") };

    ck_assert_str_eq(reopen(&copy)->etag, "");
    ck_assert_str_eq(reopen(&copy)->modified, "");
    ck_assert_uint_eq(reopen(&copy)->document.len, 1);
    memset(longest, 'a', ES_COPY_VALIDATOR_MAX);
    copy.etag = longest;
    ck_assert_str_eq(reopen(&copy)->etag, longest);
    longest[ES_COPY_VALIDATOR_MAX] = 'a';
    ck_assert_str_eq(reopen(&copy)->etag, "");
}
END_TEST

START_TEST(nobody_elses)
{
    const es_copy_t copy = { .etag = "", .modified = "", .document = es_bytes_of("<a/>") };
    const es_bytes_t sealed = seal(&copy);
    apr_size_t i;

    refuse(sealed, SOURCE "?", &key);
    refuse(sealed, SOURCE, &other_key);
    refuse(es_bytes(sealed.data, sealed.len - 1), SOURCE, &key);
    refuse(es_bytes(sealed.data, 0), SOURCE, &key);
    refuse(es_bytes_of("<a/>"), SOURCE, &key);
    for (i = 0; i < sealed.len; i++) {
        unsigned char *damaged = apr_pmemdup(unit_pool, sealed.data, sealed.len);

        damaged[i] ^= 1;
        refuse(es_bytes(damaged, sealed.len), SOURCE, &key);
    }
}
END_TEST

/* Sealed by us, and yet not what this version writes. */
START_TEST(another_version)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t sealed;

    ck_assert_reason(
        es_crypto_seal(&sealed, es_bytes_of("one\ntwo"), "entra-saml metadata 1 " SOURCE, &key, &why, unit_pool), ES_OK,
        why);
    refuse(sealed, SOURCE, &key);
}
END_TEST

START_TEST(names)
{
    ck_assert_uint_eq(strlen(es_copy_name(SOURCE, unit_pool)), 32);
    ck_assert_str_eq(es_copy_name(SOURCE, unit_pool), es_copy_name(SOURCE, unit_pool));
    ck_assert_str_ne(es_copy_name(SOURCE, unit_pool), es_copy_name(SOURCE "?", unit_pool));
}
END_TEST

Suite *suite_copy(void)
{
    Suite *suite = suite_create("copy");
    TCase *tc = unit_case(suite, "copy");

    tcase_add_test(tc, comes_back);
    tcase_add_test(tc, validators);
    tcase_add_test(tc, nobody_elses);
    tcase_add_test(tc, another_version);
    tcase_add_test(tc, names);
    return suite;
}
