/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A subject's sessions: found without looking at anybody else's, told apart from those of another, ended.
 */
#include "unit.h"

#include "flow/subject.h"
#include "session/shm.h"
#include "table_tools.h"

#include <pthread.h>

#define SECONDS(n) apr_time_from_sec(n)
#define NOW SECONDS(1700000000)
#define TENANT "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"

static es_shm_t *shm;
static es_flow_t flow;

static void open_store(void)
{
    apr_size_t size = 4 * 1024 * 1024;
    void *memory = table_memory(size);
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    flow = (es_flow_t){ .store = es_shm_store(shm), .now = NOW, .pool = unit_pool };
}

/* Who signs in; NULL: the assertion does not say. */
typedef struct {
    const char *tenant, *object, *name_id, *index;
    unsigned char connection;
} who_t;

static es_session_t record_of(const who_t *who)
{
    const char *const tenant[] = { who->tenant }, *const object[] = { who->object };
    es_claim_t claims[2];
    es_session_new_t fresh = { .created = flow.now,
                               .user = "user",
                               .name_id = who->name_id ? who->name_id : "",
                               .name_id_format = "",
                               .session_index = who->index ? who->index : "",
                               .claims = claims };
    es_why_t why = ES_WHY_INIT;
    es_session_t session;
    es_bytes_t record;

    fresh.connection.octet[0] = who->connection;
    if (who->tenant) {
        claims[fresh.n_claims++] = (es_claim_t){ es_claims_find("tenantid"), "", "tenantid", 1, tenant };
    }
    if (who->object) {
        claims[fresh.n_claims++] =
            (es_claim_t){ es_claims_find("objectidentifier"), "", "objectidentifier", 1, object };
    }
    ck_assert_reason(es_session_pack(&record, &fresh, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_session_read(&session, record, &why), ES_OK, why);
    return session;
}

static void sign_in(unsigned number, const who_t *who)
{
    es_session_t session = record_of(who);
    es_hash_t key = table_key(number), subjects[ES_SUBJECTS];
    es_why_t why = ES_WHY_INIT;
    int n = es_subject_all(subjects, &session);

    ck_assert_reason(
        flow.store->insert(flow.store, &key, session.record, subjects, n, NOW + SECONDS(28800), flow.now, &why), ES_OK,
        why);
}

static int is_there(unsigned number)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;

    ck_assert_reason(flow.store->find(&stored, flow.store, &key, flow.now, &why, flow.pool), ES_OK, why);
    return stored.record.data != NULL;
}

static void use(unsigned number)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;

    ck_assert_reason(flow.store->find(&stored, flow.store, &key, flow.now, &why, unit_pool), ES_OK, why);
    flow.store->touch(flow.store, &key, &stored, flow.now);
}

static int end(const who_t *who, es_subject_kind_t kind, int most, const es_hash_t *kept)
{
    es_session_t session = record_of(who);
    es_why_t why = ES_WHY_INIT;
    es_hash_t subject;
    int ended = -1;

    ck_assert(es_subject_of(&subject, kind, &session));
    ck_assert_reason(es_subject_end(&ended, &flow, kind, &subject, NULL, most, kept, &why), ES_OK, why);
    return ended;
}

static const who_t ada = { TENANT, "ada", "ada@example.com", "_1", 1 };

START_TEST(subjects_differ_in_everything_they_are_made_of)
{
    static const who_t others[] = {
        { TENANT "x", "ada", "ada@example.com/", "_12", 1 }, { TENANT, "ada2", "Ada@example.com", "_2", 1 },
        { TENANT, "ada", "ada@example.com", "_1", 2 },       { "7f3a1c52", "ada", "", "", 1 },
        { "ada", TENANT, "_1", "ada@example.com", 1 },
    };
    es_session_t session = record_of(&ada);
    es_hash_t mine[ES_SUBJECTS], theirs;

    ck_assert_int_eq(es_subject_all(mine, &session), 3);
    ck_assert(memcmp(&mine[0], &mine[1], sizeof mine[0]) && memcmp(&mine[1], &mine[2], sizeof mine[0]));
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
        session = record_of(&others[i]);
        for (int kind = 0; kind < ES_SUBJECTS; kind++) {
            for (int k = 0; es_subject_of(&theirs, (es_subject_kind_t)kind, &session) && k < ES_SUBJECTS; k++) {
                ck_assert_msg(memcmp(&theirs, &mine[k], sizeof theirs) != 0, "of %u, kind %d is kind %d of ada", i,
                              kind, k);
            }
        }
    }
}
END_TEST

START_TEST(what_is_not_said_is_no_subject)
{
    static const who_t whos[] = { { NULL, "ada", NULL, NULL, 1 },
                                  { TENANT, NULL, NULL, NULL, 1 },
                                  { "", "ada", "", "", 1 },
                                  { TENANT, "", "", "", 1 } };
    es_hash_t subjects[ES_SUBJECTS];

    for (unsigned i = 0; i < sizeof whos / sizeof *whos; i++) {
        es_session_t session = record_of(&whos[i]);

        ck_assert_int_eq(es_subject_all(subjects, &session), 0);
    }
}
END_TEST

START_TEST(ends_all_of_a_subject_and_nobody_elses)
{
    const who_t again = { TENANT, "ada", "ada@example.com", "_2", 1 };
    const who_t elsewhere = { TENANT, "ada", "ada@example.com", "_1", 2 };
    const who_t ben = { TENANT, "ben", "ben@example.com", "_3", 1 };

    open_store();
    sign_in(1, &ada);
    sign_in(2, &again);
    sign_in(3, &elsewhere);
    sign_in(4, &ben);
    ck_assert_int_eq(end(&ada, ES_SUBJECT_SESSION_INDEX, 0, NULL), 1);
    ck_assert(!is_there(1) && is_there(2) && is_there(3) && is_there(4));
    ck_assert_int_eq(end(&ada, ES_SUBJECT_SESSION_INDEX, 0, NULL), 0);
    sign_in(1, &ada);
    ck_assert_int_eq(end(&ada, ES_SUBJECT_NAME_ID, 0, NULL), 2);
    ck_assert(!is_there(1) && !is_there(2) && is_there(3) && is_there(4));
    sign_in(1, &ada);
    sign_in(2, &again);
    ck_assert_int_eq(end(&again, ES_SUBJECT_USER, 0, NULL), 2);
    ck_assert(!is_there(1) && !is_there(2) && is_there(3) && is_there(4));
}
END_TEST

START_TEST(keeps_those_used_last)
{
    es_hash_t kept = table_key(1);

    open_store();
    for (unsigned n = 1; n <= 5; n++, flow.now += SECONDS(10)) {
        sign_in(n, &ada);
    }
    use(2);
    ck_assert_int_eq(end(&ada, ES_SUBJECT_USER, 5, NULL), 0);
    ck_assert_int_eq(end(&ada, ES_SUBJECT_USER, 4, NULL), 1);
    ck_assert(!is_there(1) && is_there(2) && is_there(3) && is_there(4) && is_there(5));
    ck_assert_int_eq(end(&ada, ES_SUBJECT_USER, 2, NULL), 2);
    ck_assert(is_there(2) && !is_there(3) && !is_there(4) && is_there(5));
    flow.now -= SECONDS(3000); /* made after a clock was set back, the new session looks the oldest */
    sign_in(1, &ada);
    ck_assert_int_eq(end(&ada, ES_SUBJECT_USER, 1, &kept), 2);
    ck_assert(is_there(1) && !is_there(2) && !is_there(5));
}
END_TEST

/* The store lists by fingerprint; a record that says somebody else stays. */
/* Two sign-ins at once, both in the table before either counts: for each the same one must go, whoever counts first. */
START_TEST(of_two_at_once_one_stays)
{
    int first;

    for (first = 1; first <= 2; first++) {
        es_hash_t older, younger;

        open_store();
        sign_in(1, &ada);
        flow.now += 1000;
        sign_in(2, &ada);
        older = table_key(1);
        younger = table_key(2);
        end(&ada, ES_SUBJECT_USER, 1, first == 1 ? &older : &younger);
        end(&ada, ES_SUBJECT_USER, 1, first == 1 ? &younger : &older);
        ck_assert(!is_there(1));
        ck_assert(is_there(2));
    }
}
END_TEST

/* In the same microsecond too; and of three, two of which may stay. */
START_TEST(of_several_at_once_the_same_stay)
{
    es_hash_t key[4];
    unsigned i, left = 0;

    open_store();
    for (i = 1; i <= 3; i++) {
        key[i] = table_key(i);
        sign_in(i, &ada);
    }
    for (i = 1; i <= 3; i++) {
        end(&ada, ES_SUBJECT_USER, 2, &key[i]);
    }
    for (i = 1; i <= 3; i++) {
        left += (unsigned)is_there(i);
    }
    ck_assert_uint_eq(left, 2);
}
END_TEST

/* A session "from the future", made before the clock was set back, does not keep its user from signing in. */
START_TEST(a_future_session_gives_way)
{
    es_hash_t ours = table_key(2);

    open_store();
    flow.now += SECONDS(600);
    sign_in(1, &ada);
    flow.now -= SECONDS(600);
    sign_in(2, &ada);
    ck_assert_int_eq(end(&ada, ES_SUBJECT_USER, 1, &ours), 1);
    ck_assert(is_there(2));
}
END_TEST

START_TEST(a_false_hit_ends_nobody)
{
    const who_t ben = { TENANT, "ben", "ben@example.com", "_3", 1 };
    es_session_t adas = record_of(&ada), bens = record_of(&ben);
    es_hash_t key = table_key(4), subject;
    es_why_t why = ES_WHY_INIT;
    es_listed_t *listed;
    int n;

    open_store();
    sign_in(1, &ada);
    ck_assert(es_subject_of(&subject, ES_SUBJECT_USER, &adas));
    ck_assert_reason(flow.store->insert(flow.store, &key, bens.record, &subject, 1, NOW + SECONDS(28800), NOW, &why),
                     ES_OK, why);
    key = table_key(5);
    ck_assert_reason(
        flow.store->insert(flow.store, &key, es_bytes_of("no record"), &subject, 1, NOW + SECONDS(28800), NOW, &why),
        ES_OK, why);
    ck_assert_reason(flow.store->list(&listed, &n, flow.store, &subject, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(n, 3);
    ck_assert_int_eq(end(&ada, ES_SUBJECT_USER, 0, NULL), 1);
    ck_assert(!is_there(1) && is_there(4) && is_there(5));
}
END_TEST

START_TEST(the_expired_are_not_listed)
{
    es_session_t session = record_of(&ada);
    es_why_t why = ES_WHY_INIT;
    es_listed_t *listed;
    es_hash_t subject;
    int n;

    open_store();
    sign_in(1, &ada);
    ck_assert(es_subject_of(&subject, ES_SUBJECT_USER, &session));
    ck_assert_reason(flow.store->list(&listed, &n, flow.store, &subject, NOW + SECONDS(28800) - 1, &why, unit_pool),
                     ES_OK, why);
    ck_assert_int_eq(n, 1);
    ck_assert_reason(flow.store->list(&listed, &n, flow.store, &subject, NOW + SECONDS(28800), &why, unit_pool), ES_OK,
                     why);
    ck_assert_int_eq(n, 0);
}
END_TEST

#define SIGN_INS 3000
#define SIGNERS 3

/* A sign-out of everywhere beside sign-ins of the same user. Check's assertions belong to the main thread, so the others
 * count. */
typedef struct {
    es_bytes_t record;
    es_hash_t subjects[ES_SUBJECTS];
    int n_subjects;
    unsigned number;       /* of the thread */
    _Atomic unsigned done; /* sign-ins that are complete */
    es_why_t why;          /* the first that failed */
} signer_t;

static void *sign_in_all_the_time(void *baton)
{
    signer_t *signer = baton;

    for (unsigned n = 0; n < SIGN_INS; n++) {
        es_hash_t key = table_key(signer->number * SIGN_INS + n);

        flow.store->insert(flow.store, &key, signer->record, signer->subjects, signer->n_subjects, NOW + SECONDS(28800),
                           NOW, &signer->why);
        signer->done++;
    }
    return NULL;
}

/* Sessions whose sign-in was complete before the sign-out began, and which are there after it. */
static unsigned survivors(const signer_t *signer, unsigned from, unsigned done)
{
    unsigned found = 0;

    for (; from < done; from++) {
        found += is_there(signer->number * SIGN_INS + from);
    }
    return found;
}

START_TEST(a_sign_out_beside_sign_ins)
{
    es_session_t session = record_of(&ada);
    apr_pool_t *main_pool = unit_pool;
    signer_t signers[SIGNERS];
    pthread_t threads[SIGNERS];
    es_shm_counters_t counters;
    unsigned seen[SIGNERS] = { 0 }, done[SIGNERS], going;
    es_hash_t subject;
    int ended = 0;

    open_store();
    ck_assert(es_subject_of(&subject, (es_subject_kind_t)_i, &session));
    for (unsigned i = 0; i < SIGNERS; i++) {
        signers[i] = (signer_t){ .record = session.record, .number = i, .why = ES_WHY_INIT };
        signers[i].n_subjects = es_subject_all(signers[i].subjects, &session);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_in_all_the_time, &signers[i]), 0);
    }
    do {
        es_why_t why = ES_WHY_INIT;
        int now_ended = 0;

        apr_pool_create(&flow.pool, main_pool);
        going = 0;
        for (unsigned i = 0; i < SIGNERS; i++) {
            done[i] = signers[i].done;
            going += done[i] < SIGN_INS;
        }
        ck_assert_reason(es_subject_end(&now_ended, &flow, (es_subject_kind_t)_i, &subject, NULL, 0, NULL, &why), ES_OK,
                         why);
        ended += now_ended;
        for (unsigned i = 0; i < SIGNERS; i++) {
            ck_assert_uint_eq(survivors(&signers[i], seen[i], done[i]), 0);
            seen[i] = done[i];
        }
        apr_pool_destroy(flow.pool);
    } while (going);
    for (unsigned i = 0; i < SIGNERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_reason(signers[i].why.rv, ES_OK, signers[i].why);
    }
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_eq((apr_uint64_t)ended + counters.table.evicted, SIGNERS * SIGN_INS);
    ck_assert_uint_eq(counters.table.records, 0);
}
END_TEST

Suite *suite_subject(void)
{
    Suite *suite = suite_create("subject");
    TCase *subject = unit_case(suite, "subject");

    tcase_add_test(subject, subjects_differ_in_everything_they_are_made_of);
    tcase_add_test(subject, what_is_not_said_is_no_subject);
    tcase_add_test(subject, ends_all_of_a_subject_and_nobody_elses);
    tcase_add_test(subject, keeps_those_used_last);
    tcase_add_test(subject, of_two_at_once_one_stays);
    tcase_add_test(subject, of_several_at_once_the_same_stay);
    tcase_add_test(subject, a_future_session_gives_way);
    tcase_add_test(subject, a_false_hit_ends_nobody);
    tcase_add_test(subject, the_expired_are_not_listed);
    tcase_add_loop_test(subject, a_sign_out_beside_sign_ins, 0, ES_SUBJECTS);
    return suite;
}
