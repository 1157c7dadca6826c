/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every unit test shares. A file t/unit/test_<name>.c defines `Suite *suite_<name>(void)` and stands in
 * suites.def.
 */
#ifndef UNIT_H
#define UNIT_H

#include "base/es.h"

#include <check.h>

/* A suite whose name is not in suites.def has no prototype and does not compile. */
#define SUITE(name) Suite *suite_##name(void);
#include "suites.def"
#undef SUITE

/* A fresh pool for each test, made by main.c's fixture. */
extern apr_pool_t *unit_pool;

/* es_request_init, whose allocations are no leaks: what lasso and xmlsec allocate in each pass they keep for good, since
 * nobody ever shuts them down. */
es_rv_t unit_init(es_why_t *why);

/* Adds a test case whose tests have unit_pool. */
TCase *unit_case(Suite *suite, const char *name);

/* The reason, by its stable code: a failure prints both codes and the sentence. */
#define ck_assert_reason(rv, expected, why)                                                                            \
    ck_assert_msg((rv) == (expected), "expected %s, got %s: %s", es_reason(expected)->code, es_reason(rv)->code,       \
                  (why).text)

/* A file read whole (NUL-terminated); the test fails where it is missing. */
es_bytes_t unit_file(const char *path);

/* The path of a genuine Microsoft sample below ENTRA_FIXTURES; NULL where the folder is not there: the test then
 * returns, and main.c says at the end how many were skipped for it. */
const char *unit_fixture(const char *name);

/* A time of the form 2021-04-09T12:53:30Z, for injected clocks. */
apr_time_t unit_time(const char *text);

#endif
