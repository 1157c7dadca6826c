/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pending sign-in: sealed and opened again, small enough for a URL, and nobody else's.
 */
#include "unit.h"

#include "base/codec.h"
#include "session/pending.h"

#include <apr_strings.h>

#define SKEW apr_time_from_sec(180)
#define NOW apr_time_from_sec(1700000000)
#define LABEL "entra-saml pending 2"

static es_seal_key_t key;
static es_pending_t pending;

static void open_pending(void)
{
    memset(&key, 0x11, sizeof key);
    memset(&pending, 0, sizeof pending);
    memset(&pending.connection, 0x22, sizeof pending.connection);
    memset(pending.request_id, 0x33, sizeof pending.request_id);
    memset(pending.binding, 0x44, sizeof pending.binding);
    pending.started = NOW + 123456;
    pending.landing = "/page?a=b&c=%20";
}

static const char *seal(void)
{
    es_why_t why = ES_WHY_INIT;
    const char *text;

    ck_assert_reason(es_pending_seal(&text, &pending, &key, &why, unit_pool), ES_OK, why);
    return text;
}

static es_pending_t *reopen(const char *text)
{
    es_why_t why = ES_WHY_INIT;
    es_pending_t *opened;

    ck_assert_reason(es_pending_open(&opened, text, &key, &why, unit_pool), ES_OK, why);
    return opened;
}

START_TEST(opens_what_was_sealed)
{
    for (int round = 0; round < ES_PENDING_ROUNDS; round++) {
        for (int has_session = 0; has_session < 2; has_session++) {
            es_pending_t *opened;

            pending.round = round;
            pending.has_session = has_session;
            pending.is_fresh = round == 1;
            pending.is_passive = round == 2;
            pending.is_mfa = round == has_session;
            pending.is_step_up = round == 2 - has_session;
            pending.is_raising = round == 1;
            memset(&pending.session, 0x55, sizeof pending.session);
            opened = reopen(seal());
            ck_assert(memcmp(&opened->connection, &pending.connection, sizeof pending.connection) == 0);
            ck_assert(memcmp(opened->request_id, pending.request_id, sizeof pending.request_id) == 0);
            ck_assert(memcmp(opened->binding, pending.binding, sizeof pending.binding) == 0);
            ck_assert_int_eq(opened->has_session, has_session);
            ck_assert(!has_session || memcmp(&opened->session, &pending.session, sizeof pending.session) == 0);
            ck_assert(opened->started == NOW);
            ck_assert_int_eq(opened->round, round);
            ck_assert(opened->is_fresh == (round == 1) && opened->is_passive == (round == 2));
            ck_assert(opened->is_mfa == (round == has_session) && opened->is_step_up == (round == 2 - has_session));
            ck_assert(opened->is_raising == (round == 1));
            ck_assert_str_eq(opened->landing, pending.landing);
        }
    }
    pending.landing = "";
    ck_assert_str_eq(reopen(seal())->landing, "");
}
END_TEST

START_TEST(fits_a_url)
{
    char landing[701];
    const char *text;

    memset(landing, 'x', sizeof landing);
    landing[0] = '/';
    landing[700] = '\0';
    pending.landing = landing;
    pending.has_session = 1;
    text = seal();
    ck_assert_uint_eq(strlen(text), 1070);
    ck_assert_uint_eq(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 1070);
    ck_assert_str_eq(reopen(text)->landing, landing);
}
END_TEST

static void expect_unreadable(const char *text)
{
    es_why_t why = ES_WHY_INIT;
    es_pending_t *opened = NULL;

    ck_assert_reason(es_pending_open(&opened, text, &key, &why, unit_pool), ES_PENDING_UNREADABLE, why);
    ck_assert_ptr_null(opened);
}

/* Seals any octets as if they were a pending sign-in. */
static const char *seal_octets(const void *octets, apr_size_t len, const char *label)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t sealed;

    ck_assert_reason(es_crypto_seal(&sealed, es_bytes(octets, len), label, &key, &why, unit_pool), ES_OK, why);
    return es_codec_base64url_encode(sealed, unit_pool);
}

START_TEST(opens_nothing_else)
{
    const char *text = seal();
    unsigned char octets[100] = { 0 };

    expect_unreadable(NULL);
    expect_unreadable("");
    expect_unreadable("/page");
    expect_unreadable("https://app.example.com/page");
    expect_unreadable("AAAA");
    expect_unreadable(apr_pstrcat(unit_pool, text, "=", NULL));
    expect_unreadable(apr_pstrndup(unit_pool, text, strlen(text) - 4));
    for (apr_size_t i = 0; i < strlen(text); i++) {
        char *changed = apr_pstrdup(unit_pool, text);

        changed[i] = changed[i] == 'A' ? 'Q' : 'A';
        expect_unreadable(changed);
    }
    expect_unreadable(memset(apr_pcalloc(unit_pool, 4098), 'A', 4097));
    key.octet[5] ^= 1;
    expect_unreadable(text);
    key.octet[5] ^= 1;
    /* Our seal over something else: another layout, cut short, a NUL, flags that are none, a round too many. */
    octets[60] = '/';
    ck_assert_str_eq(reopen(seal_octets(octets, 54, LABEL))->landing, "");
    expect_unreadable(seal_octets(octets, 54, "entra-saml pending 1"));
    expect_unreadable(seal_octets(octets, 53, LABEL));
    expect_unreadable(seal_octets(octets, 55, LABEL));
    octets[1] = 4; /* a session, cut short */
    expect_unreadable(seal_octets(octets, 85, LABEL));
    octets[1] = 0;
    octets[0] = 1; /* something kept, cut short */
    expect_unreadable(seal_octets(octets, 86, LABEL));
    octets[0] = 2;
    expect_unreadable(seal_octets(octets, 54, LABEL));
    octets[0] = 0;
    octets[1] = 3;
    expect_unreadable(seal_octets(octets, 54, LABEL));
}
END_TEST

START_TEST(lives_an_hour)
{
    static const struct {
        apr_time_t age;
        es_rv_t rv;
    } cases[] = {
        { 0, ES_OK },     { ES_PENDING_LIFETIME, ES_OK },    { ES_PENDING_LIFETIME + 1, ES_PENDING_EXPIRED },
        { -SKEW, ES_OK }, { -SKEW - 1, ES_PENDING_EXPIRED },
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        es_why_t why = ES_WHY_INIT;

        pending.started = NOW - cases[i].age;
        ck_assert_reason(es_pending_check_age(&pending, SKEW, NOW, &why), cases[i].rv, why);
    }
}
END_TEST

Suite *suite_pending(void)
{
    Suite *suite = suite_create("pending");
    TCase *tcase = unit_case(suite, "pending");

    tcase_add_checked_fixture(tcase, open_pending, NULL);
    tcase_add_test(tcase, opens_what_was_sealed);
    tcase_add_test(tcase, fits_a_url);
    tcase_add_test(tcase, opens_nothing_else);
    tcase_add_test(tcase, lives_an_hour);
    return suite;
}
