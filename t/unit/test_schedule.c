/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/schedule.h"

#define NOW apr_time_from_sec(1700000000)
#define HOUR apr_time_from_sec(3600)

static apr_interval_time_t wait_of(apr_interval_time_t interval, unsigned failures, unsigned chance)
{
    return es_schedule_next(NOW, interval, failures, chance) - NOW;
}

/* A tenth to both sides, and all between. */
START_TEST(jitter)
{
    apr_interval_time_t least = HOUR * 2, most = 0;
    unsigned chance;

    for (chance = 0; chance < 5000; chance++) {
        const apr_interval_time_t wait = wait_of(HOUR, 0, chance);

        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    ck_assert_int_eq(least, HOUR / 10 * 9);
    ck_assert_int_eq(most, HOUR / 10 * 11);
    ck_assert_int_eq(wait_of(HOUR, 0, 500), HOUR);
}
END_TEST

START_TEST(back_off)
{
    const int seconds[] = { 30, 60, 120, 240, 480, 960, 1920, 3600, 3600 };
    unsigned i;

    for (i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        ck_assert_int_eq(wait_of(HOUR, i + 1, 500), apr_time_from_sec(seconds[i]));
    }
    ck_assert_int_eq(wait_of(HOUR, 100000, 500), HOUR);
    ck_assert_int_eq(wait_of(24 * HOUR, UINT32_MAX, 500), 24 * HOUR);
    ck_assert_int_eq(wait_of(HOUR, 1, 0), apr_time_from_sec(27));
    ck_assert_int_eq(wait_of(HOUR, 1, 1000), apr_time_from_sec(33));
}
END_TEST

START_TEST(asking)
{
    ck_assert(es_schedule_may_ask(NOW, 0));
    ck_assert(!es_schedule_may_ask(NOW, NOW));
    ck_assert(!es_schedule_may_ask(NOW, NOW - ES_SCHEDULE_ASK + 1));
    ck_assert(es_schedule_may_ask(NOW, NOW - ES_SCHEDULE_ASK));
    ck_assert(es_schedule_may_ask(NOW, NOW + 1));
}
END_TEST

/* As late as a fetch can be put off, and not a moment later: what is farther away was set by a clock that went wrong. */
START_TEST(due)
{
    ck_assert(es_schedule_is_due(NOW, NOW, HOUR));
    ck_assert(es_schedule_is_due(NOW, 0, HOUR));
    ck_assert(!es_schedule_is_due(NOW, NOW + 1, HOUR));
    ck_assert(!es_schedule_is_due(NOW, NOW + HOUR, HOUR));
    ck_assert(es_schedule_is_due(NOW, NOW + HOUR + 1, HOUR));
    ck_assert(es_schedule_is_due(NOW, NOW + 24 * 365 * HOUR, HOUR));
}
END_TEST

Suite *suite_schedule(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tc = unit_case(suite, "schedule");

    tcase_add_test(tc, jitter);
    tcase_add_test(tc, back_off);
    tcase_add_test(tc, asking);
    tcase_add_test(tc, due);
    return suite;
}
