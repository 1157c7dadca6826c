/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sessions by number, whose records prove themselves whole: for the unit tests and for t/crash.
 */
#ifndef TABLE_RECORDS_H
#define TABLE_RECORDS_H

#include "session/store.h"

es_hash_t table_key(unsigned number);
/* A record of that session; each call makes another one. */
es_bytes_t table_record(unsigned number, apr_size_t len, apr_pool_t *pool);
/* Is the copy one record of that session, from one call, from the first octet to the last? */
int table_is_whole(const es_stored_t *stored, unsigned number);

#endif
