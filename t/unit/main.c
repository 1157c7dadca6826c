/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Runs every suite of suites.def. CK_RUN_SUITE and CK_RUN_CASE choose among them (Check manual, "Selecting tests").
 */
#include "unit.h"

#include "base/crypto.h"
#include "saml/request.h"
#include "saml/signoff.h"
#include "xml/dsig.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SUITE(name) Suite *suite_##name(void);
#include "suites.def"
#undef SUITE

apr_pool_t *unit_pool;
static apr_pool_t *process_pool;

static void open_pool(void)
{
    apr_pool_create(&unit_pool, process_pool);
}

static void close_pool(void)
{
    apr_pool_destroy(unit_pool);
}

/* LeakSanitizer's, where the tests are built with it. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

es_rv_t unit_init(es_why_t *why)
{
    es_rv_t rv;

    if (__lsan_disable) {
        __lsan_disable();
    }
    rv = es_request_init(why);
    if (__lsan_enable) {
        __lsan_enable();
    }
    return rv;
}

TCase *unit_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, open_pool, close_pool);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

es_bytes_t unit_file(const char *path)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *data;
    apr_size_t len;

    ck_assert_msg(apr_file_open(&file, path, APR_FOPEN_READ, 0, unit_pool) == APR_SUCCESS, "cannot open %s", path);
    ck_assert(apr_file_info_get(&info, APR_FINFO_SIZE, file) == APR_SUCCESS);
    data = apr_pcalloc(unit_pool, (apr_size_t)info.size + 1);
    ck_assert(apr_file_read_full(file, data, (apr_size_t)info.size, &len) == APR_SUCCESS);
    apr_file_close(file);
    return es_bytes(data, len);
}

const char *unit_fixture(const char *name)
{
    const char *folder = getenv("ENTRA_FIXTURES");

    return folder && *folder ? apr_pstrcat(unit_pool, folder, "/", name, NULL) : NULL;
}

apr_time_t unit_time(const char *text)
{
    struct tm tm = { 0 };

    ck_assert_msg(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) != NULL, "not a time: %s", text);
    return apr_time_from_sec(timegm(&tm));
}

/* The libraries' start-up, once before the first fork of a test. */
static void initialise(void)
{
    es_why_t why = ES_WHY_INIT;

    apr_initialize();
    apr_pool_create(&process_pool, NULL);
    es_xml_init();
    if (es_crypto_init(&why) != ES_OK || unit_init(&why) != ES_OK || es_signoff_init(&why) != ES_OK ||
        es_dsig_init(&why) != ES_OK) {
        fprintf(stderr, "unit: %s\n", why.text);
        exit(1);
    }
}

int main(void)
{
    SRunner *runner = srunner_create(NULL);
    int failed;

    initialise();
#define SUITE(name) srunner_add_suite(runner, suite_##name());
#include "suites.def"
#undef SUITE
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    if (!getenv("ENTRA_FIXTURES")) {
        printf("unit: SKIPPED the genuine Microsoft samples: set ENTRA_FIXTURES to their folder\n");
    }
    srunner_free(runner);
    apr_pool_destroy(process_pool);
    apr_terminate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
