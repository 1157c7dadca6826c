/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A word holds 32 bits of the session's key and the Unix second. The key also decides which word it is, by 16 other bits,
 * and is a hash of 256 random bits: that a session is taken for another takes 2^48 sessions, of live ones.
 */
#include "session/trust.h"

#include <stdatomic.h>

#define WORDS (ES_TRUST_SIZE / 8)

typedef _Atomic apr_uint64_t word_t;

struct es_trust_t {
    word_t *words;
};

typedef struct {
    apr_uint32_t index, tag;
} place_t;

es_trust_t *es_trust_attach(void *memory, apr_pool_t *pool)
{
    es_trust_t *trust = apr_palloc(pool, sizeof *trust);

    trust->words = memory;
    return trust;
}

static place_t place_of(const es_hash_t *session)
{
    place_t place;

    memcpy(&place, session->octet, sizeof place);
    place.index %= WORDS;
    return place;
}

apr_time_t es_trust_since(const es_trust_t *trust, const es_hash_t *session)
{
    const place_t place = place_of(session);
    const apr_uint64_t word = atomic_load_explicit(&trust->words[place.index], memory_order_relaxed);

    return (apr_uint32_t)(word >> 32) == place.tag ? apr_time_from_sec((apr_time_t)(word & 0xffffffffu)) : 0;
}

void es_trust_note(es_trust_t *trust, const es_hash_t *session, apr_time_t now)
{
    const place_t place = place_of(session);
    const apr_uint64_t word = (apr_uint64_t)place.tag << 32 | ((apr_uint64_t)apr_time_sec(now) & 0xffffffffu);

    atomic_store_explicit(&trust->words[place.index], word, memory_order_relaxed);
}

/* Only its own entry: that of another session in its place stays. */
void es_trust_forget(es_trust_t *trust, const es_hash_t *session)
{
    const place_t place = place_of(session);
    apr_uint64_t word = atomic_load_explicit(&trust->words[place.index], memory_order_relaxed);

    while ((apr_uint32_t)(word >> 32) == place.tag &&
           !atomic_compare_exchange_weak_explicit(&trust->words[place.index], &word, 0, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}
