/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the store keeps for a browser that is away to sign in: a landing that is too long to travel in RelayState, or a
 * form that was posted without a session. Sealed, so that a store over the network need not be trusted with it and
 * memory that was damaged is never taken for somebody's form.
 */
#ifndef ES_KEPT_H
#define ES_KEPT_H

#include "base/crypto.h"
#include "base/es.h"

typedef enum { ES_KEPT_LANDING, ES_KEPT_URLENCODED, ES_KEPT_TEXT, ES_KEPT_KINDS } es_kept_kind_t;

/* Whose form is it? */
typedef enum {
    ES_KEPT_NOBODYS,   /* no session cookie came with it: of whoever signs in */
    ES_KEPT_SOMEBODYS, /* one did, of a session that is gone: nobody knows whose that was */
    ES_KEPT_USERS,     /* of a session that is still known */
    ES_KEPT_OWNERS
} es_kept_owner_t;

#define ES_KEPT_BINDING 16 /* octets: the hash of the binding cookie's token */

typedef struct {
    es_kept_kind_t kind;
    es_connection_id_t connection;
    unsigned char binding[ES_KEPT_BINDING];
    es_kept_owner_t owner;
    es_hash_t user; /* the subject, of ES_KEPT_USERS */
    const char *landing;
    es_bytes_t body; /* of a form */
} es_kept_t;

/* *key = where to keep it: a hash of the sealed octets, which are the same for the same. ES_INTERNAL. */
es_rv_t es_kept_seal(es_bytes_t *sealed, es_hash_t *key, const es_kept_t *kept, const es_seal_key_t *with,
                     es_why_t *why, apr_pool_t *pool);
/* *kept = NULL where it is none of ours (a miss). The body has a NUL behind it. */
es_rv_t es_kept_open(es_kept_t **kept, es_bytes_t sealed, const es_seal_key_t *with, es_why_t *why, apr_pool_t *pool);

#endif
