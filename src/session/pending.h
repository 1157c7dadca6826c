/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pending sign-in: what we must know again when Entra's response comes, sealed into RelayState. The server keeps
 * nothing of it, but where a landing is too long or a form was sent: then what is sealed is where the store has that.
 */
#ifndef ES_PENDING_H
#define ES_PENDING_H

#include "base/crypto.h"
#include "base/es.h"

#define ES_PENDING_LIFETIME apr_time_from_sec(3600)
#define ES_PENDING_ROUNDS 3 /* rounds 0, 1, 2; then a page */
#define ES_PENDING_TOKEN 16 /* octets of request ID and of truncated hashes */

typedef struct {
    es_connection_id_t connection;
    unsigned char request_id[ES_PENDING_TOKEN];
    unsigned char binding[ES_PENDING_TOKEN]; /* start of SHA-256 of the binding cookie's token */
    int has_session;
    es_hash_t session;  /* key of the session whose cookie came with the request, for the ACS to end it */
    int is_raising;     /* that session was good where the sign-on started */
    apr_time_t started; /* whole seconds */
    int round;
    int is_fresh; /* asked with ForceAuthn: an older sign-in at Entra is not enough */
    int is_mfa;   /* asked for more than one factor, with ForceAuthn */
    int is_step_up; /* started for a user whom the rules deny: an error is no reason for a page, and his session goes on */
    int is_passive; /* asked with IsPassive: an error is no reason for a page */
    int is_kept;    /* the store keeps what did not fit in here, under `kept` */
    int is_post;    /* and that is a form, to be repeated */
    es_hash_t kept;
    const char *landing; /* path and query on our origin, or an allowed address elsewhere */
} es_pending_t;

/* base64url text of the sealed octets. */
es_rv_t es_pending_seal(const char **relay_state, const es_pending_t *pending, const es_seal_key_t *key, es_why_t *why,
                        apr_pool_t *pool);
/* ES_PENDING_UNREADABLE: absent, not base64url, not sealed by this key, another layout version. Age is not judged here.
 */
es_rv_t es_pending_open(es_pending_t **pending, const char *relay_state, const es_seal_key_t *key, es_why_t *why,
                        apr_pool_t *pool);

/* ES_PENDING_EXPIRED when older than ES_PENDING_LIFETIME, or from the future by more than the skew: the clock was set
 * back, and Entra's answer would look as if it came before the request. */
es_rv_t es_pending_check_age(const es_pending_t *pending, apr_interval_time_t skew, apr_time_t now, es_why_t *why);

#endif
