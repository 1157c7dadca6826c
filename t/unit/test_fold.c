/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names that look alike to applications, and sets of them.
 */
#include "unit.h"

#include "base/fold.h"

static const es_fold_name_t names[] = {
    { "ENTRA_", ES_FOLD_PREFIX },   { "REMOTE_USER", ES_FOLD_WHOLE },    { "X-Groups", ES_FOLD_WHOLE },
    { "X-Entra-", ES_FOLD_PREFIX }, { "x-user", ES_FOLD_WHOLE },         { "TEAM", ES_FOLD_INDEXED },
    { "_own", ES_FOLD_WHOLE },      { "X-User-Missing", ES_FOLD_WHOLE },
};

static const es_fold_set_t *make(void)
{
    return es_fold_make(names, sizeof names / sizeof *names, unit_pool);
}

START_TEST(what_is_in_the_set)
{
    static const char *const in[] = {
        "ENTRA_GROUPS", "entra-groups", "Entra.Groups",   "eNtRa_x",  "ENTRA_",   "Entra-",
        "entra groups", "Remote-User",  "REMOTE_USER",    "x_groups", "X.GROUPS", "X-ENTRA-ANYTHING",
        "x_entra_",     "X_USER",       "x-user-missing", "team",     "TEAM_1",   "Team-12345",
        "team_count",   "TEAM-COUNT",   "-own",           "_OWN",     ".own",
    };
    const es_fold_set_t *set = make();
    size_t i;

    for (i = 0; i < sizeof in / sizeof *in; i++) {
        ck_assert_msg(es_fold_has(set, in[i]), "%s", in[i]);
    }
}
END_TEST

START_TEST(what_is_not)
{
    static const char *const out[] = {
        "",          "ENTRA",           "Entrance", "X-Entr",     "X-Entra", "Remote-Users", "Remote", "X-Group",
        "X-Groups2", "X-User-Missing-", "TEAM_",    "TEAM_x",     "TEAM_1x", "TEAM_COUNTS",  "TEAMS",  "own",
        "Host",      "\xc3\x96wn",      "GROUPS",   "X-X-Groups",
    };
    const es_fold_set_t *set = make();
    size_t i;

    for (i = 0; i < sizeof out / sizeof *out; i++) {
        ck_assert_msg(!es_fold_has(set, out[i]), "%s", out[i]);
    }
    ck_assert(!es_fold_has(es_fold_make(NULL, 0, unit_pool), "X"));
}
END_TEST

/* No octet, at any place, leads out of the set's tables. */
START_TEST(every_octet)
{
    const es_fold_set_t *set = make();
    int c;

    for (c = 1; c < 256; c++) {
        const char alone[] = { (char)c, '\0' };
        const char between[] = { 'X', (char)c, 'U', 's', 'e', 'r', '\0' };

        ck_assert(!es_fold_has(set, alone));
        ck_assert_int_eq(es_fold_has(set, between), es_fold((char)c) == '_');
    }
}
END_TEST

START_TEST(same_names)
{
    ck_assert(es_fold_same("X-User", "x_USER"));
    ck_assert(es_fold_same("", ""));
    ck_assert(!es_fold_same("X-User", "X-Users"));
    ck_assert(!es_fold_same("X-Users", "X-User"));
    ck_assert(!es_fold_same("X-User", "X-Usar"));
}
END_TEST

Suite *suite_fold(void)
{
    Suite *suite = suite_create("fold");
    TCase *tc = unit_case(suite, "all");

    tcase_add_test(tc, what_is_in_the_set);
    tcase_add_test(tc, what_is_not);
    tcase_add_test(tc, every_octet);
    tcase_add_test(tc, same_names);
    return suite;
}
