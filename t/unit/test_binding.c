/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The binding cookie: its text, and the count of sessions made for a landing.
 */
#include "unit.h"

#include "base/crypto.h"
#include "session/binding.h"

#include <apr_strings.h>

#define NOW apr_time_from_sec(1700000000)
#define SEC(n) apr_time_from_sec(n)

static es_binding_t make(void)
{
    es_why_t why = ES_WHY_INIT;
    es_binding_t binding;

    ck_assert_reason(es_binding_make(&binding, &why), ES_OK, why);
    return binding;
}

START_TEST(reads_its_own_text)
{
    es_binding_t binding = make(), read;
    const char *text = es_binding_text(&binding, unit_pool);

    ck_assert_uint_eq(strlen(text), 22);
    ck_assert(es_binding_read(&read, text, unit_pool));
    ck_assert(memcmp(&binding, &read, sizeof read) == 0);
    for (int i = 0; i < 7; i++) {
        es_binding_count(&binding, apr_psprintf(unit_pool, "/page/%d", i), NOW + SEC(i));
        text = es_binding_text(&binding, unit_pool);
        ck_assert_uint_le(strlen(text), 96);
        ck_assert_uint_eq(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."),
                          strlen(text));
        ck_assert(es_binding_read(&read, text, unit_pool));
        ck_assert_int_eq(read.n_visits, i < ES_BINDING_VISITS ? i + 1 : ES_BINDING_VISITS);
        ck_assert_int_eq(es_binding_visits(&read, apr_psprintf(unit_pool, "/page/%d", i), NOW + SEC(i)), 1);
    }
    ck_assert_int_eq(es_binding_visits(&read, "/page/2", NOW + SEC(7)), 0); /* the oldest made room */
    ck_assert_int_eq(es_binding_visits(&read, "/page/3", NOW + SEC(7)), 1);
}
END_TEST

START_TEST(remembers_the_session_made_last)
{
    es_binding_t binding = make(), read;
    const char *text;

    binding.has_session = 1;
    memset(&binding.session, 0xa5, sizeof binding.session);
    for (int i = 0; i <= ES_BINDING_VISITS; i++) {
        text = es_binding_text(&binding, unit_pool);
        ck_assert_uint_le(strlen(text), 114);
        ck_assert(es_binding_read(&read, text, unit_pool));
        ck_assert(memcmp(&binding, &read, sizeof read) == 0);
        es_binding_count(&binding, apr_psprintf(unit_pool, "/page/%d", i), NOW);
    }
    text = apr_pstrcat(unit_pool, text, "A", NULL);
    ck_assert(!es_binding_read(&read, text, unit_pool));
    /* five visits, which is one too many without a session, and nearly a session */
    ck_assert(!es_binding_read(&read, apr_psprintf(unit_pool, "%.22s.%060d", text, 0), unit_pool));
    ck_assert(!es_binding_read(&read, apr_psprintf(unit_pool, "%.22s.%042d", text, 0), unit_pool));
}
END_TEST

START_TEST(reads_nothing_else)
{
    static const char *const texts[] = { "",
                                         "x",
                                         "AAAAAAAAAAAAAAAAAAAAA",
                                         "AAAAAAAAAAAAAAAAAAAAAB", /* stray bits */
                                         "AAAAAAAAAAAAAAAAAAAAAAA",
                                         "AAAAAAAAAAAAAAAAAAAAAA.",
                                         "AAAAAAAAAAAAAAAAAAAAAA.AAAA",
                                         "AAAAAAAAAAAAAAAAAAAAAA,AAAAAAAAAAAA",
                                         "AAAAAAAAAA+AAAAAAAAAAA.AAAAAAAAAAAA",
                                         "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAA=",
                                         "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAA.AAAAAAAAAAAA" };
    es_binding_t binding;

    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(!es_binding_read(&binding, texts[i], unit_pool), "%s was read", texts[i]);
    }
    ck_assert(es_binding_read(&binding, "AAAAAAAAAAAAAAAAAAAAAA", unit_pool));
    ck_assert(es_binding_read(&binding, "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAA", unit_pool));
    /* Five visits are one too many, and so is a text without end. */
    ck_assert(!es_binding_read(
        &binding, "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", unit_pool));
    ck_assert(!es_binding_read(&binding, memset(apr_pcalloc(unit_pool, 5001), 'A', 5000), unit_pool));
}
END_TEST

START_TEST(is_a_secret_of_its_own)
{
    es_binding_t one = make(), two = make();
    unsigned char hash[16], other[16];
    es_hash_t whole = es_crypto_sha256(es_bytes(one.token, sizeof one.token));

    es_binding_hash(hash, &one);
    es_binding_hash(other, &two);
    ck_assert(memcmp(one.token, two.token, sizeof one.token) != 0);
    ck_assert(memcmp(hash, whole.octet, 16) == 0);
    ck_assert(memcmp(hash, other, 16) != 0);
    es_binding_count(&one, "/", NOW);
    es_binding_hash(other, &one);
    ck_assert(memcmp(hash, other, 16) == 0); /* visits change nothing */
}
END_TEST

START_TEST(counts_within_a_minute)
{
    es_binding_t binding = make();

    ck_assert_int_eq(es_binding_visits(&binding, "/a", NOW), 0);
    es_binding_count(&binding, "/a", NOW);
    es_binding_count(&binding, "/a", NOW + SEC(59));
    es_binding_count(&binding, "/b", NOW + SEC(59));
    ck_assert_int_eq(es_binding_visits(&binding, "/a", NOW + SEC(59)), 2);
    ck_assert_int_eq(es_binding_visits(&binding, "/b", NOW + SEC(59)), 1);
    ck_assert_int_eq(es_binding_visits(&binding, "/a", NOW + SEC(60)), 0); /* from the first */
    ck_assert_int_eq(es_binding_visits(&binding, "/a", NOW - SEC(1)), 0);  /* from the future */
    es_binding_count(&binding, "/a", NOW + SEC(60));
    ck_assert_int_eq(es_binding_visits(&binding, "/a", NOW + SEC(60)), 1);
    ck_assert_int_eq(binding.n_visits, 2);
}
END_TEST

START_TEST(counts_no_further_than_it_can_say)
{
    es_binding_t binding = make(), read;

    for (int i = 0; i < 300; i++) {
        es_binding_count(&binding, "/a", NOW);
    }
    ck_assert(es_binding_read(&read, es_binding_text(&binding, unit_pool), unit_pool));
    ck_assert_int_eq(es_binding_visits(&read, "/a", NOW), 255);
}
END_TEST

Suite *suite_binding(void)
{
    Suite *suite = suite_create("binding");
    TCase *tcase = unit_case(suite, "binding");

    tcase_add_test(tcase, reads_its_own_text);
    tcase_add_test(tcase, remembers_the_session_made_last);
    tcase_add_test(tcase, reads_nothing_else);
    tcase_add_test(tcase, is_a_secret_of_its_own);
    tcase_add_test(tcase, counts_within_a_minute);
    tcase_add_test(tcase, counts_no_further_than_it_can_say);
    return suite;
}
