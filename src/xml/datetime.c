/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Not strptime, which takes white space, missing digits and the locale's words.
 */
#include "xml/datetime.h"

#include <apr_strings.h>

#define DECIMALS_MAX 9

/* Exactly `width` decimal digits; -1 where there are other characters. */
static int number(const char **cursor, int width)
{
    int value = 0;

    for (; width > 0; width--, (*cursor)++) {
        if (**cursor < '0' || **cursor > '9') {
            return -1;
        }
        value = value * 10 + (**cursor - '0');
    }
    return value;
}

static int skip(const char **cursor, char expected)
{
    if (**cursor != expected) {
        return 0;
    }
    (*cursor)++;
    return 1;
}

/* Microseconds behind the point; 0 where there is none, -1 where it is malformed. */
static apr_time_t fraction(const char **cursor)
{
    apr_time_t micros = 0;
    int digits, digit;

    if (!skip(cursor, '.')) {
        return 0;
    }
    for (digits = 0; **cursor >= '0' && **cursor <= '9'; digits++) {
        digit = number(cursor, 1);
        micros = digits < 6 ? micros * 10 + digit : micros;
    }
    if (digits == 0 || digits > DECIMALS_MAX) {
        return -1;
    }
    for (; digits < 6; digits++) {
        micros *= 10;
    }
    return micros;
}

static int is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of a month of the Gregorian calendar. */
static apr_int64_t days_before(int year, int month)
{
    apr_int64_t past = year - 1, days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;
    int m;

    for (m = 1; m < month; m++) {
        days += days_in(year, m);
    }
    return days;
}

es_rv_t es_datetime_read(apr_time_t *out, const char *text, const char *what, es_why_t *why)
{
    const char *cursor = text;
    int year, month, day, hour, minute, second;
    apr_time_t micros;
    apr_int64_t days;

    if (!text) {
        return es_fail(why, ES_TIME_MALFORMED, "%s is missing", what);
    }
    if ((year = number(&cursor, 4)) < 2000 || !skip(&cursor, '-') || (month = number(&cursor, 2)) < 1 || month > 12 ||
        !skip(&cursor, '-') || (day = number(&cursor, 2)) < 1 || day > days_in(year, month) || !skip(&cursor, 'T') ||
        (hour = number(&cursor, 2)) < 0 || hour > 23 || !skip(&cursor, ':') || (minute = number(&cursor, 2)) < 0 ||
        minute > 59 || !skip(&cursor, ':') || (second = number(&cursor, 2)) < 0 || second > 59 ||
        (micros = fraction(&cursor)) < 0 || !skip(&cursor, 'Z') || *cursor != '\0') {
        return es_fail(why, ES_TIME_MALFORMED, "%s is %.40s", what, text);
    }
    days = days_before(year, month) + day - 1;
    *out = apr_time_from_sec(((days * 24 + hour) * 60 + minute) * 60 + second) + micros;
    return ES_OK;
}

const char *es_datetime_write(char text[ES_DATETIME_LEN], apr_time_t time)
{
    apr_time_exp_t parts;

    apr_time_exp_gmt(&parts, time);
    apr_snprintf(text, ES_DATETIME_LEN, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                 parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}
