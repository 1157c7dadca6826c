/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/expiry.h"

#include <apr_strings.h>

#define DAY apr_time_from_sec(86400)
#define DATE_LEN (sizeof "2021-04-09 12:53 UTC")

static es_expiry_stage_t stage_of(apr_time_t not_after, apr_time_t now)
{
    static const struct {
        int days;
        es_expiry_stage_t stage;
    } stages[] = {
        { 0, ES_EXPIRY_PASSED },   { 1, ES_EXPIRY_1_DAY },    { 7, ES_EXPIRY_7_DAYS },
        { 30, ES_EXPIRY_30_DAYS }, { 60, ES_EXPIRY_60_DAYS },
    };
    apr_size_t i;

    for (i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (not_after - now <= stages[i].days * DAY) {
            return stages[i].stage;
        }
    }
    return ES_EXPIRY_FAR;
}

static es_expiry_stage_t stage_seen(const es_expiry_seen_t *seen, const es_key_t *key)
{
    int i;

    for (i = 0; i < seen->count; i++) {
        if (memcmp(seen->key[i].certificate.octet, key->digest.octet, ES_HASH_LEN) == 0) {
            return seen->key[i].stage;
        }
    }
    return ES_EXPIRY_FAR;
}

/* The certificate that is good for longest; it takes over where it is another, and not over itself. */
static const es_key_t *find_last(const es_keys_t *keys)
{
    const es_key_t *last = es_keys_at(keys, 0);
    int i;

    for (i = 1; i < es_keys_count(keys); i++) {
        if (es_keys_at(keys, i)->not_after > last->not_after) {
            last = es_keys_at(keys, i);
        }
    }
    return last;
}

static const char *date_text(char text[DATE_LEN], apr_time_t time)
{
    apr_time_exp_t parts;

    apr_time_exp_gmt(&parts, time);
    apr_snprintf(text, DATE_LEN, "%04d-%02d-%02d %02d:%02d UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                 parts.tm_hour, parts.tm_min);
    return text;
}

static const char *make_text(const es_key_t *key, const es_key_t *last, apr_time_t now, apr_pool_t *pool)
{
    const apr_int64_t days = (key->not_after - now + DAY - 1) / DAY;
    char ends[DATE_LEN], other[DATE_LEN];
    const char *when = key->not_after <= now ? "has expired"
                       : days == 1           ? "expires within a day"
                                             : apr_psprintf(pool, "expires in %" APR_INT64_T_FMT " days", days);
    const char *next = last->not_after > key->not_after && last->not_after > now
                           ? apr_psprintf(pool, "%s is in the metadata too, and good until %s", last->thumbprint,
                                          date_text(other, last->not_after))
                           : "the metadata has none that is good for longer";

    return apr_psprintf(pool, "certificate %s (%.200s) %s (%s); %s", key->thumbprint, key->subject, when,
                        date_text(ends, key->not_after), next);
}

int es_expiry_due(es_expiry_warning_t warnings[ES_EXPIRY_KEYS], es_expiry_seen_t *seen, const es_keys_t *keys,
                  apr_time_t now, apr_pool_t *pool)
{
    es_expiry_seen_t after = { 0 };
    int i, count = 0;

    for (i = 0; i < es_keys_count(keys) && i < ES_EXPIRY_KEYS; i++) {
        const es_key_t *key = es_keys_at(keys, i);
        const es_expiry_stage_t before = stage_seen(seen, key);
        es_expiry_stage_t stage = stage_of(key->not_after, now);

        if (stage > before) {
            warnings[count++] =
                (es_expiry_warning_t){ key, stage == ES_EXPIRY_PASSED ? ES_KEY_EXPIRED : ES_KEY_EXPIRING,
                                       make_text(key, find_last(keys), now, pool) };
        } else {
            stage = before;
        }
        after.key[after.count].certificate = key->digest;
        after.key[after.count++].stage = stage;
    }
    *seen = after;
    return count;
}
