/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pending sign-in, packed as tightly as it goes, since it travels in a URL twice: to Entra in the redirect and back
 * in the form.
 *
 *   | flags 2 | started 4 | connection 16 | request ID 16 | binding 16 | session 32, or nothing |
 *   | kept 1 + 32, or nothing | landing … |
 *
 * Flags: bits 0 and 1 the round, bit 2 whether a session follows, bit 3 asked with ForceAuthn, bit 4 with IsPassive,
 * bit 5 for more than one factor, bit 6 for a user whom the rules deny, bit 7 whether that session was
 * good, bit 8 whether the store keeps something: then 1 where that is a form, else 0, and its key follow.
 * Flags and started, which is in Unix seconds, come with the most significant octet first. The landing has no NUL; it ends where the octets end.
 * With a landing of 700 octets and a session this is 786 octets, 802 sealed, 1,070 characters: the rest of 2,048 is for
 * Entra's address and the AuthnRequest.
 *
 * The layout's version is in the label, which the seal authenticates: another version's does not open.
 */
#include "session/pending.h"

#include "base/codec.h"

#include <apr_strings.h>

#define LABEL "entra-saml pending 2"
#define ROUND_BITS 3
#define HAS_SESSION 4
#define IS_FRESH 8
#define IS_PASSIVE 16
#define IS_MFA 32
#define IS_STEP_UP 64
#define IS_RAISING 128
#define IS_KEPT 256
#define ALL_FLAGS 511
#define KEPT_LEN (1 + ES_HASH_LEN)
/* No RelayState of ours is longer: Entra's own limits on URLs come first. */
#define TEXT_MAX 4096

typedef struct {
    unsigned char flags[2];
    unsigned char started[4];
    es_connection_id_t connection;
    unsigned char request_id[ES_PENDING_TOKEN];
    unsigned char binding[ES_PENDING_TOKEN];
} packed_t;
_Static_assert(sizeof(packed_t) == 54, "octets only, no padding");

static unsigned pack_flags(const es_pending_t *pending)
{
    return (unsigned)((pending->round & ROUND_BITS) | (pending->has_session ? HAS_SESSION : 0) |
                      (pending->is_fresh ? IS_FRESH : 0) | (pending->is_passive ? IS_PASSIVE : 0) |
                      (pending->is_mfa ? IS_MFA : 0) | (pending->is_step_up ? IS_STEP_UP : 0) |
                      (pending->is_raising ? IS_RAISING : 0) | (pending->is_kept ? IS_KEPT : 0));
}

es_rv_t es_pending_seal(const char **relay_state, const es_pending_t *pending, const es_seal_key_t *key, es_why_t *why,
                        apr_pool_t *pool)
{
    apr_size_t session_len = pending->has_session ? ES_HASH_LEN : 0, kept_len = pending->is_kept ? KEPT_LEN : 0;
    apr_size_t head = sizeof(packed_t) + session_len, len = head + kept_len + strlen(pending->landing);
    unsigned char *octets = apr_palloc(pool, len);
    apr_uint32_t started = (apr_uint32_t)apr_time_sec(pending->started);
    unsigned flags = pack_flags(pending);
    packed_t packed;
    es_bytes_t sealed;
    es_rv_t rv;
    int i;

    packed.flags[0] = (unsigned char)(flags >> 8);
    packed.flags[1] = (unsigned char)flags;
    for (i = 0; i < 4; i++) {
        packed.started[i] = (unsigned char)(started >> (24 - 8 * i));
    }
    packed.connection = pending->connection;
    memcpy(packed.request_id, pending->request_id, sizeof packed.request_id);
    memcpy(packed.binding, pending->binding, sizeof packed.binding);
    memcpy(octets, &packed, sizeof packed);
    memcpy(octets + sizeof packed, pending->session.octet, session_len);
    if (pending->is_kept) {
        octets[head] = pending->is_post != 0;
        memcpy(octets + head + 1, pending->kept.octet, ES_HASH_LEN);
    }
    memcpy(octets + head + kept_len, pending->landing, len - head - kept_len);
    rv = es_crypto_seal(&sealed, es_bytes(octets, len), LABEL, key, why, pool);
    if (rv == ES_OK) {
        *relay_state = es_codec_base64url_encode(sealed, pool);
    }
    return rv;
}

/* What was sealed by us is as we packed it; lengths are looked at all the same. Returns 0 when it is not. */
static int unpack(es_pending_t *pending, es_bytes_t plain, apr_pool_t *pool)
{
    apr_size_t session_len, kept_len, head;
    apr_uint32_t started = 0;
    packed_t packed;
    unsigned flags;
    int i;

    if (plain.len < sizeof packed) {
        return 0;
    }
    memcpy(&packed, plain.data, sizeof packed);
    flags = (unsigned)packed.flags[0] << 8 | packed.flags[1];
    session_len = flags & HAS_SESSION ? ES_HASH_LEN : 0;
    kept_len = flags & IS_KEPT ? KEPT_LEN : 0;
    head = sizeof packed + session_len + kept_len;
    if (flags > ALL_FLAGS || (flags & ROUND_BITS) >= ES_PENDING_ROUNDS || plain.len < head ||
        memchr(plain.data + head, '\0', plain.len - head)) {
        return 0;
    }
    for (i = 0; i < 4; i++) {
        started = started << 8 | packed.started[i];
    }
    pending->connection = packed.connection;
    memcpy(pending->request_id, packed.request_id, sizeof packed.request_id);
    memcpy(pending->binding, packed.binding, sizeof packed.binding);
    pending->has_session = session_len != 0;
    memcpy(pending->session.octet, plain.data + sizeof packed, session_len);
    pending->is_kept = kept_len != 0;
    if (pending->is_kept) {
        pending->is_post = plain.data[head - kept_len];
        memcpy(pending->kept.octet, plain.data + head - ES_HASH_LEN, ES_HASH_LEN);
    }
    pending->started = apr_time_from_sec((apr_time_t)started);
    pending->round = flags & ROUND_BITS;
    pending->is_fresh = (flags & IS_FRESH) != 0;
    pending->is_passive = (flags & IS_PASSIVE) != 0;
    pending->is_mfa = (flags & IS_MFA) != 0;
    pending->is_step_up = (flags & IS_STEP_UP) != 0;
    pending->is_raising = (flags & IS_RAISING) != 0;
    pending->landing = apr_pstrmemdup(pool, (const char *)plain.data + head, plain.len - head);
    return 1;
}

es_rv_t es_pending_open(es_pending_t **pending, const char *relay_state, const es_seal_key_t *key, es_why_t *why,
                        apr_pool_t *pool)
{
    es_pending_t *opened = apr_pcalloc(pool, sizeof *opened);
    es_bytes_t sealed, plain;
    es_rv_t rv;

    if (!relay_state || !*relay_state) {
        return es_fail(why, ES_PENDING_UNREADABLE, "there is no RelayState");
    }
    if (strnlen(relay_state, TEXT_MAX + 1) > TEXT_MAX) {
        return es_fail(why, ES_PENDING_UNREADABLE, "RelayState is longer than %d characters", TEXT_MAX);
    }
    sealed = es_codec_base64url_decode(relay_state, pool);
    if (!sealed.data) {
        return es_fail(why, ES_PENDING_UNREADABLE, "RelayState is not base64url: %.100s", relay_state);
    }
    rv = es_crypto_open(&plain, sealed, LABEL, key, why, pool);
    if (rv != ES_OK) {
        return rv;
    }
    if (!plain.data) {
        return es_fail(why, ES_PENDING_UNREADABLE, "RelayState was not sealed by our key and layout: %.100s",
                       relay_state);
    }
    if (!unpack(opened, plain, pool)) {
        return es_fail(why, ES_PENDING_UNREADABLE, "RelayState was sealed by our key but is no pending sign-in");
    }
    *pending = opened;
    return ES_OK;
}

es_rv_t es_pending_check_age(const es_pending_t *pending, apr_interval_time_t skew, apr_time_t now, es_why_t *why)
{
    apr_time_t age = now - pending->started;

    if (age < -skew) {
        return es_fail(why, ES_PENDING_EXPIRED, "the sign-in was started %ld s in the future: the clock was set back",
                       (long)apr_time_sec(-age));
    }
    if (age > ES_PENDING_LIFETIME) {
        return es_fail(why, ES_PENDING_EXPIRED, "the sign-in was started %ld s ago, at most %ld s are allowed",
                       (long)apr_time_sec(age), (long)apr_time_sec(ES_PENDING_LIFETIME));
    }
    return ES_OK;
}
