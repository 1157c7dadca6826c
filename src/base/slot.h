/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A place for one immutable object that is replaced now and then while any number of threads use it. Who takes it keeps
 * what he took, whole and unchanged, until he gives it back; the next to take it gets the new one. Neither waits for
 * anybody: no lock is held while taking, using or giving back.
 *
 * One thread at a time may write (replace, sweep, look); any number may take and give back.
 */
#ifndef ES_SLOT_H
#define ES_SLOT_H

#include "base/es.h"

typedef struct es_slot_t es_slot_t;

/* One object in its time. */
typedef struct es_edition_t es_edition_t;

/* Empty. */
es_slot_t *es_slot_make(apr_pool_t *pool);

/* Any thread. NULL: the slot is empty. What is taken must be given back, by any thread. */
es_edition_t *es_slot_take(es_slot_t *slot);
void es_slot_give_back(es_edition_t *edition);
/* The object of an edition that is taken. */
const void *es_edition_object(const es_edition_t *edition);

/* The writer. Puts the object there; its pool is the slot's from then on, and is destroyed once the object is neither
 * current nor taken. Ends the process when memory has run out, as a pool does. */
void es_slot_replace(es_slot_t *slot, const void *object, apr_pool_t *pool);
/* Destroys what was replaced and is no longer taken. Returns how many are still taken. */
int es_slot_sweep(es_slot_t *slot);
/* The current object, NULL when empty: good until the writer's own next call. */
const void *es_slot_look(const es_slot_t *slot);

/* Nobody takes any more, and nothing is taken: destroys all of it. */
void es_slot_empty(es_slot_t *slot);

#endif
