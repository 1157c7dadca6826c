/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which sessions had an active account when the database was last asked, and when that was: one word a session, in
 * memory that the processes of a server share. Reading is one load, no lock; writing is one store. An entry may be lost
 * to that of another session at any time, and the database is asked again then.
 */
#ifndef ES_TRUST_H
#define ES_TRUST_H

#include "base/es.h"

/* Process-local handle. */
typedef struct es_trust_t es_trust_t;

#define ES_TRUST_SIZE (512 * 1024) /* of the memory, in octets: 65,536 sessions */

/* Over ES_TRUST_SIZE octets, aligned to 8, that were zero when they were new. */
es_trust_t *es_trust_attach(void *memory, apr_pool_t *pool);

/* When the session was last known to be active, to the second; 0: not known. */
apr_time_t es_trust_since(const es_trust_t *trust, const es_hash_t *session);
void es_trust_note(es_trust_t *trust, const es_hash_t *session, apr_time_t now);
void es_trust_forget(es_trust_t *trust, const es_hash_t *session);

#endif
