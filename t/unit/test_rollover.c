/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Three years of one application's signing certificates, hour by hour, with an administrator who acts in time, in no time
 * or not at all, and a week in which Microsoft's metadata cannot be reached. Somebody signs in every day. The server is
 * played by the parts that the real one is made of: the metadata reader, the expiry schedule, the flow. ENTRA_TIMELINE=1
 * prints what happened.
 */
#include "person.h"
#include "unit.h"

#include "entra/expiry.h"
#include "session/shm.h"
#include "table_tools.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR apr_time_from_sec(3600)
#define DAY (24 * HOUR)
#define CERTIFICATES 5

static apr_time_t now;
static es_flow_t flow; /* its pool lives as long as one step of the clock */

/* ---- what happened -------------------------------------------------------------------------------------------- */

typedef struct {
    apr_time_t at;
    const char *what;
} line_t;

static apr_array_header_t *timeline;

static const char *date_of(apr_time_t time)
{
    apr_time_exp_t at;

    apr_time_exp_gmt(&at, time);
    return apr_psprintf(unit_pool, "%04d-%02d-%02d %02d:%02d", at.tm_year + 1900, at.tm_mon + 1, at.tm_mday, at.tm_hour,
                        at.tm_min);
}

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    APR_ARRAY_PUSH(timeline, line_t) = (line_t){ now, apr_pvsprintf(unit_pool, format, args) };
    va_end(args);
    if (getenv("ENTRA_TIMELINE")) {
        printf("%s  %s\n", date_of(now), APR_ARRAY_IDX(timeline, timeline->nelts - 1, line_t).what);
    }
}

/* The day on which it was told for the first time; fails where it was not. */
static const char *day_of(const char *part)
{
    int i;

    for (i = 0; i < timeline->nelts; i++) {
        if (strstr(APR_ARRAY_IDX(timeline, i, line_t).what, part)) {
            return apr_pstrndup(unit_pool, date_of(APR_ARRAY_IDX(timeline, i, line_t).at), 10);
        }
    }
    ck_abort_msg("nothing like \"%s\" happened", part);
    return NULL;
}

static int times_of(const char *part)
{
    int i, count = 0;

    for (i = 0; i < timeline->nelts; i++) {
        count += strstr(APR_ARRAY_IDX(timeline, i, line_t).what, part) != NULL;
    }
    return count;
}

/* ---- Microsoft ------------------------------------------------------------------------------------------------ */

static struct {
    const char *name;
    idp_t *idp;
    apr_time_t not_after;
    int is_listed;
} certificates[CERTIFICATES];
static int active, is_unreachable;

/* New certificates are inactive (Microsoft, "Manage certificates for federated single sign-on"). */
static void create(int index, const char *until)
{
    certificates[index].name = (const char *const[]){ "A", "B", "C", "D", "E" }[index];
    certificates[index].not_after = unit_time(until);
    certificates[index].idp = idp_make_certificate("Microsoft Azure Federated SSO Certificate", now,
                                                   certificates[index].not_after, unit_pool);
    certificates[index].is_listed = 1;
    tell("Portal:  certificate %s made, good until %.10s", certificates[index].name, until);
}

static void activate(int index, const char *who)
{
    active = index;
    tell("%s certificate %s is active now", who, certificates[index].name);
}

/* The newest first: order means nothing. */
static es_bytes_t published(void)
{
    const idp_t *idps[CERTIFICATES];
    int i, count = 0;

    for (i = CERTIFICATES - 1; i >= 0; i--) {
        if (certificates[i].is_listed) {
            idps[count++] = certificates[i].idp;
        }
    }
    return idp_document(idps, count, IDP_ISSUER, flow.pool);
}

/* With an expired one Entra signs with a good inactive one by itself. */
static void activate_itself(void)
{
    int i;

    for (i = 0; certificates[active].not_after <= now && i < CERTIFICATES; i++) {
        if (certificates[i].is_listed && certificates[i].not_after > now) {
            activate(i, "Entra:   the active one has expired;");
        }
    }
}

/* ---- the server ----------------------------------------------------------------------------------------------- */

static es_site_t site;
static es_seal_key_t key;
static es_bytes_t document; /* the last good one */
static es_expiry_seen_t seen;
static apr_time_t asked; /* the last fetch for an unknown key */

static void adopt(es_bytes_t fresh)
{
    es_connection_conf_t conf = { .server_name = "app.example.com" };
    es_why_t why = ES_WHY_INIT;
    es_metadata_t *metadata;
    es_connection_t *connection;

    ck_assert_reason(es_metadata_load(&metadata, fresh, &why, unit_pool), ES_OK, why);
    ck_assert_reason(
        es_metadata_check(metadata, NULL, site.connection ? site.connection->issuer : NULL, &why, unit_pool), ES_OK,
        why);
    ck_assert_reason(es_connection_make(&connection, &conf, metadata, &why, unit_pool), ES_OK, why);
    site = (es_site_t){ .connection = connection, .request = person_request(connection), .keep = 8 * HOUR };
    document = es_bytes(apr_pmemdup(unit_pool, fresh.data, fresh.len), fresh.len);
    tell("Server:  new metadata, %d certificate%s", es_keys_count(metadata->keys),
         es_keys_count(metadata->keys) == 1 ? "" : "s");
}

static void refresh(void)
{
    es_bytes_t fresh;

    if (is_unreachable) {
        return;
    }
    fresh = published();
    if (fresh.len != document.len || memcmp(fresh.data, document.data, fresh.len) != 0) {
        adopt(fresh);
    }
}

static const char *name_of(const char *thumbprint)
{
    int i;

    for (i = 0; i < CERTIFICATES; i++) {
        es_why_t why = ES_WHY_INIT;
        es_metadata_t *alone;
        es_bytes_t one;

        if (!certificates[i].idp) {
            continue;
        }
        one = idp_metadata(certificates[i].idp, flow.pool);
        ck_assert_reason(es_metadata_load(&alone, one, &why, flow.pool), ES_OK, why);
        if (strcmp(es_keys_at(alone->keys, 0)->thumbprint, thumbprint) == 0) {
            return certificates[i].name;
        }
    }
    return "?";
}

static void warn(void)
{
    es_expiry_warning_t warnings[ES_EXPIRY_KEYS];
    int i, count = es_expiry_due(warnings, &seen, site.connection->metadata->keys, now, flow.pool);

    for (i = 0; i < count; i++) {
        const char *when = strstr(warnings[i].text, ") ");

        tell("Log:     reason=%s certificate %s%s", es_reason(warnings[i].rv)->code,
             name_of(warnings[i].key->thumbprint), apr_pstrmemdup(flow.pool, when + 1, strcspn(when, ";") - 1));
    }
}

/* ---- a user --------------------------------------------------------------------------------------------------- */

/* The sign-in of a new browser; *rounds = how often Entra was asked. An unknown key sends for the metadata, at most every
 * five minutes, while the browser goes round. */
static es_rv_t sign_in(int *rounds, es_why_t *why)
{
    es_answer_t answer = { NULL };
    es_rv_t rv;

    flow.cookies = NULL;
    ck_assert_reason(es_signon_start(&answer, &flow, NULL, "/page", why), ES_OK, *why);
    flow.cookies = person_cookie(&flow, &answer, site.connection->binding_cookie);
    for (*rounds = 1;; ++*rounds) {
        es_acs_form_t form = person_form(&flow, answer.location, certificates[active].idp, (idp_response_t){ 0 });
        es_acs_report_t report = { ES_OK };

        answer = (es_answer_t){ NULL };
        rv = es_acs_accept(&answer, &report, &flow, &form, why);
        if (rv != ES_OK || report.restarted != ES_SIGNATURE_KEY_UNKNOWN) {
            ck_assert(rv != ES_OK || strcmp(report.user, "alice@example.com") == 0);
            return rv;
        }
        tell("Server:  a response is signed by an unknown key; the sign-on starts again");
        if (now - asked >= HOUR / 12) {
            refresh();
        }
    }
}

/* ---- three years ---------------------------------------------------------------------------------------------- */

static void begin(void)
{
    es_why_t why = ES_WHY_INIT;
    void *memory = table_memory(es_shm_minimum());
    es_shm_t *shm;

    timeline = apr_array_make(unit_pool, 64, sizeof(line_t));
    now = unit_time("2026-03-01T00:00:00Z");
    memset(certificates, 0, sizeof certificates);
    memset(&site, 0, sizeof site);
    memset(&seen, 0, sizeof seen);
    memset(&key, 7, sizeof key);
    document = es_bytes(NULL, 0);
    active = is_unreachable = 0;
    ck_assert_reason(es_shm_format(memory, es_shm_minimum(), &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, es_shm_minimum(), &why, unit_pool), ES_OK, why);
    flow = (es_flow_t){ .site = &site, .store = es_shm_store(shm), .key = &key };
    create(0, "2026-09-01T00:00:00Z");
    activate(0, "Portal: ");
}

/* What people do, each at its hour. */
static void act(void)
{
    static const struct {
        const char *at;
        enum { CREATE, ACTIVATE, DELETE, CUT, MEND } what;
        int index;
        const char *until;
    } plan[] = {
        /* by the book: made and activated before the old one ends, deleted after it */
        { "2026-07-10T09:00:00Z", CREATE, 1, "2029-07-10T09:00:00Z" },
        { "2026-08-05T09:00:00Z", ACTIVATE, 1, NULL },
        { "2026-10-01T09:00:00Z", DELETE, 0, NULL },
        /* a week without Microsoft's metadata, and in it somebody makes a certificate and activates it at once */
        { "2027-05-01T00:00:00Z", CUT, 0, NULL },
        { "2027-05-06T09:00:00Z", CREATE, 2, "2028-06-01T00:00:00Z" },
        { "2027-05-06T09:00:00Z", ACTIVATE, 2, NULL },
        { "2027-05-08T00:00:00Z", MEND, 0, NULL },
        /* the same with Microsoft in reach, half an hour before the next refresh */
        { "2027-11-20T12:30:00Z", CREATE, 3, "2028-06-01T00:00:00Z" },
        { "2027-11-20T12:30:00Z", ACTIVATE, 3, NULL },
        /* made, and left inactive: Entra takes it when D has ended */
        { "2028-05-15T09:00:00Z", DELETE, 1, NULL },
        { "2028-05-20T09:00:00Z", CREATE, 4, "2031-05-20T09:00:00Z" },
    };
    size_t i;

    for (i = 0; i < sizeof plan / sizeof *plan; i++) {
        const int index = plan[i].index;

        if (unit_time(plan[i].at) != now) {
            continue;
        }
        if (plan[i].what == CREATE) {
            create(index, plan[i].until);
        } else if (plan[i].what == ACTIVATE) {
            activate(index, "Portal: ");
        } else if (plan[i].what == DELETE) {
            certificates[index].is_listed = 0;
            tell("Portal:  certificate %s deleted", certificates[index].name);
        } else {
            is_unreachable = plan[i].what == CUT;
            tell("Network: Microsoft's metadata %s", is_unreachable ? "cannot be reached" : "can be reached again");
        }
    }
}

/* Half an hour: what people do, then the refresh at the full hour; a sign-in every day, and whenever somebody has just
 * activated something. Returns 1 where it failed. */
static int live(void)
{
    const int before = active;
    const int is_full_hour = now % HOUR == 0;
    int rounds, failed = 0;

    apr_pool_create(&flow.pool, unit_pool);
    flow.now = now;
    act();
    activate_itself();
    if (is_full_hour) {
        refresh();
        warn();
    }
    if (now % DAY == 12 * HOUR || active != before) {
        es_why_t why = ES_WHY_INIT;
        es_rv_t rv = sign_in(&rounds, &why);

        failed = rv != ES_OK;
        if (failed) {
            ck_assert_reason(rv, ES_SIGNATURE_KEY_UNKNOWN, why);
            ck_assert_ptr_nonnull(strstr(why.text, es_keys_at(site.connection->metadata->keys, 0)->thumbprint));
            ck_assert_ptr_nonnull(strstr(why.text, "(CN=Microsoft Azure Federated SSO Certificate)"));
            tell("Log:     reason=%s, after %d rounds", es_reason(rv)->code, rounds);
        } else if (rounds > 1 || active != before) {
            tell("User:    signed in with certificate %s, %d round%s", certificates[active].name, rounds,
                 rounds == 1 ? "" : "s");
        }
    }
    apr_pool_destroy(flow.pool);
    return failed;
}

/* Each warning on its day, of those certificates that are still listed. */
static void check_warnings(void)
{
    static const struct {
        const char *warning, *day;
    } rows[] = {
        { "certificate A expires in 60 days", "2026-07-03" },   { "certificate A expires in 30 days", "2026-08-02" },
        { "certificate A expires in 7 days", "2026-08-25" },    { "certificate A expires within a day", "2026-08-31" },
        { "certificate A has expired", "2026-09-01" },          { "certificate C expires in 60 days", "2028-04-02" },
        { "certificate D expires in 30 days", "2028-05-02" },   { "certificate D expires in 7 days", "2028-05-25" },
        { "certificate D expires within a day", "2028-05-31" }, { "certificate D has expired", "2028-06-01" },
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_str_eq(day_of(rows[i].warning), rows[i].day);
        ck_assert_int_eq(times_of(rows[i].warning), 1);
    }
    ck_assert_int_eq(times_of("reason=key-expir"), 15);
}

START_TEST(three_years)
{
    const apr_time_t end = unit_time("2029-03-01T00:00:00Z");
    int failures = 0;

    begin();
    for (; now < end; now += HOUR / 2) {
        failures += live();
    }
    tell("Server:  %d sign-ins refused in three years", failures);
    check_warnings();
    /* only those that no server could have accepted: C had been activated where nobody could hear of it */
    ck_assert_int_eq(failures, 3);
    ck_assert_str_eq(day_of("reason=signature-key-unknown"), "2027-05-06");
    ck_assert_str_eq(day_of("signed in with certificate B, 1 round"), "2026-08-05");
    ck_assert_str_eq(day_of("signed in with certificate D, 2 rounds"), "2027-11-20");
    ck_assert_str_eq(day_of("signed in with certificate E, 1 round"), "2028-06-01");
    table_free();
}
END_TEST

/* Between the end of a certificate and its replacement nobody notices anything but the log. */
START_TEST(an_expired_certificate_still_verifies)
{
    es_why_t why = ES_WHY_INIT;
    int rounds;

    begin();
    now = unit_time("2027-03-01T00:00:00Z");
    flow.now = now;
    flow.pool = unit_pool;
    refresh();
    warn();
    ck_assert_int_eq(times_of("certificate A has expired"), 1);
    ck_assert_reason(sign_in(&rounds, &why), ES_OK, why);
    ck_assert_int_eq(rounds, 1);
    table_free();
}
END_TEST

Suite *suite_rollover(void)
{
    Suite *suite = suite_create("rollover");
    TCase *tcase = unit_case(suite, "rollover");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, three_years);
    tcase_add_test(tcase, an_expired_certificate_still_verifies);
    return suite;
}
