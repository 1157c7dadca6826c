/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "idp.h"
#include "unit.h"

#include "entra/expiry.h"
#include "entra/metadata.h"

#include <apr_strings.h>

#define DAY apr_time_from_sec(86400)
#define SSO "Microsoft Azure Federated SSO Certificate"

static apr_time_t end;
static es_expiry_warning_t warnings[ES_EXPIRY_KEYS];

/* The keys of a document whose certificates end then. */
static const es_keys_t *keys_until(const apr_time_t *ends, int count)
{
    const idp_t *idps[ES_EXPIRY_KEYS + 1];
    es_why_t why = ES_WHY_INIT;
    es_metadata_t *metadata;
    int i;

    for (i = 0; i < count; i++) {
        idps[i] = idp_make_certificate(SSO, ends[i] - 1095 * DAY, ends[i], unit_pool);
    }
    ck_assert_reason(es_metadata_load(&metadata, idp_document(idps, count, IDP_ISSUER, unit_pool), &why, unit_pool),
                     ES_OK, why);
    return metadata->keys;
}

static int due(es_expiry_seen_t *seen, const es_keys_t *keys, apr_time_t now)
{
    return es_expiry_due(warnings, seen, keys, now, unit_pool);
}

static void open_clock(void)
{
    end = unit_time("2029-03-01T12:00:00Z");
}

START_TEST(each_stage_once)
{
    static const struct {
        int days;
        es_rv_t rv;
        const char *part;
    } stages[] = {
        { 60, ES_KEY_EXPIRING, "expires in 60 days (2029-03-01 12:00 UTC)" },
        { 30, ES_KEY_EXPIRING, "expires in 30 days (2029-03-01 12:00 UTC)" },
        { 7, ES_KEY_EXPIRING, "expires in 7 days (2029-03-01 12:00 UTC)" },
        { 1, ES_KEY_EXPIRING, "expires within a day (2029-03-01 12:00 UTC)" },
        { 0, ES_KEY_EXPIRED, "has expired (2029-03-01 12:00 UTC)" },
    };
    const es_keys_t *keys = keys_until(&end, 1);
    es_expiry_seen_t seen = { 0 };
    size_t i;

    ck_assert_int_eq(due(&seen, keys, end - 400 * DAY), 0);
    for (i = 0; i < sizeof stages / sizeof *stages; i++) {
        const apr_time_t at = end - stages[i].days * DAY;

        ck_assert_int_eq(due(&seen, keys, at - 1), 0);
        ck_assert_int_eq(due(&seen, keys, at), 1);
        ck_assert_int_eq(warnings[0].rv, stages[i].rv);
        ck_assert_ptr_eq(warnings[0].key, es_keys_at(keys, 0));
        ck_assert_msg(strstr(warnings[0].text, stages[i].part) != NULL, "%s", warnings[0].text);
        ck_assert_ptr_nonnull(strstr(warnings[0].text, es_keys_at(keys, 0)->thumbprint));
        ck_assert_ptr_nonnull(strstr(warnings[0].text, "CN=" SSO));
        ck_assert_ptr_nonnull(strstr(warnings[0].text, "none that is good for longer"));
        ck_assert_int_eq(due(&seen, keys, at + DAY / 24), 0);
    }
    ck_assert_int_eq(due(&seen, keys, end + 1000 * DAY), 0);
}
END_TEST

/* A server that was off, or starts, hears of the last stage only. */
START_TEST(stages_that_went_by)
{
    const es_keys_t *keys = keys_until(&end, 1);
    es_expiry_seen_t seen = { 0 }, fresh = { 0 };

    ck_assert_int_eq(due(&seen, keys, end - 5 * DAY), 1);
    ck_assert_ptr_nonnull(strstr(warnings[0].text, "in 5 days"));
    ck_assert_int_eq(due(&seen, keys, end - 2 * DAY), 0);
    ck_assert_int_eq(due(&fresh, keys, end + 90 * DAY), 1);
    ck_assert_int_eq(warnings[0].rv, ES_KEY_EXPIRED);
}
END_TEST

START_TEST(a_clock_set_back_repeats_nothing)
{
    const es_keys_t *keys = keys_until(&end, 1);
    es_expiry_seen_t seen = { 0 };

    ck_assert_int_eq(due(&seen, keys, end), 1);
    ck_assert_int_eq(due(&seen, keys, end - 20 * DAY), 0);
    ck_assert_int_eq(due(&seen, keys, end), 0);
}
END_TEST

/* Each of its own, in whatever order; what takes over is named. */
START_TEST(several_certificates)
{
    const apr_time_t ends[] = { end + 900 * DAY, end, end + 10 * DAY };
    const es_keys_t *keys = keys_until(ends, 3), *rest = keys_until(&end, 1);
    es_expiry_seen_t seen = { 0 };

    ck_assert_int_eq(due(&seen, keys, end - 55 * DAY), 1);
    ck_assert_ptr_eq(warnings[0].key, es_keys_at(keys, 1));
    ck_assert_ptr_nonnull(strstr(
        warnings[0].text, apr_pstrcat(unit_pool, es_keys_at(keys, 0)->thumbprint, " is in the metadata too", NULL)));
    ck_assert_int_eq(due(&seen, keys, end - 7 * DAY), 2);
    ck_assert_int_eq(seen.count, 3);
    /* another document: the old ones are forgotten, the new one is told of */
    ck_assert_int_eq(due(&seen, rest, end - 7 * DAY), 1);
    ck_assert_int_eq(seen.count, 1);
}
END_TEST

START_TEST(no_more_than_are_watched)
{
    apr_time_t ends[ES_EXPIRY_KEYS + 1];
    es_expiry_seen_t seen = { 0 };
    const es_keys_t *keys;
    int i;

    for (i = 0; i <= ES_EXPIRY_KEYS; i++) {
        ends[i] = end;
    }
    keys = keys_until(ends, ES_EXPIRY_KEYS + 1);
    ck_assert_int_eq(due(&seen, keys, end), ES_EXPIRY_KEYS);
    ck_assert_int_eq(due(&seen, keys, end), 0);
    ck_assert_int_eq(due(&seen, es_keys_make(unit_pool), end), 0);
}
END_TEST

Suite *suite_expiry(void)
{
    Suite *suite = suite_create("expiry");
    TCase *tcase = unit_case(suite, "expiry");

    tcase_add_checked_fixture(tcase, open_clock, NULL);
    tcase_add_test(tcase, each_stage_once);
    tcase_add_test(tcase, stages_that_went_by);
    tcase_add_test(tcase, a_clock_set_back_repeats_nothing);
    tcase_add_test(tcase, several_certificates);
    tcase_add_test(tcase, no_more_than_are_watched);
    return suite;
}
