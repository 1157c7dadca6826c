/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accounts in the order of things. A sign-in looks first, which only reads, and takes what it found after its message has
 * been marked as used; an authenticated request asks whether the account is still active. A site without accounts
 * (site->accounts == NULL) never comes here.
 */
#ifndef ES_FLOW_ACCOUNT_H
#define ES_FLOW_ACCOUNT_H

#include "flow/flow.h"

/* What a sign-in leads to. */
typedef struct {
    es_account_key_t key;
    es_account_t row; /* the user's own, or the one that is to become his; id NULL: one is to be made */
    int is_new_owner; /* the row is to become his */
    int is_matched;   /* one was found by his address */
} es_account_signin_t;

/* `issuer` is the assertion's, verified. The reasons ACCOUNT_… and ACCOUNTS_…; ES_ACCOUNT_PENDING only where accounts must
 * be active beforehand, since elsewhere there is a waiting room. */
es_rv_t es_account_look(es_account_signin_t *account, const es_flow_t *flow, const es_session_t *session,
                        const char *issuer, es_why_t *why);

/* Makes the row or binds it, where that has to be, and writes the profile. *state is that of the row afterwards. Of any
 * number of first sign-ins of one user at once, one makes the row and all go on with it. */
es_rv_t es_account_take(es_account_state_t *state, const es_account_signin_t *account, const es_flow_t *flow,
                        const es_session_t *session, es_why_t *why);

/* The session, just made, is of an active account. */
void es_account_trust(const es_account_rules_t *rules, const es_hash_t *key, apr_time_t now);

/* The account of a live session of this connection, `key` being the session's. ES_OK: active, or known to have been within the time of
 * EntraSAMLAccountsTrust. ES_ACCOUNT_PENDING: the session goes on and waits. ES_ACCOUNT_DISABLED, ES_ACCOUNT_MISSING,
 * ES_ACCOUNT_KEY, ES_ACCOUNT_TENANT: the session was
 * ended, where it is the site's own and not one of another connection whose sessions are good here; so it is with ES_SESSION_EXPIRED, which stands for ES_ACCOUNT_MISSING where a
 * sign-in would make the account. ES_ACCOUNTS_DOWN, ES_ACCOUNTS_FAULT: nobody knows. ES_ACCOUNTS_ROW: the row says nothing
 * that can be read, and the session waits, trusted no more. */
es_rv_t es_account_ask(const es_flow_t *flow, const es_connection_t *connection, const es_session_t *session,
                       const es_hash_t *key, es_why_t *why);

/* Does the reason say that there is a session, but that its account does not let it be one? */
int es_account_holds(es_rv_t rv);

#endif
