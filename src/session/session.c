/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading and judging a session record, and the session's token. record.h explains the layout, record.c writes it.
 */
#include "base/codec.h"
#include "base/crypto.h"
#include "session/record.h"

#define TOKEN_LEN 32
#define TEXT_LEN 43 /* of a token in base64url */
/* How far a clock may be set back without anybody noticing. */
#define CLOCK_STEP apr_time_from_sec(3600)

/* Reading. `at` is known to be aligned and inside wherever these are used. */

static const es_record_header_t *header_of(es_bytes_t record)
{
    return (const es_record_header_t *)(const void *)record.data;
}

static const es_record_claim_t *claim_of(es_bytes_t record, apr_size_t index)
{
    return (const es_record_claim_t *)(const void *)(record.data + sizeof(es_record_header_t)) + index;
}

static apr_size_t extras_at(const es_record_claim_t *claim)
{
    return ((apr_size_t)claim->joined.at + claim->joined.len + 1 + 3) / 4 * 4;
}

static const es_record_extras_t *extras_of(es_bytes_t record, const es_record_claim_t *claim)
{
    return (const es_record_extras_t *)(const void *)(record.data + extras_at(claim));
}

static int is_text(es_bytes_t record, apr_size_t at, apr_size_t len)
{
    return at < record.len && len < record.len - at && record.data[at + len] == '\0';
}

static int is_claim(es_bytes_t record, const es_record_claim_t *claim)
{
    apr_size_t at = extras_at(claim);
    const es_record_extras_t *extras;
    const apr_uint32_t *sorted;
    apr_uint32_t i;

    if (!is_text(record, claim->joined.at, claim->joined.len)) {
        return 0;
    }
    if (!claim->has_extras) {
        return claim->id != 0;
    }
    if (at > record.len || record.len - at < sizeof *extras) {
        return 0;
    }
    extras = extras_of(record, claim);
    at += sizeof *extras;
    if (extras->count == 0 || extras->count > (record.len - at) / sizeof *sorted) {
        return 0;
    }
    sorted = (const apr_uint32_t *)(const void *)(record.data + at);
    /* One number for each value of the user, half of what reading a large record costs. */
#pragma GCC unroll 8
    for (i = 0; i < extras->count; i++) {
        if (sorted[i] > claim->joined.len) {
            return 0;
        }
    }
    at += extras->count * sizeof *sorted;
    return claim->id != 0 ||
           (is_text(record, at, extras->name_len) && is_text(record, at + extras->name_len + 1, extras->short_len));
}

static int is_time(apr_int64_t time)
{
    return time >= 0 && time < ES_RECORD_TIME_MAX;
}

static int is_header(es_bytes_t record)
{
    const es_record_header_t *header = header_of(record);
    int i;

    if (record.len < sizeof *header || (apr_uintptr_t)record.data % 8 != 0 || header->version != ES_RECORD_VERSION ||
        header->size != record.len || (header->format & ES_RECORD_FORMAT_BITS) >= ES_RECORD_FORMATS ||
        header->format >> ES_RECORD_ASKED > ES_SESSION_ASKED_ALL || !is_time(header->created) ||
        !is_time(header->authenticated) || !is_time(header->ends) ||
        header->n_claims > (record.len - sizeof *header) / sizeof(es_record_claim_t)) {
        return 0;
    }
    for (i = 0; i < ES_RECORD_TEXTS; i++) {
        if (!is_text(record, header->text[i].at, header->text[i].len)) {
            return 0;
        }
    }
    return 1;
}

static const char *text_of(es_bytes_t record, es_record_which_t which)
{
    return (const char *)record.data + header_of(record)->text[which].at;
}

es_rv_t es_session_read(es_session_t *session, es_bytes_t record, es_why_t *why)
{
    const es_record_header_t *header = header_of(record);
    apr_uint32_t i, format;

    if (!is_header(record)) {
        return es_fail(why, ES_RECORD_INVALID, "a session record of %lu octets is not of layout %d",
                       (unsigned long)record.len, ES_RECORD_VERSION);
    }
    for (i = 0; i < header->n_claims; i++) {
        if (!is_claim(record, claim_of(record, i))) {
            return es_fail(why, ES_RECORD_INVALID, "claim %u of a session record leads outside", i);
        }
    }
    session->record = record;
    session->connection = header->connection;
    session->created = header->created;
    session->authenticated = header->authenticated;
    session->ends = header->ends;
    session->user = text_of(record, ES_RECORD_USER);
    session->name_id = text_of(record, ES_RECORD_NAME_ID);
    format = header->format & ES_RECORD_FORMAT_BITS;
    session->name_id_format = format ? es_record_formats[format] : text_of(record, ES_RECORD_NAME_ID_FORMAT);
    session->asked = header->format >> ES_RECORD_ASKED;
    session->session_index = text_of(record, ES_RECORD_SESSION_INDEX);
    session->n_claims = (int)header->n_claims;
    return ES_OK;
}

void es_session_claim(es_session_claim_t *claim, const es_session_t *session, int index)
{
    static const apr_uint32_t first = 0;
    const es_record_claim_t *packed = claim_of(session->record, (apr_size_t)index);
    const es_record_extras_t *extras;

    claim->id = packed->id;
    claim->name = claim->short_name = "";
    claim->joined = (const char *)session->record.data + packed->joined.at;
    claim->joined_len = packed->joined.len;
    claim->count = 1;
    claim->sorted = &first;
    if (packed->has_extras) {
        extras = extras_of(session->record, packed);
        claim->count = (int)extras->count;
        claim->sorted = (const apr_uint32_t *)(const void *)(extras + 1);
        if (packed->id == 0) {
            claim->name = (const char *)(claim->sorted + extras->count);
            claim->short_name = claim->name + extras->name_len + 1;
        }
    }
}

int es_session_find(es_session_claim_t *claim, const es_session_t *session, unsigned id, const char *name)
{
    int i;

    for (i = 0; i < session->n_claims; i++) {
        if (claim_of(session->record, (apr_size_t)i)->id != id) {
            continue;
        }
        es_session_claim(claim, session, i);
        if (id != 0 || strcmp(claim->short_name, name) == 0 || strcmp(claim->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The octet of an escaped value, -1 at its end. */
static int octet_of(char c, int escaped)
{
    return c == '\0' || (c == ';' && !escaped) ? -1 : (unsigned char)c;
}

static int fold(int octet)
{
    return octet >= 'A' && octet <= 'Z' ? octet + ('a' - 'A') : octet;
}

/* The order of both without regard to case; where they are alike in that, *octets is that of the first octets to differ.
 */
static int compare(int *octets, const char *a, const char *b)
{
    int escaped = 0;

    *octets = 0;
    /* As long as both agree but for case, they agree in what is escaped. */
    for (;; a++, b++) {
        int x, y;

        /* Most octets of most values: the same, and none that means something. */
        if (*a == *b && *a != ';' && *a != '\\' && *a != '\0') {
            escaped = 0;
            continue;
        }
        x = octet_of(*a, escaped);
        y = octet_of(*b, escaped);
        if (fold(x) != fold(y)) {
            return fold(x) < fold(y) ? -1 : 1;
        }
        if (x < 0) {
            return 0;
        }
        if (*octets == 0 && x != y) {
            *octets = x < y ? -1 : 1;
        }
        escaped = !escaped && x == '\\';
    }
}

int es_session_compare(const char *a, const char *b)
{
    int octets, folded = compare(&octets, a, b);

    return folded ? folded : octets;
}

int es_session_compare_folded(const char *a, const char *b)
{
    int octets;

    return compare(&octets, a, b);
}

es_rv_t es_session_judge(const es_session_t *session, const es_connection_id_t *connection, apr_time_t last_used,
                         apr_time_t now, apr_interval_time_t lifetime, apr_interval_time_t idle, es_why_t *why)
{
    if (memcmp(&session->connection, connection, sizeof *connection) != 0) {
        return es_fail(why, ES_SESSION_FOREIGN, "the session was made for another connection");
    }
    if (session->created - now > CLOCK_STEP) {
        return es_fail(why, ES_SESSION_EXPIRED, "the session was made %ld s in the future: the clock was set back",
                       (long)apr_time_sec(session->created - now));
    }
    if (now - session->created >= lifetime) {
        return es_fail(why, ES_SESSION_EXPIRED, "the session is %ld s old, its lifetime is %ld s",
                       (long)apr_time_sec(now - session->created), (long)apr_time_sec(lifetime));
    }
    if (session->ends && now >= session->ends) {
        return es_fail(why, ES_SESSION_EXPIRED, "the session ended %ld s ago by SessionNotOnOrAfter",
                       (long)apr_time_sec(now - session->ends));
    }
    if (now - last_used >= idle) {
        return es_fail(why, ES_SESSION_IDLE, "the session was last used %ld s ago, its idle limit is %ld s",
                       (long)apr_time_sec(now - last_used), (long)apr_time_sec(idle));
    }
    if (last_used - now > CLOCK_STEP) {
        return es_fail(why, ES_SESSION_IDLE, "the session was last used %ld s in the future: the clock was set back",
                       (long)apr_time_sec(last_used - now));
    }
    return ES_OK;
}

es_rv_t es_session_check_fresh(const es_session_t *session, apr_time_t now, apr_interval_time_t fresh, es_why_t *why)
{
    const apr_interval_time_t age = now - session->authenticated;

    if (age > fresh) {
        return es_fail(why, ES_SESSION_STALE, "the user signed in at Entra %ld s ago, here %ld s are allowed",
                       (long)apr_time_sec(age), (long)apr_time_sec(fresh));
    }
    return ES_OK;
}

es_rv_t es_session_token_make(const char **cookie, es_hash_t *key, es_why_t *why, apr_pool_t *pool)
{
    unsigned char token[TOKEN_LEN];
    es_rv_t rv = es_crypto_random(token, sizeof token, why);

    if (rv == ES_OK) {
        *cookie = es_codec_base64url_encode(es_bytes(token, sizeof token), pool);
        *key = es_crypto_sha256(es_bytes(*cookie, TEXT_LEN));
    }
    es_crypto_wipe(token, sizeof token);
    return rv;
}

/* Every authenticated request comes through here. To decode the text first would make each dearer by half the digest
 * and tell nothing: the text holds all 256 random bits, and whatever else stands there has a hash that nobody has. */
int es_session_token_read(es_hash_t *key, const char *cookie)
{
    if (strnlen(cookie, TEXT_LEN + 1) != TEXT_LEN) {
        return 0;
    }
    *key = es_crypto_sha256(es_bytes(cookie, TEXT_LEN));
    return 1;
}
