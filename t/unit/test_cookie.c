/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/cookie.h"

START_TEST(every_cookie_of_a_name_is_found)
{
    const char *cursor = "a=1; __Host-x=first;b=2 ;__Host-x=;  __Host-x=a=b ; __Host-xy=no;__host-x=no";

    ck_assert_str_eq(es_cookie_next(&cursor, "__Host-x", unit_pool), "first");
    ck_assert_str_eq(es_cookie_next(&cursor, "__Host-x", unit_pool), "");
    ck_assert_str_eq(es_cookie_next(&cursor, "__Host-x", unit_pool), "a=b");
    ck_assert_ptr_null(es_cookie_next(&cursor, "__Host-x", unit_pool));
    ck_assert_ptr_null(es_cookie_next(&cursor, "__Host-x", unit_pool));
}
END_TEST

START_TEST(odd_headers_hold_nothing)
{
    static const char *const odd[] = { NULL, "", ";", ";;; ;", "__Host-x", "=; =", "__Host-x =1", "y=__Host-x=1" };

    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
        const char *cursor = odd[i];

        ck_assert_ptr_null(es_cookie_next(&cursor, "__Host-x", unit_pool));
    }
}
END_TEST

START_TEST(ours_are_set_with_every_attribute)
{
    ck_assert_str_eq(es_cookie_set("__Host-x", "v", ES_COOKIE_LAX, unit_pool),
                     "__Host-x=v; Path=/; Secure; HttpOnly; SameSite=Lax");
    ck_assert_str_eq(es_cookie_set("__Host-x", "v", ES_COOKIE_NONE, unit_pool),
                     "__Host-x=v; Path=/; Secure; HttpOnly; SameSite=None");
    ck_assert_str_eq(es_cookie_set("__Host-x", "", ES_COOKIE_LAX, unit_pool),
                     "__Host-x=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
}
END_TEST

Suite *suite_cookie(void)
{
    Suite *suite = suite_create("cookie");
    TCase *tcase = unit_case(suite, "cookie");

    tcase_add_test(tcase, every_cookie_of_a_name_is_found);
    tcase_add_test(tcase, odd_headers_hold_nothing);
    tcase_add_test(tcase, ours_are_set_with_every_attribute);
    return suite;
}
