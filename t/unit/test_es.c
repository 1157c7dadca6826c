/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of reasons as the rest of the module relies on it, and the one way to fail.
 */
#include "unit.h"

#include <ctype.h>
#include <stdlib.h>

/* Every status of reason.def that a user can get. httpd knows them by these numbers (RFC 9110 section 15). */
static const int known_statuses[] = { 200, 400, 401, 403, 410, 413, 415, 500, 503 };

static const es_reason_t *each(int rv)
{
    return es_reason((es_rv_t)rv);
}

START_TEST(first_cause_wins)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_fail(&why, ES_AUDIENCE, "the audience is %s", "another"), ES_AUDIENCE, why);
    ck_assert_reason(es_fail(&why, ES_INTERNAL, "and then everything fell over"), ES_AUDIENCE, why);
    ck_assert_reason(why.rv, ES_AUDIENCE, why);
    ck_assert_str_eq(why.text, "the audience is another");
}
END_TEST

START_TEST(sentence_is_bounded)
{
    es_why_t why = ES_WHY_INIT;
    char text[2 * ES_WHY_TEXT];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    es_fail(&why, ES_INTERNAL, "%s", text);
    ck_assert_uint_eq(strlen(why.text), ES_WHY_TEXT - 1);
}
END_TEST

START_TEST(codes_are_kebab_case)
{
    const char *c, *code = each(_i)->code;

    ck_assert_msg(islower(code[0]), "%s", code);
    for (c = code; *c; c++) {
        ck_assert_msg(islower(*c) || isdigit(*c) || (*c == '-' && isalnum(c[1])), "%s", code);
    }
}
END_TEST

START_TEST(codes_are_unique)
{
    int other;

    for (other = _i + 1; other < ES_REASON_COUNT; other++) {
        ck_assert_str_ne(each(_i)->code, each(other)->code);
    }
}
END_TEST

static int is_known_status(int status)
{
    size_t i;

    for (i = 0; i < sizeof known_statuses / sizeof *known_statuses; i++) {
        if (status == known_statuses[i]) {
            return 1;
        }
    }
    return 0;
}

static int is_sentence(const char *text)
{
    size_t len = strlen(text);

    return len > 1 && isupper(text[0]) && strchr(".?", text[len - 1]);
}

/* A user reads a sentence; where no user is there, there is none. The administrator always gets one. */
START_TEST(rows_are_complete)
{
    const es_reason_t *reason = each(_i);

    if (reason->status == 0) {
        ck_assert_msg(reason->text[0] == '\0', "%s: nobody reads this text", reason->code);
        ck_assert_msg(reason->level != ES_LEVEL_DEBUG,
                      "%s: httpd -t fails, that is an error; or something happens that is worth knowing", reason->code);
    } else {
        ck_assert_msg(is_known_status(reason->status), "%s: status %d", reason->code, reason->status);
        ck_assert_msg(is_sentence(reason->text), "%s: %s", reason->code, reason->text);
    }
    ck_assert_msg(strlen(reason->remedy) > 20 && strchr(".?", reason->remedy[strlen(reason->remedy) - 1]), "%s: %s",
                  reason->code, reason->remedy);
}
END_TEST

START_TEST(ok_is_a_row)
{
    ck_assert_str_eq(es_reason(ES_OK)->code, "ok");
    ck_assert_int_eq(es_reason(ES_OK)->status, 200);
}
END_TEST

START_TEST(unknown_is_internal)
{
    ck_assert_ptr_eq(es_reason(ES_REASON_COUNT), es_reason(ES_INTERNAL));
    ck_assert_ptr_eq(es_reason((es_rv_t)-1), es_reason(ES_INTERNAL));
}
END_TEST

Suite *suite_es(void)
{
    Suite *suite = suite_create("es");
    TCase *tcase = unit_case(suite, "fail");

    tcase_add_test(tcase, first_cause_wins);
    tcase_add_test(tcase, sentence_is_bounded);
    tcase = unit_case(suite, "reasons");
    tcase_add_loop_test(tcase, codes_are_kebab_case, 0, ES_REASON_COUNT);
    tcase_add_loop_test(tcase, codes_are_unique, 0, ES_REASON_COUNT);
    tcase_add_loop_test(tcase, rows_are_complete, 1, ES_REASON_COUNT);
    tcase_add_test(tcase, ok_is_a_row);
    tcase_add_test(tcase, unknown_is_internal);
    return suite;
}
