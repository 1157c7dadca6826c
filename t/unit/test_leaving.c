/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sign-out on its way: only what we sealed for this purpose opens.
 */
#include "unit.h"

#include "base/codec.h"
#include "session/leaving.h"
#include "session/pending.h"

#include <apr_strings.h>

static es_seal_key_t key;

static const char *seal(const char *landing)
{
    es_leaving_t leaving = { .landing = landing };
    es_why_t why = ES_WHY_INIT;
    const char *text = NULL;

    memset(&key, 7, sizeof key);
    memset(&leaving.connection, 1, sizeof leaving.connection);
    memset(leaving.request_id, 2, sizeof leaving.request_id);
    ck_assert_reason(es_leaving_seal(&text, &leaving, &key, &why, unit_pool), ES_OK, why);
    return text;
}

static es_leaving_t *open_text(const char *text)
{
    es_leaving_t *leaving = (es_leaving_t *)&leaving;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_leaving_open(&leaving, text, &key, &why, unit_pool), ES_OK, why);
    return leaving;
}

START_TEST(there_and_back)
{
    static const char *const landings[] = { "", "/", "/page?a=b" };
    const es_leaving_t *leaving = open_text(seal(landings[_i]));

    ck_assert_ptr_nonnull(leaving);
    ck_assert_int_eq(leaving->connection.octet[15], 1);
    ck_assert_int_eq(leaving->request_id[15], 2);
    ck_assert_str_eq(leaving->landing, landings[_i]);
}
END_TEST

/* SAML bindings 3.4.3; beside the longest landing, a request must still find room in 2,048 characters. */
START_TEST(length)
{
    char landing[701];

    memset(landing, 'a', 700);
    landing[700] = '\0';
    ck_assert_uint_le(strlen(seal("")), 80);
    ck_assert_uint_le(strlen(seal(landing)), 1000);
}
END_TEST

START_TEST(strangers)
{
    const char *text = seal("/page");
    char *altered = apr_pstrdup(unit_pool, text), *huge = apr_palloc(unit_pool, 5001);
    es_pending_t pending = { .landing = "/page" };
    es_why_t why = ES_WHY_INIT;

    altered[10] = altered[10] == 'A' ? 'B' : 'A';
    memset(huge, 'A', 5000);
    huge[5000] = '\0';
    ck_assert_ptr_null(open_text(NULL));
    ck_assert_ptr_null(open_text(""));
    ck_assert_ptr_null(open_text("https://evil.test/"));
    ck_assert_ptr_null(open_text("AAAA"));
    ck_assert_ptr_null(open_text(huge));
    ck_assert_ptr_null(open_text(altered));
    ck_assert_reason(es_pending_seal(&text, &pending, &key, &why, unit_pool), ES_OK, why);
    ck_assert_ptr_null(open_text(text));
    text = seal("/page");
    key.octet[0] ^= 1;
    ck_assert_ptr_null(open_text(text));
}
END_TEST

/* Nor does a sign-out open as a pending sign-in. */
START_TEST(no_sign_in)
{
    const char *text = seal("/page/and/more/than/enough/octets");
    es_pending_t *pending = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_pending_open(&pending, text, &key, &why, unit_pool), ES_PENDING_UNREADABLE, why);
}
END_TEST

Suite *suite_leaving(void)
{
    Suite *suite = suite_create("leaving");
    TCase *tcase = unit_case(suite, "leaving");

    tcase_add_loop_test(tcase, there_and_back, 0, 3);
    tcase_add_test(tcase, length);
    tcase_add_test(tcase, strangers);
    tcase_add_test(tcase, no_sign_in);
    return suite;
}
