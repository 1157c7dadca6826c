/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "policy/hint.h"

#include <apr_strings.h>

static void expect(const char *login_hint, const char *whr, const char *query)
{
    es_why_t why = ES_WHY_INIT;
    const char *read = "untouched";

    ck_assert_reason(es_hint_read(&read, login_hint, whr, &why, unit_pool), ES_OK, why);
    ck_assert_msg(query ? read && strcmp(read, query) == 0 : !read, "%s", read);
}

static void refuse(const char *login_hint, const char *whr)
{
    es_why_t why = ES_WHY_INIT;
    const char *read = NULL;

    ck_assert_msg(es_hint_read(&read, login_hint, whr, &why, unit_pool) == ES_HINT_REFUSED, "%s %s",
                  login_hint ? login_hint : "-", whr ? whr : "-");
    ck_assert_ptr_null(read);
}

START_TEST(what_entra_understands)
{
    expect(NULL, NULL, NULL);
    expect("ada@contoso.com", NULL, "&login_hint=ada%40contoso.com");
    expect(NULL, "contoso.com", "&whr=contoso.com");
    expect("a.b'c_d@x-y.example", "contoso.onmicrosoft.com",
           "&login_hint=a.b%27c_d%40x-y.example&whr=contoso.onmicrosoft.com");
    expect("gus_fabrikam.example#EXT#@contoso.onmicrosoft.example", NULL,
           "&login_hint=gus_fabrikam.example%23EXT%23%40contoso.onmicrosoft.example");
    expect("a+b&c=d%e@x.y", NULL, "&login_hint=a%2Bb%26c%3Dd%25e%40x.y");
}
END_TEST

START_TEST(no_user_name)
{
    static const char *const bad[] = { "",        "ada",     "@x.y",    "ada@",          "ada@x",     "ada@x.",
                                       "a@b@c.d", "a b@c.d", "a@b c.d", "a@.c.d",        "a@c..d",    "a@-c.d",
                                       "a@c-.d",  "a\"@c.d", "<a>@c.d", "a@c.d\r\nX: y", "a@c.d&x=y", "z\xc3\xa9@c.d",
                                       "a@c.d/",  "a\\@c.d", "a;b@c.d", "a,b@c.d",       "a@c.d?x",   "a@[1.2.3.4]" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuse(bad[i], NULL);
    }
}
END_TEST

START_TEST(no_domain)
{
    static const char *const bad[] = { "",     ".",    "x",       "x.",    ".x",    "x..y",  "-x.y",
                                       "x-.y", "x.y/", "x.y&z=1", "a@b.c", "x y.z", "x_y.z", "\xc3\xa9.example" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuse(NULL, bad[i]);
        refuse("ada@contoso.com", bad[i]);
    }
}
END_TEST

static const char *letters(int count)
{
    return memset(apr_pcalloc(unit_pool, (apr_size_t)count + 1), 'a', (apr_size_t)count);
}

START_TEST(lengths)
{
    es_why_t why = ES_WHY_INIT;
    const char *read;
    const char *longest = apr_psprintf(unit_pool, "%s.%s.%s.%s", letters(63), letters(63), letters(63), letters(61));

    ck_assert_uint_eq(strlen(longest), 253);
    ck_assert_reason(es_hint_read(&read, NULL, longest, &why, unit_pool), ES_OK, why);
    refuse(NULL, apr_pstrcat(unit_pool, longest, "a", NULL));
    refuse(NULL, apr_psprintf(unit_pool, "%s.b", letters(64)));
    ck_assert_reason(es_hint_read(&read, apr_psprintf(unit_pool, "%s@b.c", letters(200)), NULL, &why, unit_pool), ES_OK,
                     why);
    refuse(apr_psprintf(unit_pool, "%s@b.c", letters(201)), NULL);
    refuse(letters(100000), NULL);
}
END_TEST

Suite *suite_hint(void)
{
    Suite *suite = suite_create("hint");
    TCase *tcase = unit_case(suite, "hint");

    tcase_add_test(tcase, what_entra_understands);
    tcase_add_test(tcase, no_user_name);
    tcase_add_test(tcase, no_domain);
    tcase_add_test(tcase, lengths);
    return suite;
}
