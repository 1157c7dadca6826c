/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session record, its judgement, and the token.
 */
#include "unit.h"

#include "base/crypto.h"
#include "session/session.h"

#include <apr_strings.h>
#include <stdlib.h>

#define NOW apr_time_from_sec(1700000000)
#define HOUR apr_time_from_sec(3600)

static es_session_new_t fresh;
static es_claim_t claims[8];

static const char *const groups[] = { "9d2f1c3e-0000-4000-8000-000000000003", "1A2f1c3e-0000-4000-8000-000000000001",
                                      "5b2f1c3e-0000-4000-8000-000000000002" };
static const char *const odd[] = { "b;c", "a\\d", "", "B;C", "a" };
static const char *const one[] = { "ada@example.com" };

/* A sign-in of three claims: several values, one value, a name of its own. */
static void open_fresh(void)
{
    memset(&fresh, 0, sizeof fresh);
    memset(&fresh.connection, 0x5c, sizeof fresh.connection);
    fresh.created = NOW;
    fresh.authenticated = NOW - HOUR;
    fresh.ends = 0;
    fresh.user = "ada@example.com";
    fresh.name_id = "pairwise";
    fresh.name_id_format = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
    fresh.session_index = "_index";
    claims[0] = (es_claim_t){ 12, "uri:groups", "groups", 3, groups };
    claims[1] = (es_claim_t){ 10, "uri:name", "name", 1, one };
    claims[2] = (es_claim_t){ 0, "https://example.com/odd", "odd", 5, odd };
    fresh.claims = claims;
    fresh.n_claims = 3;
}

static es_bytes_t pack(void)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t record;

    ck_assert_reason(es_session_pack(&record, &fresh, &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq((apr_uintptr_t)record.data % 8, 0);
    return record;
}

static es_session_t read_back(es_bytes_t record)
{
    es_why_t why = ES_WHY_INIT;
    es_session_t session;

    ck_assert_reason(es_session_read(&session, record, &why), ES_OK, why);
    return session;
}

START_TEST(reads_what_was_packed)
{
    es_session_t session = read_back(pack());
    es_session_claim_t claim;

    ck_assert(memcmp(&session.connection, &fresh.connection, sizeof session.connection) == 0);
    ck_assert(session.created == NOW && session.authenticated == NOW - HOUR && session.ends == 0);
    ck_assert_str_eq(session.user, fresh.user);
    ck_assert_str_eq(session.name_id, fresh.name_id);
    ck_assert_str_eq(session.name_id_format, fresh.name_id_format);
    ck_assert_str_eq(session.session_index, fresh.session_index);
    ck_assert_int_eq(session.n_claims, 3);
    es_session_claim(&claim, &session, 1);
    ck_assert_uint_eq(claim.id, 10);
    ck_assert_str_eq(claim.joined, "ada@example.com");
    ck_assert_uint_eq(claim.joined_len, 15);
    ck_assert_int_eq(claim.count, 1);
    ck_assert_uint_eq(claim.sorted[0], 0);
    ck_assert(*claim.name == '\0' && *claim.short_name == '\0');
    es_session_claim(&claim, &session, 2);
    ck_assert_uint_eq(claim.id, 0);
    ck_assert_str_eq(claim.name, "https://example.com/odd");
    ck_assert_str_eq(claim.short_name, "odd");
    ck_assert_str_eq(claim.joined, "b\\;c;a\\\\d;;B\\;C;a");
    ck_assert_uint_eq(claim.joined_len, strlen(claim.joined));
}
END_TEST

START_TEST(sorts_the_values)
{
    es_session_t session = read_back(pack());
    es_session_claim_t claim;

    es_session_claim(&claim, &session, 0);
    ck_assert_int_eq(claim.count, 3);
    ck_assert(strncmp(claim.joined + claim.sorted[0], groups[1], 36) == 0);
    ck_assert(strncmp(claim.joined + claim.sorted[1], groups[2], 36) == 0);
    ck_assert(strncmp(claim.joined + claim.sorted[2], groups[0], 36) == 0);
    es_session_claim(&claim, &session, 2);
    for (int i = 1; i < claim.count; i++) {
        ck_assert_int_lt(es_session_compare(claim.joined + claim.sorted[i - 1], claim.joined + claim.sorted[i]), 0);
    }
    ck_assert_int_eq(claim.joined[claim.sorted[0]], ';'); /* the empty value */
}
END_TEST

START_TEST(finds_by_number_and_by_name)
{
    es_session_t session = read_back(pack());
    es_session_claim_t claim;

    ck_assert(es_session_find(&claim, &session, 10, "name") && claim.id == 10);
    ck_assert(es_session_find(&claim, &session, 12, NULL) && claim.count == 3);
    ck_assert(es_session_find(&claim, &session, 0, "odd") && claim.count == 5);
    ck_assert(es_session_find(&claim, &session, 0, "https://example.com/odd"));
    ck_assert(!es_session_find(&claim, &session, 11, "odd"));
    ck_assert(!es_session_find(&claim, &session, 0, "groups")); /* a number has its number */
    ck_assert(!es_session_find(&claim, &session, 0, ""));
}
END_TEST

/* Beside a NameID format that is a number, and one that is a text. */
START_TEST(knows_what_was_asked_for)
{
    unsigned asked;

    for (asked = 0; asked <= ES_SESSION_ASKED_ALL; asked++) {
        es_session_t session;

        fresh.asked = asked;
        fresh.name_id_format = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
        session = read_back(pack());
        ck_assert_uint_eq(session.asked, asked);
        ck_assert_str_eq(session.name_id_format, fresh.name_id_format);
        fresh.name_id_format = "urn:example:format";
        session = read_back(pack());
        ck_assert_uint_eq(session.asked, asked);
        ck_assert_str_eq(session.name_id_format, fresh.name_id_format);
    }
}
END_TEST

START_TEST(packs_extremes)
{
    static const char *const empty[] = { "" };
    es_session_t session;
    es_session_claim_t claim;
    char format[] = "urn:example:format";

    fresh.n_claims = 0;
    fresh.user = fresh.name_id = fresh.name_id_format = fresh.session_index = "";
    fresh.authenticated = -5;
    fresh.ends = APR_INT64_MAX;
    session = read_back(pack());
    ck_assert_int_eq(session.n_claims, 0);
    ck_assert(*session.user == '\0' && *session.name_id_format == '\0');
    ck_assert(session.authenticated == 0 && session.ends > NOW);

    claims[0] = (es_claim_t){ 0, "n", "s", 1, empty };
    fresh.n_claims = 1;
    fresh.user = "a;b\\c";
    fresh.name_id_format = format;
    session = read_back(pack());
    es_session_claim(&claim, &session, 0);
    ck_assert(*claim.joined == '\0' && claim.count == 1 && claim.sorted[0] == 0);
    ck_assert_str_eq(session.user, "a;b\\c");
    ck_assert_str_eq(session.name_id_format, format);
}
END_TEST

static const char *const *many(int count, const char *prefix)
{
    const char **values = apr_palloc(unit_pool, (apr_size_t)count * sizeof *values);

    for (int i = 0; i < count; i++) {
        values[i] = apr_psprintf(unit_pool, "%s%08x-5717-4562-b3fc-2c963f66afa6", prefix, (unsigned)random());
    }
    return values;
}

START_TEST(refuses_what_is_too_large)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t record = { NULL, 0 };
    int count;

    claims[0].values = many(30000, "");
    for (count = 20000; count < 30000; count += 100) {
        claims[0].count = count;
        if (es_session_pack(&record, &fresh, &why, unit_pool) != ES_OK) {
            break;
        }
        ck_assert_uint_le(record.len, 1024 * 1024);
    }
    ck_assert_reason(why.rv, ES_RECORD_TOO_LARGE, why);
    ck_assert_uint_gt(record.len, 1024 * 1024 - 100 * 41 - 8);
    ck_assert_int_eq(read_back(record).n_claims, 3);
}
END_TEST

/* What Entra sends by default for a user with so many groups. */
static apr_size_t size_with_groups(int count)
{
    static const char *const values[][2] = {
        { "Xq3nBzk6gzQW8Y3sL0JqfYx3xTgkYdBKsl8mJnqxR5s" },
        { "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34" },
        { "2f0e7d1c-53a6-4f1b-9d52-0c1b8a7e6d54" },
        { "Ada Lovelace" },
        { "https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/" },
        { "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password",
          "http://schemas.microsoft.com/claims/multipleauthn" },
        { "Ada" },
        { "Lovelace" },
        { "ada.lovelace@contoso.onmicrosoft.com" },
        { "ada.lovelace@contoso.onmicrosoft.com" },
    };
    es_claim_t entra[11];

    for (unsigned i = 0; i < 10; i++) {
        entra[i] = (es_claim_t){ i + 1, "", "", i == 5 ? 2 : 1, values[i] };
    }
    entra[10] = (es_claim_t){ 12, "", "", count, many(count, "") };
    fresh.claims = entra;
    fresh.n_claims = 11;
    fresh.user = "ada.lovelace@contoso.onmicrosoft.com";
    fresh.name_id = values[0][0];
    fresh.session_index = "_d1f2a3b4-c5d6-4e7f-8091-a2b3c4d5e600";
    return pack().len;
}

START_TEST(takes_as_little_as_promised)
{
    ck_assert_uint_le(size_with_groups(5), 912); /* four blocks of the table */
    ck_assert_uint_le(size_with_groups(150), 7392);
}
END_TEST

/* Every single octet changed, and many random changes: refused, or safe to read to the last value. */
static void read_all(es_bytes_t record)
{
    es_why_t why = ES_WHY_INIT;
    es_session_t session;
    es_session_claim_t claim;
    apr_size_t sum = 0;

    if (es_session_read(&session, record, &why) != ES_OK) {
        ck_assert_reason(why.rv, ES_RECORD_INVALID, why);
        return;
    }
    sum +=
        strlen(session.user) + strlen(session.name_id) + strlen(session.name_id_format) + strlen(session.session_index);
    for (int i = 0; i < session.n_claims; i++) {
        es_session_claim(&claim, &session, i);
        sum += strlen(claim.name) + strlen(claim.short_name) + strlen(claim.joined);
        for (int j = 0; j < claim.count; j++) {
            sum += (apr_size_t)(es_session_compare(claim.joined + claim.sorted[j], "5b2f") + 1);
        }
    }
    es_session_find(&claim, &session, 0, "odd");
    es_session_judge(&session, &fresh.connection, NOW, NOW, HOUR, HOUR, &why);
    ck_assert_uint_lt(sum, 4 * record.len * (apr_size_t)(session.n_claims + 4));
}

/* A copy without an octet to spare behind it, so that ASan sees what leads outside. */
static void read_changed(es_bytes_t record, apr_size_t len, int changes)
{
    unsigned char *data = malloc(len ? len : 1);

    ck_assert_ptr_nonnull(data);
    memcpy(data, record.data, len);
    for (int i = 0; i < changes; i++) {
        data[(apr_size_t)random() % len] = (unsigned char)(random() % 3   ? random() % 256
                                                           : random() % 2 ? 0xff
                                                                          : random() % 8);
    }
    read_all(es_bytes(data, len));
    free(data);
}

START_TEST(refuses_or_survives_any_change)
{
    es_bytes_t record = pack();

    srandom(7);
    for (apr_size_t len = 0; len < record.len; len++) {
        read_changed(record, len, 0);
    }
    for (int i = 0; i < 60000; i++) {
        read_changed(record, record.len, 1 + i % 4);
    }
}
END_TEST

START_TEST(refuses_another_layout)
{
    es_bytes_t record = pack();
    unsigned char *data = apr_pmemdup(unit_pool, record.data, record.len + 0);
    es_why_t why = ES_WHY_INIT;
    es_session_t session;

    data[0] ^= 2; /* the version */
    ck_assert_reason(es_session_read(&session, es_bytes(data, record.len), &why), ES_RECORD_INVALID, why);
    data[0] ^= 2;
    why.rv = ES_OK;
    ck_assert_reason(es_session_read(&session, es_bytes(data, record.len - 8), &why), ES_RECORD_INVALID, why);
    why.rv = ES_OK;
    ck_assert_reason(es_session_read(&session, es_bytes(NULL, 0), &why), ES_RECORD_INVALID, why);
}
END_TEST

START_TEST(compares_folded_first)
{
    ck_assert_int_eq(es_session_compare("a", "a"), 0);
    ck_assert_int_eq(es_session_compare("a;x", "a"), 0);
    ck_assert_int_lt(es_session_compare("", "a"), 0);
    ck_assert_int_lt(es_session_compare(";b", "a"), 0);
    ck_assert_int_lt(es_session_compare("a", "ab"), 0);
    ck_assert_int_lt(es_session_compare("A", "a"), 0); /* alike but for case: the octets */
    ck_assert_int_lt(es_session_compare("a", "B"), 0); /* case counts only then */
    ck_assert_int_lt(es_session_compare("Ab", "aC"), 0);
    ck_assert_int_gt(es_session_compare("aB", "AB"), 0);
    ck_assert_int_lt(es_session_compare("a\\;b", "a\\;c"), 0);
    ck_assert_int_gt(es_session_compare("a\\;b", "a;z"), 0);
    ck_assert_int_eq(es_session_compare("a\\\\;b", "a\\\\"), 0); /* an escaped backslash ends before ';' */
    ck_assert_int_lt(es_session_compare("z", "\xc3\xa4"), 0);    /* octets above ASCII are not negative */
    ck_assert_int_gt(es_session_compare("\xc3\xa4", "\xc3\x84"), 0);
    ck_assert_int_lt(es_session_compare("a\\xB;c", "a\\xb"), 0); /* nothing but a separator is escaped for long */
    ck_assert_int_gt(es_session_compare("a\\x;b", "a\\;x"), 0);
    ck_assert_int_eq(es_session_compare_folded("aB;x", "Ab;y"), 0);
    ck_assert_int_eq(es_session_compare_folded("A\\;b", "a\\;B"), 0);
    ck_assert_int_lt(es_session_compare_folded("A\\;b", "a\\;BC"), 0);
    ck_assert_int_gt(es_session_compare_folded("b", "A"), 0);
}
END_TEST

START_TEST(escapes)
{
    ck_assert_str_eq(es_session_escape("", unit_pool), "");
    ck_assert_str_eq(es_session_escape("plain", unit_pool), "plain");
    ck_assert_str_eq(es_session_escape(";a\\b;", unit_pool), "\\;a\\\\b\\;");
}
END_TEST

/* Header injection: C0 and DEL in a value never reach what the environment carries. NameID, which no header sees, and
 * which Entra must recognise, stays as it is beside a claim that says the same. */
/* What was packed comes back; a record that ends in the middle of an escape is read to its end and no further. */
START_TEST(takes_values_apart)
{
    static const char *const sent[] = { "plain", "with;semicolon", "back\\slash\\", "", "last;" };
    const es_claim_t claim = { 0, "http://x/y", "y", 5, sent };
    const es_session_new_t made = {
        .user = "u", .name_id = "", .name_id_format = "", .session_index = "", .n_claims = 1, .claims = &claim
    };
    const es_session_claim_t cut = { .joined = "a;b\\", .joined_len = 4, .count = 2 };
    const apr_array_header_t *values;
    es_session_claim_t found;
    es_session_t session;
    es_bytes_t record;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_session_pack(&record, &made, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_session_read(&session, record, &why), ES_OK, why);
    ck_assert(es_session_find(&found, &session, 0, "y"));
    values = es_session_values(&found, unit_pool);
    ck_assert_int_eq(values->nelts, 5);
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(APR_ARRAY_IDX(values, i, const char *), sent[i]);
    }
    values = es_session_values(&cut, unit_pool);
    ck_assert_int_eq(values->nelts, 2);
    ck_assert_str_eq(APR_ARRAY_IDX(values, 1, const char *), "b\\");
}
END_TEST

START_TEST(control_characters_become_blanks)
{
    static const char *const lines[] = { "Doe\r\nX-Forged: yes" };
    es_session_claim_t claim;
    es_session_t session;
    char octet[4] = "a?b";

    for (int c = 1; c < 256; c++) {
        octet[1] = (char)c;
        if (c < 0x20 || c == 0x7f) {
            ck_assert_str_eq(es_session_escape(octet, unit_pool), "a b");
        } else if (c != ';' && c != '\\') {
            ck_assert_str_eq(es_session_escape(octet, unit_pool), octet);
        }
    }
    claims[1].values = lines;
    fresh.name_id = lines[0];
    session = read_back(pack());
    es_session_claim(&claim, &session, 1);
    ck_assert_str_eq(claim.joined, "Doe  X-Forged: yes");
    ck_assert_str_eq(session.name_id, lines[0]);
}
END_TEST

static es_rv_t judge(apr_time_t created, apr_time_t ends, apr_time_t last_used, apr_time_t now)
{
    es_why_t why = ES_WHY_INIT;
    es_session_t session;

    memset(&session, 0, sizeof session);
    session.connection = fresh.connection;
    session.created = created;
    session.ends = ends;
    return es_session_judge(&session, &fresh.connection, last_used, now, 8 * HOUR, HOUR, &why);
}

START_TEST(judges_at_the_limits)
{
    es_session_t session = read_back(pack());
    es_connection_id_t other = fresh.connection;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_session_judge(&session, &fresh.connection, NOW, NOW, HOUR, HOUR, &why), ES_OK, why);
    other.octet[15] ^= 1;
    ck_assert_reason(es_session_judge(&session, &other, NOW, NOW, HOUR, HOUR, &why), ES_SESSION_FOREIGN, why);

    ck_assert_int_eq(judge(NOW - 8 * HOUR + 1, 0, NOW, NOW), ES_OK);
    ck_assert_int_eq(judge(NOW - 8 * HOUR, 0, NOW, NOW), ES_SESSION_EXPIRED);
    ck_assert_int_eq(judge(NOW - HOUR, NOW + 1, NOW, NOW), ES_OK);
    ck_assert_int_eq(judge(NOW - HOUR, NOW, NOW, NOW), ES_SESSION_EXPIRED);
    ck_assert_int_eq(judge(NOW - 2 * HOUR, 0, NOW - HOUR + 1, NOW), ES_OK);
    ck_assert_int_eq(judge(NOW - 2 * HOUR, 0, NOW - HOUR, NOW), ES_SESSION_IDLE);
    ck_assert_int_eq(judge(0, 0, NOW, NOW), ES_SESSION_EXPIRED);
}
END_TEST

START_TEST(judges_with_the_clock_set_back)
{
    ck_assert_int_eq(judge(NOW + HOUR, 0, NOW + HOUR, NOW), ES_OK);
    ck_assert_int_eq(judge(NOW + HOUR + 1, 0, NOW + HOUR, NOW), ES_SESSION_EXPIRED);
    ck_assert_int_eq(judge(NOW, 0, NOW + HOUR, NOW), ES_OK);
    ck_assert_int_eq(judge(NOW, 0, NOW + HOUR + 1, NOW), ES_SESSION_IDLE);
}
END_TEST

START_TEST(makes_and_reads_tokens)
{
    const char *cookie, *again;
    es_hash_t key, read, other;
    es_why_t why = ES_WHY_INIT;
    char *changed;

    ck_assert_reason(es_session_token_make(&cookie, &key, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_session_token_make(&again, &other, &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq(strlen(cookie), 43);
    ck_assert_str_ne(cookie, again);
    ck_assert(memcmp(&key, &other, sizeof key) != 0);
    ck_assert(es_session_token_read(&read, cookie));
    ck_assert(memcmp(&key, &read, sizeof key) == 0);
    ck_assert(!es_session_token_read(&read, ""));
    ck_assert(!es_session_token_read(&read, cookie + 1));
    ck_assert(!es_session_token_read(&read, apr_pstrcat(unit_pool, cookie, "A", NULL)));
    changed = apr_pstrdup(unit_pool, cookie);
    changed[7] = cookie[7] == 'A' ? 'B' : 'A';
    ck_assert(es_session_token_read(&read, changed));
    ck_assert(memcmp(&key, &read, sizeof key) != 0);
}
END_TEST

/* 43 letters have two bits more than 32 octets: four texts decode to the same, and only the one we wrote is a key. */
START_TEST(takes_tokens_literally)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *cookie;
    es_hash_t key, read;
    es_why_t why = ES_WHY_INIT;
    char *changed;
    int i;

    ck_assert_reason(es_session_token_make(&cookie, &key, &why, unit_pool), ES_OK, why);
    changed = apr_pstrdup(unit_pool, cookie);
    for (i = 0; letters[i]; i++) {
        changed[42] = letters[i];
        ck_assert(es_session_token_read(&read, changed));
        ck_assert_int_eq(memcmp(&key, &read, sizeof key) == 0, letters[i] == cookie[42]);
    }
    changed[42] = '=';
    ck_assert(es_session_token_read(&read, changed));
    ck_assert(memcmp(&key, &read, sizeof key) != 0);
}
END_TEST

Suite *suite_session(void)
{
    Suite *suite = suite_create("session");
    TCase *record = unit_case(suite, "record"), *judgement = unit_case(suite, "judgement");

    tcase_add_checked_fixture(record, open_fresh, NULL);
    tcase_add_checked_fixture(judgement, open_fresh, NULL);
    tcase_add_test(record, reads_what_was_packed);
    tcase_add_test(record, sorts_the_values);
    tcase_add_test(record, finds_by_number_and_by_name);
    tcase_add_test(record, knows_what_was_asked_for);
    tcase_add_test(record, packs_extremes);
    tcase_add_test(record, refuses_what_is_too_large);
    tcase_add_test(record, takes_as_little_as_promised);
    tcase_add_test(record, refuses_or_survives_any_change);
    tcase_add_test(record, refuses_another_layout);
    tcase_add_test(record, compares_folded_first);
    tcase_add_test(record, escapes);
    tcase_add_test(record, takes_values_apart);
    tcase_add_test(record, control_characters_become_blanks);
    tcase_add_test(judgement, judges_at_the_limits);
    tcase_add_test(judgement, judges_with_the_clock_set_back);
    tcase_add_test(judgement, makes_and_reads_tokens);
    tcase_add_test(judgement, takes_tokens_literally);
    return suite;
}
