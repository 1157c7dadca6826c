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

#define S "__Host-entra-session-0123abcd=0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
#define B "__Host-entra-signin-0123abcd=tok.en"

/* header, what is left; NULL: nothing */
static const struct {
    const char *header, *rest;
} mixed[] = {
    { S, NULL },
    { B, NULL },
    { S "; " B, NULL },
    { B ";" S ";" S "; " B ";", NULL },
    { " ; " S " ;\t;, ", NULL },
    { S "; a=1; b=2", "a=1; b=2" },
    { "a=1; " S "; b=2", "a=1; b=2" },
    { "a=1; b=2; " S, "a=1; b=2" },
    { "a=1;" B ";b=2 ;" S "; c=3", "a=1;b=2 ; c=3" },
    { S ";   a=1;b=2", "a=1;b=2" },
    { "a=1; " S "; " S "; " B "; b=2", "a=1; b=2" },
    { "a=1; __Host-entra-session-ffffffff=other; b=2", "a=1; b=2" },
    { "a=1; __Host-entra-session-; b=2", "a=1; b=2" },
    { "a=1; __Host-entra-session-0123abcd; b=2", "a=1; b=2" },
    { "a=1;\t\x0b " S "\t; b=2", "a=1; b=2" },
    { "__Host-entra-session-0123abcd =spaced; b=2", "b=2" },
    { "__Host-entra-session-0123abcd=\"quoted\"; b=2", "b=2" },
    { "a=1, " S ", b=2", "a=1, b=2" }, /* two headers of HTTP/1.1, as httpd joins them */
    { "a=x,y; " S "; b=\"p, q\"", "a=x,y; b=\"p, q\"" },
    { "a=\"x; " S "; y\"; b=2", "a=\"x; y\"; b=2" }, /* no quotation marks to whoever follows RFC 6265 */
    { "a=\xc3\xa9; " S "; b = c=d ;;", "a=\xc3\xa9; b = c=d ;;" },
    { "=; " S, "=" },
};

START_TEST(ours_are_taken_out)
{
    const char *rest = "untouched";

    ck_assert_int_eq(es_cookie_strip(&rest, mixed[_i].header, unit_pool), 1);
    if (mixed[_i].rest) {
        ck_assert_ptr_nonnull(rest);
        ck_assert_str_eq(rest, mixed[_i].rest);
    } else {
        ck_assert_msg(rest == NULL, "\"%s\" is left", rest);
    }
}
END_TEST

START_TEST(others_are_left_alone)
{
    static const char *const others[] = { "",
                                          "; ,;",
                                          "a=1; b=2",
                                          "__Host-entra-other=1",
                                          "__Host-entra-s=1; __Host-entra-session=2",
                                          "__host-entra-session-0123abcd=1",
                                          "x__Host-entra-session-0123abcd=1",
                                          "x=__Host-entra-session-0123abcd=1",
                                          "a=__Host-entra-signin-0123abcd" };

    for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
        const char *rest = "untouched";

        ck_assert_int_eq(es_cookie_strip(&rest, others[i], unit_pool), 0);
        ck_assert_str_eq(rest, "untouched");
    }
}
END_TEST

/* A sibling host may set a cookie whose value looks like a second header. */
START_TEST(none_is_found_behind_a_comma)
{
    const char *cursor = "a=1, " S "; b=2";

    ck_assert_ptr_null(es_cookie_next(&cursor, "__Host-entra-session-0123abcd", unit_pool));
}
END_TEST

Suite *suite_cookie(void)
{
    Suite *suite = suite_create("cookie");
    TCase *tcase = unit_case(suite, "cookie");

    tcase_add_test(tcase, every_cookie_of_a_name_is_found);
    tcase_add_test(tcase, odd_headers_hold_nothing);
    tcase_add_test(tcase, ours_are_set_with_every_attribute);
    tcase_add_loop_test(tcase, ours_are_taken_out, 0, sizeof mixed / sizeof mixed[0]);
    tcase_add_test(tcase, others_are_left_alone);
    tcase_add_test(tcase, none_is_found_behind_a_comma);
    return suite;
}
