/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session record: one piece of octets without pointers, written once at sign-in, copied once a request and read in
 * place. record.h explains the layout. And the session's token: 32 random octets in base64url in the cookie, SHA-256 of
 * that text in the store.
 */
#ifndef ES_SESSION_H
#define ES_SESSION_H

#include "base/es.h"

#include <apr_tables.h>

/* What Entra was asked for by the sign-in that made a session, and whether because the rules denied its user; flags. */
enum { ES_SESSION_ASKED_FRESH = 1, ES_SESSION_ASKED_MFA = 2, ES_SESSION_ASKED_STEP_UP = 4, ES_SESSION_ASKED_ALL = 7 };

/* What a sign-in leaves behind. */
typedef struct {
    es_connection_id_t connection;
    apr_time_t created;
    apr_time_t authenticated; /* AuthnInstant, by this server's clock */
    apr_time_t ends;          /* SessionNotOnOrAfter, 0 where Entra sent none */
    const char *user;         /* REMOTE_USER */
    const char *name_id;      /* "" where absent, here and below */
    const char *name_id_format;
    const char *session_index;
    unsigned asked;
    int n_claims;
    const es_claim_t *claims;
} es_session_new_t;

/* A record read in place: every text points into the record, or at a constant. */
typedef struct {
    es_bytes_t record;
    es_connection_id_t connection;
    apr_time_t created, authenticated, ends;
    const char *user, *name_id, *name_id_format, *session_index;
    unsigned asked;
    int n_claims;
} es_session_t;

/* A claim as the record holds it: the values joined by ';' (with '\;' and '\\' for those two inside a value, and a
 * blank for each control character), as the environment will carry them, and an index of the values in sorted order for
 * rules. */
typedef struct {
    unsigned id;            /* 0: not built in */
    const char *name;       /* full name; "" for a built-in */
    const char *short_name; /* "" for a built-in */
    const char *joined;
    apr_size_t joined_len;
    int count;
    const apr_uint32_t *sorted; /* count offsets into joined, ordered by es_session_compare of the escaped values */
} es_session_claim_t;

/* ES_RECORD_TOO_LARGE above 1 MiB. The octets are aligned to 8. */
es_rv_t es_session_pack(es_bytes_t *record, const es_session_new_t *fresh, es_why_t *why, apr_pool_t *pool);

/* Checks every length and offset once, then all reading is safe. The record must be aligned to 8 and outlive the
 * session. ES_RECORD_INVALID. Allocates nothing. */
es_rv_t es_session_read(es_session_t *session, es_bytes_t record, es_why_t *why);

/* The claim at an index 0 … n_claims - 1. */
void es_session_claim(es_session_claim_t *claim, const es_session_t *session, int index);

/* Finds by number (id != 0) or by short or full name; returns 0 on a miss. */
int es_session_find(es_session_claim_t *claim, const es_session_t *session, unsigned id, const char *name);

/* The values (const char *) of a claim as they were before they were joined (but for control characters), in the order of the
 * sign-in: its `count`. */
apr_array_header_t *es_session_values(const es_session_claim_t *claim, apr_pool_t *pool);

/* Order of values: ASCII case folded first, then the octets. The escaped form, ending at an unescaped ';' or NUL. */
int es_session_compare(const char *a, const char *b);
/* The same order, but 0 for values that differ in case only. */
int es_session_compare_folded(const char *a, const char *b);

/* Escapes one value as `joined` holds it. */
const char *es_session_escape(const char *value, apr_pool_t *pool);

/* Is it still good? `lifetime` and `idle` are the section's. ES_SESSION_FOREIGN, ES_SESSION_EXPIRED, ES_SESSION_IDLE.
 * A clock set back by less than an hour changes nothing; a record from further in the future is expired. */
es_rv_t es_session_judge(const es_session_t *session, const es_connection_id_t *connection, apr_time_t last_used,
                         apr_time_t now, apr_interval_time_t lifetime, apr_interval_time_t idle, es_why_t *why);

/* Has its user signed in at Entra lately enough? ES_SESSION_STALE when that is longer ago than `fresh`. */
es_rv_t es_session_check_fresh(const es_session_t *session, apr_time_t now, apr_interval_time_t fresh, es_why_t *why);

/* A new token: *cookie is its base64url (43 characters), *key its hash. */
es_rv_t es_session_token_make(const char **cookie, es_hash_t *key, es_why_t *why, apr_pool_t *pool);
/* The key of a cookie value; returns 0 when it has not the length of a token. The text is hashed as it came: one that is
 * not base64url, or another spelling of the same octets, is the key of no session. */
int es_session_token_read(es_hash_t *key, const char *cookie);

#endif
