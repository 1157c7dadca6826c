/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clocks that are set, between any two steps of the story. What is promised:
 *
 *   - Nobody is kept for ever. A session ends by its lifetime, its idle limit and SessionNotOnOrAfter as the clock shows
 *     them; a clock set back lengthens it by as much as it was set back, at most, and by more than an hour ends it.
 *   - Nobody is thrown out by a small step. Back, that is up to an hour; forward, up to what is left of the limits. What
 *     a clock that ran ahead refused is good again when the clock is right.
 *   - A used message is refused whatever the clock shows. A mark lives as long as what it guards.
 *   - A sign-in begun before a step is finished where the step is within the clock skew, and begun anew where the clock
 *     was set back by more; while a clock is wrong by more than a message lives, nobody can sign in.
 */
#include "idp.h"
#include "unit.h"

#include "base/codec.h"
#include "flow/flow.h"
#include "session/pending.h"
#include "session/shm.h"
#include "table_tools.h"

#include <apr_strings.h>

#define SECONDS(n) apr_time_from_sec(n)
#define MINUTES(n) apr_time_from_sec(60 * (n))
#define HOURS(n) apr_time_from_sec(3600 * (n))
#define LIFETIME HOURS(8)
#define IDLE HOURS(1)
#define SKEW SECONDS(180)
#define NAME "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
#define ALICE "<Attribute Name=\"" NAME "\"><AttributeValue>alice@example.com</AttributeValue></Attribute>"

/* A site, its store, and a browser. `noon` is when everything begins. */
static idp_t *idp;
static es_site_t site;
static es_flow_t flow;
static es_seal_key_t key;
static es_shm_t *shm;
static apr_time_t noon;
static const char *session_cookie, *binding_cookie;

static void open_site(void)
{
    const apr_size_t size = 1024 * 1024;
    es_connection_conf_t conf = { .server_name = "app.example.com" };
    void *memory = table_memory(size);
    es_why_t why = ES_WHY_INIT;
    es_connection_t *connection;
    es_metadata_t *metadata;
    es_request_t *request;

    idp = idp_make(unit_pool);
    ck_assert_reason(es_metadata_load(&metadata, idp_metadata(idp, unit_pool), &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_connection_make(&connection, &conf, metadata, &why, unit_pool), ES_OK, why);
    ck_assert_reason(
        es_request_make(&request, metadata->sso_url, connection->entity_id, connection->reply_url, &why, unit_pool),
        ES_OK, why);
    ck_assert(connection->skew == SKEW);
    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    site = (es_site_t){ .connection = connection, .request = request, .keep = 3 * LIFETIME };
    memset(&key, 7, sizeof key);
    noon = unit_time("2026-03-01T12:00:00Z");
    flow = (es_flow_t){ .site = &site, .store = es_shm_store(shm), .key = &key, .now = noon, .pool = unit_pool };
    session_cookie = binding_cookie = "";
}

/* Shows the time to the server; Entra's clock is always right. */
static void clock_shows(apr_time_t now)
{
    flow.now = now;
}

static const char *keep(const char *cookie)
{
    return apr_pstrndup(unit_pool, cookie, strcspn(cookie, ";"));
}

/* The RelayState of a sign-in that begins by the server's clock. */
static const char *begin(void)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    const char *relay_state;

    flow.cookies = binding_cookie;
    ck_assert_reason(es_signon_start(&answer, &flow, "/page", &why), ES_OK, why);
    if (answer.n_cookies > 0) {
        binding_cookie = keep(answer.cookies[0]);
    }
    ck_assert_reason(
        es_codec_form_find(&relay_state, es_bytes_of(strchr(answer.location, '?') + 1), "RelayState", &why, unit_pool),
        ES_OK, why);
    return relay_state;
}

/* What Entra answers to it at a time that is the true one. */
static es_acs_form_t answer_to(const char *relay_state, apr_time_t at, idp_response_t about)
{
    es_why_t why = ES_WHY_INIT;
    es_pending_t *pending;
    es_request_id_t id;

    ck_assert_reason(es_pending_open(&pending, relay_state, &key, &why, unit_pool), ES_OK, why);
    memcpy(id.octet, pending->request_id, sizeof id.octet);
    about.request_id = es_request_id_text(&id, unit_pool);
    about.reply_url = site.connection->reply_url;
    about.audience = site.connection->entity_id;
    about.attributes = ALICE;
    about.now = at;
    return (es_acs_form_t){ idp_response(idp, &about, unit_pool), relay_state };
}

/* ES_OK: a session was made, or the post led to its page without one; *made says which. */
static es_rv_t post(int *made, es_rv_t *restarted, const es_acs_form_t *form)
{
    es_acs_report_t report = { .restarted = ES_OK };
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_rv_t rv;

    flow.cookies = binding_cookie;
    rv = es_acs_accept(&answer, &report, &flow, form, &why);
    *made = rv == ES_OK && report.user != NULL;
    *restarted = report.restarted;
    if (*made) {
        session_cookie = keep(answer.cookies[0]);
        binding_cookie = keep(answer.cookies[1]);
    }
    return rv;
}

static es_acs_form_t sign_in(idp_response_t about)
{
    es_acs_form_t form = answer_to(begin(), flow.now, about);
    es_rv_t restarted;
    int made;

    ck_assert_int_eq(post(&made, &restarted, &form), ES_OK);
    ck_assert(made);
    return form;
}

static es_rv_t resume_at(apr_time_t now)
{
    es_why_t why = ES_WHY_INIT;
    es_session_t session;

    clock_shows(now);
    flow.cookies = session_cookie;
    return es_resume_find(&session, &flow, LIFETIME, IDLE, &why);
}

/* Used every half hour until the clock shows `until`. */
static void use_until(apr_time_t until)
{
    for (apr_time_t at = flow.now; at < until; at += MINUTES(30)) {
        ck_assert_int_eq(resume_at(at), ES_OK);
    }
    ck_assert_int_eq(resume_at(until), ES_OK);
}

START_TEST(small_steps_throw_nobody_out)
{
    static const int minutes[] = { 1, -1, 5, -5, 30, -30, 55, -55, -60, 59, -30, 59, -59 };

    sign_in((idp_response_t){ 0 });
    for (unsigned i = 0; i < sizeof minutes / sizeof *minutes; i++) {
        ck_assert_msg(resume_at(flow.now + MINUTES(minutes[i])) == ES_OK, "after step %u, %d minutes", i, minutes[i]);
    }
}
END_TEST

/* Right after a sign-in, and after a use that was noted by a clock that was ahead. */
START_TEST(set_back_by_hours_ends_sessions)
{
    sign_in((idp_response_t){ 0 });
    ck_assert_int_eq(resume_at(noon - HOURS(1)), ES_OK);
    ck_assert_int_eq(resume_at(noon - HOURS(1) - 1), ES_SESSION_EXPIRED);
    ck_assert_int_eq(resume_at(noon - SECONDS(1)), ES_OK);
    ck_assert_int_eq(resume_at(noon - HOURS(24)), ES_SESSION_EXPIRED);
    ck_assert_int_eq(resume_at(noon), ES_OK); /* the clock is right again */
    use_until(noon + HOURS(4));
    ck_assert_int_eq(resume_at(noon + HOURS(2)), ES_SESSION_IDLE);
    ck_assert_int_eq(resume_at(noon + HOURS(3)), ES_OK);
}
END_TEST

START_TEST(ahead_by_hours_refuses_and_forgets_nothing)
{
    sign_in((idp_response_t){ 0 });
    ck_assert_int_eq(resume_at(noon + HOURS(3)), ES_SESSION_IDLE);
    ck_assert_int_eq(resume_at(noon + HOURS(23)), ES_SESSION_EXPIRED);
    es_shm_tidy(shm, flow.now);
    ck_assert_int_eq(resume_at(noon + MINUTES(10)), ES_OK);
    /* Past the time of its record it may be cleared away. */
    ck_assert_int_eq(resume_at(noon + HOURS(24)), ES_SESSION_NONE);
}
END_TEST

/* Set back by half of every step forward: the lifetime is counted by the clock. */
START_TEST(the_lifetime_ends_whatever_the_clock_does)
{
    apr_time_t used = 0;
    int steps;

    sign_in((idp_response_t){ 0 });
    for (steps = 0; resume_at(flow.now + MINUTES(50)) == ES_OK; steps++) {
        used += MINUTES(50);
        clock_shows(flow.now - MINUTES(25));
        ck_assert_int_lt(steps, 100);
    }
    ck_assert(flow.now >= noon + LIFETIME && used <= 2 * LIFETIME);
    ck_assert_int_ne(resume_at(noon + LIFETIME), ES_OK);
}
END_TEST

START_TEST(an_idle_session_ends_whatever_the_clock_does)
{
    sign_in((idp_response_t){ 0 });
    use_until(noon + HOURS(2));
    /* Nobody comes for an hour, and the clock is set back meanwhile: longer by that, and no more. */
    ck_assert_int_eq(resume_at(noon + HOURS(3)), ES_SESSION_IDLE);
    clock_shows(noon + HOURS(2) - MINUTES(40));
    ck_assert_int_eq(resume_at(noon + HOURS(3)), ES_SESSION_IDLE);
    /* A use by the clock that was set back counts from there: no more than the idle limit of silence. */
    ck_assert_int_eq(resume_at(noon + HOURS(2) - MINUTES(40)), ES_OK);
    ck_assert_int_eq(resume_at(noon + HOURS(3) - MINUTES(40)), ES_SESSION_IDLE);
}
END_TEST

START_TEST(entras_own_end_holds)
{
    sign_in((idp_response_t){ .session_not_on_or_after = noon + HOURS(2) });
    use_until(noon + HOURS(2) - SECONDS(1));
    ck_assert_int_ne(resume_at(noon + HOURS(2)), ES_OK);
    ck_assert_int_ne(resume_at(noon + HOURS(3)), ES_OK);
    /* Before the end by a clock set back, it is the same session, until the same end. */
    ck_assert_int_eq(resume_at(noon + HOURS(2) - MINUTES(50)), ES_OK);
    ck_assert_int_ne(resume_at(noon + HOURS(2)), ES_OK);
}
END_TEST

/* A sign-in is possible while the clock is wrong by the skew at most: a clock further ahead has the answer made before
 * its request, one further behind has it made in the future. So no session begins later than that. */
START_TEST(a_session_made_by_a_wrong_clock_is_no_longer_than_others)
{
    static const int minutes[] = { -60, -4, -3, 0, 3, 4, 60 };
    const apr_time_t wrong = noon + MINUTES(minutes[_i]);
    es_acs_form_t form;
    es_rv_t restarted;
    int made;

    clock_shows(wrong);
    form = answer_to(begin(), noon, (idp_response_t){ 0 });
    if (minutes[_i] > 3 || minutes[_i] < -3) {
        ck_assert_int_eq(post(&made, &restarted, &form), ES_ISSUE_INSTANT);
        return;
    }
    ck_assert_int_eq(post(&made, &restarted, &form), ES_OK);
    ck_assert(made && resume_at(noon + SECONDS(5)) == ES_OK);
    clock_shows(noon);
    use_until(noon + LIFETIME - MINUTES(4));
    ck_assert_int_ne(resume_at(noon + LIFETIME + MINUTES(4)), ES_OK);
}
END_TEST

/* The mark of a sign-in against every clock: a session is made once. */
START_TEST(a_used_message_is_used_whatever_the_clock_shows)
{
    const es_acs_form_t form = sign_in((idp_response_t){ .assertion_id = "_once" });
    const char *first = session_cookie;
    es_acs_form_t again;
    es_rv_t restarted, rv;
    int made;

    for (int minutes = -26 * 60; minutes <= 26 * 60; minutes++) {
        clock_shows(noon + MINUTES(minutes * 7 % (26 * 60)));
        post(&made, &restarted, &form);
        ck_assert_msg(!made, "at %ld minutes", (long)(flow.now - noon) / 60000000);
    }
    ck_assert_ptr_eq(session_cookie, first);
    /* The same assertion as the answer to another request, asked for at each of these times. */
    for (int minutes = -180; minutes <= 180; minutes++) {
        clock_shows(noon + MINUTES(minutes));
        again = answer_to(begin(), noon, (idp_response_t){ .assertion_id = "_once" });
        rv = post(&made, &restarted, &again);
        ck_assert_msg(!made, "at %d minutes", minutes);
        ck_assert(rv == ES_REPLAYED || rv == ES_ISSUE_INSTANT || rv == ES_CONDITIONS_LATE || rv == ES_CONDITIONS_EARLY);
        ck_assert(minutes < -2 || minutes > 2 || rv == ES_REPLAYED);
    }
}
END_TEST

START_TEST(marks_go_when_what_they_guard_is_past)
{
    es_shm_counters_t counters;

    for (int i = 0; i < 20; i++) {
        clock_shows(noon + SECONDS(61 * i));
        sign_in((idp_response_t){ 0 });
    }
    es_shm_count(&counters, shm, noon - HOURS(24)); /* set back, they are only further away */
    ck_assert_uint_eq(counters.marks.used, 40);
    es_shm_count(&counters, shm, noon + HOURS(1));
    ck_assert_uint_eq(counters.marks.used, 40);
    es_shm_count(&counters, shm, flow.now + HOURS(1) + SKEW + SECONDS(1));
    ck_assert_uint_eq(counters.marks.used, 0);
}
END_TEST

/* Begun at noon by the clock; then it is set, and Entra answers a minute later. */
START_TEST(a_sign_in_survives_a_step_or_begins_anew)
{
    static const struct {
        apr_interval_time_t step;
        es_rv_t rv, restarted;
    } cases[] = {
        { 0, ES_OK, ES_OK },
        { MINUTES(2), ES_OK, ES_OK },
        { MINUTES(-2), ES_OK, ES_OK },
        { MINUTES(-4), ES_OK, ES_OK }, /* with the minute that passed, the skew */
        { MINUTES(-5), ES_OK, ES_PENDING_EXPIRED },
        { MINUTES(-45), ES_OK, ES_PENDING_EXPIRED },
        { HOURS(-5), ES_OK, ES_PENDING_EXPIRED },
        { HOURS(-24 * 365), ES_OK, ES_PENDING_EXPIRED },
        { MINUTES(50), ES_OK, ES_OK },
        { HOURS(2), ES_OK, ES_PENDING_EXPIRED },
        { HOURS(24 * 365), ES_OK, ES_PENDING_EXPIRED },
    };
    const char *relay_state = begin();
    const apr_time_t answered = noon + MINUTES(1) + cases[_i].step;
    /* Set back, the clock is right now and was not before; set forward, it was right. */
    es_acs_form_t form =
        answer_to(relay_state, cases[_i].step < 0 ? answered : noon + MINUTES(1), (idp_response_t){ 0 });
    es_rv_t restarted;
    int made;

    clock_shows(answered);
    ck_assert_int_eq(post(&made, &restarted, &form), cases[_i].rv);
    ck_assert_int_eq(restarted, cases[_i].restarted);
    ck_assert_int_eq(made, cases[_i].restarted == ES_OK);
    if (!made && cases[_i].step < 0) { /* Entra remembers the user: nobody notices */
        session_cookie = "";
        sign_in((idp_response_t){ 0 });
        ck_assert_int_eq(resume_at(flow.now + MINUTES(1)), ES_OK);
    }
}
END_TEST

Suite *suite_lifetimes(void)
{
    Suite *suite = suite_create("lifetimes");
    TCase *tcase = unit_case(suite, "lifetimes");

    tcase_add_checked_fixture(tcase, open_site, NULL);
    tcase_add_test(tcase, small_steps_throw_nobody_out);
    tcase_add_test(tcase, set_back_by_hours_ends_sessions);
    tcase_add_test(tcase, ahead_by_hours_refuses_and_forgets_nothing);
    tcase_add_test(tcase, the_lifetime_ends_whatever_the_clock_does);
    tcase_add_test(tcase, an_idle_session_ends_whatever_the_clock_does);
    tcase_add_test(tcase, entras_own_end_holds);
    tcase_add_loop_test(tcase, a_session_made_by_a_wrong_clock_is_no_longer_than_others, 0, 7);
    tcase_add_test(tcase, a_used_message_is_used_whatever_the_clock_shows);
    tcase_add_test(tcase, marks_go_when_what_they_guard_is_past);
    tcase_add_loop_test(tcase, a_sign_in_survives_a_step_or_begins_anew, 0, 11);
    return suite;
}
