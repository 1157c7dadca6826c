/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The replay memory, cut up once when it is formatted:
 *
 *   [ header | shards … | reaches … | buckets … ]
 *
 *   header    what the memory is and how it was cut; the magic is written last. Every process computes the same cut
 *             from the size alone and compares.
 *   shards    a power of two, each with a robust mutex, counters, and its own ring of buckets
 *   reaches   one for each bucket: how far from it, in buckets along the ring, a mark may stand that belongs to it
 *   buckets   64 octets, four marks
 *
 *   mark      | fingerprint 0 … 31, expiry | fingerprint 32 … 79, life |      two 64-bit words
 *
 * A mark is a SHA-256 value. 80 bits tell it from a million others (but for once in 2^60), and a mark taken for another
 * would refuse a sign-in, not admit one. The fingerprint alone decides shard and bucket, its home. The expiry is in
 * Unix seconds, rounded up; 0 is an empty place. The life is how many seconds the expiry was away when the mark was set
 * (65,535 for more): only counted, to say how far back the memory reaches.
 *
 * A new mark goes into the nearest place from its home that is empty or whose mark has expired. A search looks at all
 * buckets from the home to the home's reach, because a place before the mark may have expired meanwhile. The reach is
 * raised before a mark is written beyond it, and falls back, when the home is next added to, to the farthest of its
 * marks still in the memory, alive or not. A shard is full when none of its places is free. Chance fills the shards
 * unevenly: each has the mean of marks, give or take its square root. They have at least 32,768 places, so the first is
 * full when some 99 of 100 places of the memory are in use; before 95 are, it would have to be nine times that root
 * above the mean.
 *
 * Nothing but a new mark ever overwrites an expired one: after the clock was set back, a mark that seemed to be past
 * its time is found again, as the message it guards would be accepted again. And while the clock is so wrong that live
 * marks seem expired, genuine messages seem expired too, so that no marks are added in their places.
 *
 * Adding takes the shard's mutex, so of any number of callers exactly one finds the mark missing. Finding takes none:
 * the two words of a mark never change while it is alive, and they are written in the order: expiry 0, second word,
 * first word with the expiry, each a release store. A reader that sees the expiry therefore sees the fingerprint that
 * goes with it; it loads the first word again to be sure that the second belonged to it.
 *
 * A process killed while it adds leaves an empty place or a whole mark, and at worst a reach too long: nothing to
 * repair. The mark of a killed process stays, and the message that it was set for is refused from then on: fail closed.
 */
#include "session/replay.h"

#include "base/robust.h"

#include <stdatomic.h>

#if ATOMIC_SHORT_LOCK_FREE != 2 || ATOMIC_LLONG_LOCK_FREE != 2
#error "the replay memory needs lock-free 16-bit and 64-bit atomics"
#endif

#define MAGIC 0x31656c706552534fu
#define VERSION 2

#define PLACES 4 /* marks a bucket */
#define BUCKETS_LEAST 16
#define SHARDS_MOST 1024
#define BUCKETS_PER_SHARD 8192 /* the larger a shard, the less it differs from the others in fill */
#define REACH_MOST 0xffffu

/* Buckets that counting looks at: 16 MiB, some milliseconds. Of a larger memory it takes every second, every third … */
#define LOOKS ((apr_size_t)1 << 18)

/* A mark that is dead on arrival lives so long all the same, so that of several callers still only one wins. */
#define LIFE_LEAST 60
#define LIFE_MOST 0xffffu /* that the second word has room for */

typedef struct {
    _Atomic apr_uint64_t first;  /* fingerprint 0 … 31 in the upper half, expiry in the lower */
    _Atomic apr_uint64_t second; /* fingerprint 32 … 79 in the upper 48 bits, life in the lower 16 */
} mark_t;
_Static_assert(sizeof(mark_t) == ES_REPLAY_MARK, "a mark is as long as the header says");

typedef struct {
    _Alignas(64) mark_t place[PLACES];
} bucket_t;

typedef struct {
    es_robust_t lock;
    _Alignas(64) _Atomic apr_uint64_t added;
    _Atomic apr_uint64_t refused;
} shard_t;

typedef struct {
    _Atomic apr_uint64_t magic;
    apr_uint64_t size;
    apr_uint32_t version, mutex, n_shards, n_buckets;
} header_t;

typedef struct {
    apr_uint32_t n_shards, n_buckets;
    apr_size_t shards, reaches, buckets, end;
} cut_t;

struct es_replay_t {
    shard_t *shards;
    _Atomic apr_uint16_t *reaches;
    bucket_t *buckets;
    apr_uint32_t n_shards;
    apr_uint32_t n_buckets; /* a shard */
};

/* A mark as it is looked for, and where it belongs. */
typedef struct {
    apr_uint64_t first;  /* with expiry 0 */
    apr_uint64_t second; /* with life 0 */
    apr_uint32_t shard, home;
} print_t;

static apr_size_t round_up(apr_size_t value, apr_size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static cut_t cut_for(apr_size_t total)
{
    cut_t cut;

    cut.n_shards = 1;
    while (cut.n_shards < SHARDS_MOST && cut.n_shards * 2 <= total / BUCKETS_PER_SHARD) {
        cut.n_shards *= 2;
    }
    cut.n_buckets = (apr_uint32_t)(total / cut.n_shards);
    if (cut.n_buckets > REACH_MOST) {
        cut.n_buckets = REACH_MOST;
    }
    cut.shards = round_up(sizeof(header_t), 64);
    cut.reaches = cut.shards + cut.n_shards * sizeof(shard_t);
    cut.buckets =
        round_up(cut.reaches + (apr_size_t)cut.n_shards * cut.n_buckets * sizeof(apr_uint16_t), sizeof(bucket_t));
    cut.end = cut.buckets + (apr_size_t)cut.n_shards * cut.n_buckets * sizeof(bucket_t);
    return cut;
}

static es_rv_t cut_all(es_replay_t *replay, unsigned char *memory, apr_size_t size, es_why_t *why)
{
    apr_size_t total = size / (sizeof(bucket_t) + sizeof(apr_uint16_t));
    cut_t cut = cut_for(total);

    while (cut.end > size && total > BUCKETS_LEAST) {
        cut = cut_for(--total);
    }
    if (cut.end > size || total < BUCKETS_LEAST || (apr_uintptr_t)memory % 4096 != 0) {
        return es_fail(why, ES_CONFIG_STATE, "%lu octets of memory are too few for replay marks, or not aligned",
                       (unsigned long)size);
    }
    replay->shards = (shard_t *)(void *)(memory + cut.shards);
    replay->reaches = (_Atomic apr_uint16_t *)(void *)(memory + cut.reaches);
    replay->buckets = (bucket_t *)(void *)(memory + cut.buckets);
    replay->n_shards = cut.n_shards;
    replay->n_buckets = cut.n_buckets;
    return ES_OK;
}

static header_t header_for(const es_replay_t *replay, apr_size_t size)
{
    header_t header;

    memset(&header, 0, sizeof header);
    header.size = size;
    header.version = VERSION;
    header.mutex = sizeof(pthread_mutex_t);
    header.n_shards = replay->n_shards;
    header.n_buckets = replay->n_buckets;
    return header;
}

apr_size_t es_replay_minimum(void)
{
    return round_up(cut_for(BUCKETS_LEAST).end, 4096);
}

static es_rv_t make_locks(es_replay_t *replay, es_why_t *why)
{
    apr_uint32_t i;

    for (i = 0; i < replay->n_shards; i++) {
        if (es_robust_make(&replay->shards[i].lock) != 0) {
            return es_fail(why, ES_INTERNAL, "cannot make the mutex of replay shard %u", i);
        }
    }
    return ES_OK;
}

es_rv_t es_replay_format(void *memory, apr_size_t size, es_why_t *why)
{
    es_replay_t replay;
    header_t *header = memory;
    es_rv_t rv = cut_all(&replay, memory, size, why);

    if (rv != ES_OK) {
        return rv;
    }
    atomic_store(&header->magic, 0);
    memset(memory, 0,
           (apr_size_t)((unsigned char *)(replay.buckets + (apr_size_t)replay.n_shards * replay.n_buckets) -
                        (unsigned char *)memory));
    rv = make_locks(&replay, why);
    if (rv != ES_OK) {
        return rv;
    }
    *header = header_for(&replay, size);
    atomic_store(&header->magic, MAGIC);
    return ES_OK;
}

es_rv_t es_replay_attach(es_replay_t **replay, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool)
{
    es_replay_t *made = apr_pcalloc(pool, sizeof *made);
    const header_t *header = memory;
    es_rv_t rv = cut_all(made, memory, size, why);
    header_t expected;

    if (rv != ES_OK) {
        return rv;
    }
    expected = header_for(made, size);
    if (atomic_load(&header->magic) != MAGIC) {
        return es_fail(why, ES_CONFIG_STATE, "the memory holds no replay marks");
    }
    if (memcmp((const char *)header + sizeof header->magic, (const char *)&expected + sizeof expected.magic,
               sizeof expected - sizeof expected.magic) != 0) {
        return es_fail(why, ES_CONFIG_STATE,
                       "the replay marks were made for another size or by another version (layout %u, %lu octets)",
                       header->version, (unsigned long)header->size);
    }
    *replay = made;
    return ES_OK;
}

static print_t place_words(const es_replay_t *replay, apr_uint64_t first, apr_uint64_t second)
{
    print_t print;

    print.first = first >> 32 << 32;
    print.second = second & ~(apr_uint64_t)LIFE_MOST;
    print.shard = (apr_uint32_t)(first >> 32) & (replay->n_shards - 1);
    print.home = (apr_uint32_t)((second >> 32) * replay->n_buckets >> 32);
    return print;
}

static print_t print_of(const es_replay_t *replay, const es_hash_t *mark)
{
    apr_uint32_t first;
    apr_uint64_t second;

    memcpy(&first, mark->octet, sizeof first);
    memcpy(&second, mark->octet + sizeof first, sizeof second);
    return place_words(replay, (apr_uint64_t)first << 32, second);
}

/* The way back from print_of, to as much of the mark as took part in it. */
static void unprint(es_hash_t *mark, apr_uint64_t first, apr_uint64_t second)
{
    const apr_uint32_t start = (apr_uint32_t)(first >> 32);

    second &= ~(apr_uint64_t)LIFE_MOST;
    memset(mark, 0, sizeof *mark);
    memcpy(mark->octet, &start, sizeof start);
    memcpy(mark->octet + sizeof start, &second, sizeof second);
}

static apr_uint32_t expiry_of(apr_uint64_t first)
{
    return (apr_uint32_t)first;
}

static apr_uint32_t life_of(apr_uint64_t second)
{
    return (apr_uint32_t)(second & LIFE_MOST);
}

/* Do a mark's words carry the fingerprint? */
static int is_print(apr_uint64_t first, apr_uint64_t second, const print_t *print)
{
    return first >> 32 << 32 == print->first && (second & ~(apr_uint64_t)LIFE_MOST) == print->second;
}

static apr_uint32_t seconds(apr_time_t time)
{
    apr_time_t whole = apr_time_sec(time);

    return whole < 0 ? 0 : whole > 0xffffffffLL ? 0xffffffffu : (apr_uint32_t)whole;
}

static bucket_t *bucket_at(const es_replay_t *replay, const print_t *print, apr_uint32_t distance)
{
    apr_uint32_t at = print->home + distance;

    if (at >= replay->n_buckets) {
        at -= replay->n_buckets;
    }
    return &replay->buckets[(apr_size_t)print->shard * replay->n_buckets + at];
}

static _Atomic apr_uint16_t *reach_of(const es_replay_t *replay, const print_t *print)
{
    return &replay->reaches[(apr_size_t)print->shard * replay->n_buckets + print->home];
}

/* The reach as the memory has it, within the ring. */
static apr_uint32_t get_reach(const es_replay_t *replay, const print_t *print)
{
    apr_uint32_t reach = atomic_load_explicit(reach_of(replay, print), memory_order_acquire);

    return reach < replay->n_buckets ? reach : replay->n_buckets - 1;
}

es_rv_t es_replay_find(int *found, es_replay_t *replay, const es_hash_t *mark, apr_time_t now, es_why_t *why)
{
    print_t print = print_of(replay, mark);
    apr_uint32_t distance, reach = get_reach(replay, &print);
    int i, hit = 0;

    (void)why; /* nothing can fail here; a store over the network will differ */
    for (distance = 0; distance <= reach && !hit; distance++) {
        bucket_t *bucket = bucket_at(replay, &print, distance);

        for (i = 0; i < PLACES && !hit; i++) {
            apr_uint64_t first = atomic_load_explicit(&bucket->place[i].first, memory_order_acquire);

            if (expiry_of(first) > seconds(now)) {
                hit = is_print(first, atomic_load_explicit(&bucket->place[i].second, memory_order_acquire), &print) &&
                      atomic_load_explicit(&bucket->place[i].first, memory_order_relaxed) == first;
            }
        }
    }
    *found = hit;
    return ES_OK;
}

/* What a walk along the reach of a home finds, with the shard held. */
typedef struct {
    int found;
    mark_t *free; /* the nearest free place, NULL: none yet */
    apr_uint32_t free_at;
    apr_uint32_t farthest; /* of the home's own marks */
} walk_t;

static void look_at(walk_t *walk, const es_replay_t *replay, const print_t *print, apr_uint32_t distance,
                    apr_uint32_t now)
{
    bucket_t *bucket = bucket_at(replay, print, distance);
    int i;

    for (i = 0; i < PLACES; i++) {
        mark_t *mark = &bucket->place[i];
        apr_uint64_t first = atomic_load_explicit(&mark->first, memory_order_relaxed);
        apr_uint64_t second = atomic_load_explicit(&mark->second, memory_order_relaxed);

        if (expiry_of(first) <= now) {
            /* Within a bucket the place that is empty, or has been past its time for longest. */
            if (!walk->free ||
                (walk->free_at == distance &&
                 expiry_of(first) < expiry_of(atomic_load_explicit(&walk->free->first, memory_order_relaxed)))) {
                walk->free = mark;
                walk->free_at = distance;
            }
        } else if (is_print(first, second, print)) {
            walk->found = 1;
        }
        if (expiry_of(first) != 0 && place_words(replay, first, second).home == print->home) {
            walk->farthest = distance;
        }
    }
}

static void write_mark(mark_t *mark, const print_t *print, apr_uint32_t expires, apr_uint32_t now)
{
    apr_uint32_t life = expires - now < LIFE_MOST ? expires - now : LIFE_MOST;

    atomic_store_explicit(&mark->first, 0, memory_order_release);
    atomic_store_explicit(&mark->second, print->second | life, memory_order_release);
    atomic_store_explicit(&mark->first, print->first | expires, memory_order_release);
}

/* With the shard held. Returns 0 when there is no room. */
static int add_held(int *added, es_replay_t *replay, const print_t *print, apr_uint32_t expires, apr_uint32_t now)
{
    walk_t walk = { 0, NULL, 0, 0 };
    apr_uint32_t distance, reach = get_reach(replay, print);

    for (distance = 0; distance <= reach; distance++) {
        look_at(&walk, replay, print, distance, now);
    }
    if (walk.found) {
        *added = 0;
        return 1;
    }
    for (; !walk.free && distance < replay->n_buckets; distance++) {
        look_at(&walk, replay, print, distance, now);
    }
    if (!walk.free) {
        return 0;
    }
    reach = walk.free_at > walk.farthest ? walk.free_at : walk.farthest;
    atomic_store_explicit(reach_of(replay, print), (apr_uint16_t)reach, memory_order_release);
    write_mark(walk.free, print, expires, now);
    *added = 1;
    return 1;
}

es_rv_t es_replay_add(int *added, es_replay_t *replay, const es_hash_t *mark, apr_time_t expires, apr_time_t now,
                      es_why_t *why)
{
    print_t print = print_of(replay, mark);
    shard_t *shard = &replay->shards[print.shard];
    apr_uint32_t at = seconds(now), until = seconds(expires + APR_USEC_PER_SEC - 1);
    int room, won = 0;

    if (until <= at) {
        until = at + LIFE_LEAST;
    }
    if (es_robust_take(&shard->lock) == ES_ROBUST_FAILED) {
        return es_fail(why, ES_INTERNAL, "the mutex of replay shard %u cannot be taken", print.shard);
    }
    room = add_held(&won, replay, &print, until, at);
    atomic_fetch_add_explicit(&shard->added, won, memory_order_relaxed);
    atomic_fetch_add_explicit(&shard->refused, !room, memory_order_relaxed);
    es_robust_release(&shard->lock);
    if (!room) {
        return es_fail(why, ES_MARKS_FULL, "all %lu replay marks of shard %u are in use",
                       (unsigned long)replay->n_buckets * PLACES, print.shard);
    }
    *added = won;
    return ES_OK;
}

/* The mutexes anew; the reaches anew from the marks themselves; a mark that stands in a shard not its own is damage and
 * would never be found. */
es_rv_t es_replay_recover(es_replay_t *replay, es_why_t *why)
{
    apr_size_t i, total = (apr_size_t)replay->n_shards * replay->n_buckets;
    int j;

    for (i = 0; i < total; i++) {
        atomic_store(&replay->reaches[i], 0);
    }
    for (i = 0; i < total; i++) {
        apr_uint32_t shard = (apr_uint32_t)(i / replay->n_buckets), at = (apr_uint32_t)(i % replay->n_buckets);

        for (j = 0; j < PLACES; j++) {
            mark_t *mark = &replay->buckets[i].place[j];
            apr_uint64_t first = atomic_load(&mark->first);
            print_t print = place_words(replay, first, atomic_load(&mark->second));
            apr_uint32_t distance = at >= print.home ? at - print.home : at + replay->n_buckets - print.home;

            if (expiry_of(first) == 0 || print.shard != shard) {
                atomic_store(&mark->first, 0);
            } else if (distance > get_reach(replay, &print)) {
                atomic_store(reach_of(replay, &print), (apr_uint16_t)distance);
            }
        }
    }
    return make_locks(replay, why);
}

int es_replay_next(es_replay_mark_t *mark, apr_size_t *at, const es_replay_t *replay, apr_time_t now)
{
    const apr_size_t total = (apr_size_t)replay->n_shards * replay->n_buckets * PLACES;

    while (*at < total) {
        const mark_t *place = &replay->buckets[*at / PLACES].place[*at % PLACES];
        apr_uint64_t first = atomic_load_explicit(&place->first, memory_order_acquire);
        apr_uint64_t second = atomic_load_explicit(&place->second, memory_order_acquire);

        ++*at;
        if (expiry_of(first) > seconds(now)) {
            unprint(&mark->mark, first, second);
            mark->expires = apr_time_from_sec((apr_time_t)expiry_of(first));
            mark->set = mark->expires - apr_time_from_sec((apr_time_t)life_of(second));
            return 1;
        }
    }
    return 0;
}

/* Counts a bucket's marks that are alive. A mark that is overwritten meanwhile may be counted with the wrong life. */
static void count_bucket(es_replay_counters_t *sum, const bucket_t *bucket, apr_uint32_t now)
{
    int i;

    for (i = 0; i < PLACES; i++) {
        apr_uint32_t expires = expiry_of(atomic_load_explicit(&bucket->place[i].first, memory_order_relaxed));
        apr_uint32_t life = life_of(atomic_load_explicit(&bucket->place[i].second, memory_order_relaxed));

        if (expires > now) {
            apr_time_t set = apr_time_from_sec((apr_time_t)expires - life);

            sum->oldest = sum->used == 0 || set < sum->oldest ? set : sum->oldest;
            sum->used++;
        }
    }
}

void es_replay_count(es_replay_counters_t *counters, es_replay_t *replay, apr_time_t now)
{
    es_replay_counters_t sum;
    const apr_size_t total = (apr_size_t)replay->n_shards * replay->n_buckets;
    const apr_size_t stride = (total + LOOKS - 1) / LOOKS;
    apr_size_t i, looked = 0;

    memset(&sum, 0, sizeof sum);
    sum.room = total * PLACES;
    for (i = 0; i < total; i += stride) {
        count_bucket(&sum, &replay->buckets[i], seconds(now));
        looked++;
    }
    sum.used = sum.used * total / looked;
    sum.sampled = stride > 1;
    for (i = 0; i < replay->n_shards; i++) {
        sum.added += atomic_load_explicit(&replay->shards[i].added, memory_order_relaxed);
        sum.refused += atomic_load_explicit(&replay->shards[i].refused, memory_order_relaxed);
    }
    *counters = sum;
}
