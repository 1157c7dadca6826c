/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a store of sessions can do. The flow knows nothing else of it; shared memory (session/shm) is one, other nodes'
 * stores will be others. All functions may run in any thread and process at once.
 */
#ifndef ES_STORE_H
#define ES_STORE_H

#include "base/es.h"

typedef struct es_store_t es_store_t;

typedef struct {
    es_bytes_t
        record; /* a copy in the caller's pool, aligned to 8; data == NULL: no such session, a miss and no error */
    apr_time_t expires, last_used;
    apr_size_t slot; /* the store's own, for touch */
} es_stored_t;

/* A session of a list. */
typedef struct {
    es_hash_t key;
    es_stored_t stored;
} es_listed_t;

/* For whom something is kept: hashes of the client's address and of its browser's binding cookie, by which a store that
 * has little room shares it out. */
typedef struct {
    apr_uint32_t client, browser;
} es_holder_t;

#define ES_STORE_SUBJECTS 4 /* a session can be found by */

struct es_store_t {
    void *self;

    /* Finds and copies; no lock, nothing written. An expired record is a miss. */
    es_rv_t (*find)(es_stored_t *stored, es_store_t *store, const es_hash_t *key, apr_time_t now, es_why_t *why,
                    apr_pool_t *pool);
    /* Adds a record that lives until `expires` and can be listed by its subjects, at most ES_STORE_SUBJECTS. All or
     * nothing: a session that could not be found again by whoever must end it is not made. ES_STORE_FULL,
     * ES_RECORD_TOO_LARGE. */
    es_rv_t (*insert)(es_store_t *store, const es_hash_t *key, es_bytes_t record, const es_hash_t *subjects,
                      int n_subjects, apr_time_t expires, apr_time_t now, es_why_t *why);
    /* Notes that the session found there was used; without a lock, a session that has gone meanwhile is left alone. */
    void (*touch)(es_store_t *store, const es_hash_t *key, const es_stored_t *stored, apr_time_t now);
    /* Ends the session; a miss is no error. *removed says whether there was one (may be NULL). */
    es_rv_t (*remove)(int *removed, es_store_t *store, const es_hash_t *key, es_why_t *why);

    /* Lists the live sessions of a subject, in no order: all that were inserted under it before the call, and perhaps,
     * by an accident of hashing, one of another subject. A store does not know what records say: the caller reads them
     * before he ends anybody's session. The cost grows with the sessions listed, not with those there are. */
    es_rv_t (*list)(es_listed_t **listed, int *n_listed, es_store_t *store, const es_hash_t *subject, apr_time_t now,
                    es_why_t *why, apr_pool_t *pool);

    /* Is the mark there and alive? */
    es_rv_t (*mark_find)(int *found, es_store_t *store, const es_hash_t *mark, apr_time_t now, es_why_t *why);
    /* Sets the mark until `expires`, atomically: of any number of callers exactly one sees *added != 0.
     * ES_MARKS_FULL: no room, nothing was set. A mark is never dropped before its time. */
    es_rv_t (*mark_add)(int *added, es_store_t *store, const es_hash_t *mark, apr_time_t expires, apr_time_t now,
                        es_why_t *why);

    /* Keeps octets until `expires` for a browser that is away to sign in; the key is a hash of them, so that the same
     * octets are kept once. What is kept may be lost at any time for want of room. ES_KEEP_FULL: there is none for this
     * client, or these are too many octets. */
    es_rv_t (*keep)(es_store_t *store, const es_hash_t *key, es_bytes_t content, const es_holder_t *holder,
                    apr_time_t expires, apr_time_t now, es_why_t *why);
    /* A copy of what is kept, NUL behind it; data NULL: lost, taken or expired, a miss and no error. What was found once
     * is the first to be lost. */
    es_rv_t (*kept_find)(es_bytes_t *content, es_store_t *store, const es_hash_t *key, apr_time_t now, es_why_t *why,
                         apr_pool_t *pool);
    /* The same, and nobody gets it again: of any number of callers one has it. */
    es_rv_t (*kept_take)(es_bytes_t *content, es_store_t *store, const es_hash_t *key, apr_time_t now, es_why_t *why,
                         apr_pool_t *pool);
};

#endif
