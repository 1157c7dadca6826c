/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whom a session is about, as hashes under which the store lists it: the user (tenant and object id, which Entra never
 * changes), his NameID, Entra's own session (SessionIndex). Each holds within one connection only.
 */
#ifndef ES_SUBJECT_H
#define ES_SUBJECT_H

#include "flow/flow.h"

typedef enum { ES_SUBJECT_USER, ES_SUBJECT_NAME_ID, ES_SUBJECT_SESSION_INDEX, ES_SUBJECTS } es_subject_kind_t;

/* Returns 0 where the session has no such subject. */
int es_subject_of(es_hash_t *subject, es_subject_kind_t kind, const es_session_t *session);
/* The subject of a name by itself: ES_SUBJECT_NAME_ID, ES_SUBJECT_SESSION_INDEX. */
es_hash_t es_subject_named(es_subject_kind_t kind, const es_connection_id_t *connection, const char *name);
/* All it has; returns how many. */
int es_subject_all(es_hash_t subjects[ES_SUBJECTS], const es_session_t *session);

/* The one value of the session's claim tenantid; NULL where there is none. */
const char *es_subject_tenant(const es_session_t *session);

/* Are both of one person? By tenant and object id; where one has no object id, by what the connection calls him: the
 * NameID of one and the same, or REMOTE_USER where two connections share their sessions, and so agree on what that is. */
int es_subject_is_same(const es_session_t *a, const es_session_t *b);

/* Ends the subject's sessions but for those used last, `most` of them; `kept` (may be NULL) counts as just used,
 * and gives way only to sessions that were made within seconds after it. A session is ended only when its record says
 * that it is the subject's, and of this tenant: a GUID in either case, NULL for any. */
es_rv_t es_subject_end(int *ended, const es_flow_t *flow, es_subject_kind_t kind, const es_hash_t *subject,
                       const char *tenant, int most, const es_hash_t *kept, es_why_t *why);

#endif
