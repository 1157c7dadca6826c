/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The index, cut up once when it is formatted:
 *
 *   [ header, with the mutex | depths … | cells … ]
 *
 *   header    what the memory is and how it was cut; the magic is written last. Every process computes the same cut
 *             from the size alone and compares.
 *   depths    one for each line: into how many windows the entries at home there are spread, beside the first
 *   cells     16 octets, four to a line of 64:   | fingerprint | block, state |      two 64-bit words
 *
 * A cell names a subject by the first 64 bits of its hash, and a record by the block of its head and that block's state
 * (version and kind, table_layout.h). The state moves when the record goes: a cell is alive as long as the table says
 * that the block still has the state, and free otherwise. A cell of zeros was never used, and the state of no head.
 *
 * The fingerprint alone decides the line that is an entry's home. From there on eight lines are its first window, where
 * nearly all entries stand. A subject with more sessions than a window has cells (a robot, the account that all scanners
 * of a warehouse share) gets further windows, each somewhere else in the ring, so that it fills nobody else's
 * neighbourhood; the home's depth counts them. A new entry goes into one of the home's windows, whichever of a few of
 * them has a free cell; when none has, into the next. So adding looks at a bounded number of cells however many
 * sessions a subject has, and finding at about as many as it has. The depth falls back, when the home is next added to,
 * past windows without a living entry of that home.
 *
 * Adding takes the mutex. One for all: it is held for less than a microsecond, next to the 400 that verifying a
 * sign-in's signature takes. Finding takes none: the words of a cell never change while it is alive, a depth is raised
 * before an entry is written beyond it and lowered only where there is none.
 *
 * A record is in the table before its entries are written, so no entry is ever taken for free because its record is
 * still to come.
 *
 * A process killed while it adds leaves a free cell or a whole one, and at worst a depth too large: nothing to repair.
 * Its session has then fewer entries than subjects, but also nobody who was ever given its cookie.
 */
#include "session/index.h"

#include "base/robust.h"

#include <stdatomic.h>
#include <stdlib.h>

#if ATOMIC_SHORT_LOCK_FREE != 2 || ATOMIC_LLONG_LOCK_FREE != 2
#error "the index needs lock-free 16-bit and 64-bit atomics"
#endif

#define MAGIC 0x31786564496c6553u
#define VERSION 1

#define CELLS 4 /* a line */
#define LINES_LEAST 16
#define LINES_MOST 0x7fffffffu
#define WINDOW 8 /* lines */
#define DEPTH_MOST 0xffffu

/* Windows in use that a new entry tries, and windows beyond them. Even nine tenths full, one window in thirty is; 32
 * of them are only when there is no free cell to speak of. */
#define TRIES_INSIDE 4
#define TRIES_BEYOND 32

typedef struct {
    _Atomic apr_uint64_t print;
    _Atomic apr_uint64_t spot; /* block in the upper half, state in the lower */
} cell_t;

typedef struct {
    _Alignas(64) cell_t cell[CELLS];
} line_t;

typedef struct {
    _Atomic apr_uint64_t magic;
    apr_uint64_t size;
    apr_uint32_t version, mutex, n_lines, window;
} description_t;

typedef struct {
    description_t is;
    es_robust_t lock;
} header_t;

struct es_index_t {
    es_robust_t *lock;
    _Atomic apr_uint16_t *depths;
    line_t *lines;
    apr_uint32_t n_lines;
};

static apr_size_t round_up(apr_size_t value, apr_size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static apr_size_t lines_at(apr_uint32_t n_lines)
{
    return round_up(sizeof(header_t) + n_lines * sizeof(apr_uint16_t), sizeof(line_t));
}

static apr_size_t end_for(apr_uint32_t n_lines)
{
    return lines_at(n_lines) + n_lines * sizeof(line_t);
}

static es_rv_t cut_all(es_index_t *index, unsigned char *memory, apr_size_t size, es_why_t *why)
{
    apr_size_t n_lines = size / (sizeof(line_t) + sizeof(apr_uint16_t));

    if (n_lines > LINES_MOST) {
        n_lines = LINES_MOST;
    }
    while (n_lines > LINES_LEAST && end_for((apr_uint32_t)n_lines) > size) {
        n_lines--;
    }
    if (n_lines < LINES_LEAST || end_for((apr_uint32_t)n_lines) > size || (apr_uintptr_t)memory % 4096 != 0) {
        return es_fail(why, ES_CONFIG_STATE, "%lu octets of memory are too few for an index, or not aligned",
                       (unsigned long)size);
    }
    index->lock = &((header_t *)(void *)memory)->lock;
    index->depths = (_Atomic apr_uint16_t *)(void *)(memory + sizeof(header_t));
    index->lines = (line_t *)(void *)(memory + lines_at((apr_uint32_t)n_lines));
    index->n_lines = (apr_uint32_t)n_lines;
    return ES_OK;
}

static description_t description_for(const es_index_t *index, apr_size_t size)
{
    description_t is;

    memset(&is, 0, sizeof is);
    is.size = size;
    is.version = VERSION;
    is.mutex = sizeof(pthread_mutex_t);
    is.n_lines = index->n_lines;
    is.window = WINDOW;
    return is;
}

apr_size_t es_index_minimum(void)
{
    return round_up(end_for(LINES_LEAST), 4096);
}

es_rv_t es_index_format(void *memory, apr_size_t size, es_why_t *why)
{
    es_index_t index;
    header_t *header = memory;
    es_rv_t rv = cut_all(&index, memory, size, why);

    if (rv != ES_OK) {
        return rv;
    }
    atomic_store(&header->is.magic, 0);
    memset(memory, 0, end_for(index.n_lines));
    rv = es_index_recover(&index, why);
    if (rv != ES_OK) {
        return rv;
    }
    header->is = description_for(&index, size);
    atomic_store(&header->is.magic, MAGIC);
    return ES_OK;
}

es_rv_t es_index_attach(es_index_t **index, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool)
{
    es_index_t *made = apr_pcalloc(pool, sizeof *made);
    const description_t *is = memory;
    es_rv_t rv = cut_all(made, memory, size, why);
    description_t expected;

    if (rv != ES_OK) {
        return rv;
    }
    expected = description_for(made, size);
    if (atomic_load(&is->magic) != MAGIC) {
        return es_fail(why, ES_CONFIG_STATE, "the memory holds no index");
    }
    if (memcmp((const char *)is + sizeof is->magic, (const char *)&expected + sizeof expected.magic,
               sizeof expected - sizeof expected.magic) != 0) {
        return es_fail(why, ES_CONFIG_STATE,
                       "the index was made for another size or by another version (layout %u, %lu octets)", is->version,
                       (unsigned long)is->size);
    }
    *index = made;
    return ES_OK;
}

es_rv_t es_index_recover(es_index_t *index, es_why_t *why)
{
    return es_robust_make(index->lock) == 0 ? ES_OK : es_fail(why, ES_INTERNAL, "cannot make the mutex of the index");
}

static apr_uint64_t print_of(const es_hash_t *subject)
{
    apr_uint64_t print;

    memcpy(&print, subject->octet, sizeof print);
    return print;
}

static apr_uint32_t home_of(const es_index_t *index, apr_uint64_t print)
{
    return (apr_uint32_t)((print >> 32) * index->n_lines >> 32);
}

/* The finaliser of splitmix64: neighbours get windows that have nothing to do with each other. */
static apr_uint64_t mix(apr_uint64_t number)
{
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

/* A cell of a home's window, 0 … WINDOW * CELLS - 1. */
static cell_t *cell_at(const es_index_t *index, apr_uint32_t home, apr_uint32_t window, apr_uint32_t number)
{
    apr_uint64_t start = window == 0 ? home : mix((apr_uint64_t)window << 32 | home) % index->n_lines;

    return &index->lines[(start + number / CELLS) % index->n_lines].cell[number % CELLS];
}

static es_table_spot_t spot_in(const cell_t *cell)
{
    apr_uint64_t word = atomic_load_explicit(&cell->spot, memory_order_acquire);
    es_table_spot_t spot = { (apr_uint32_t)(word >> 32), (apr_uint32_t)word };

    return spot;
}

static int is_alive(const cell_t *cell, const es_table_t *table)
{
    es_table_spot_t spot = spot_in(cell);

    return es_table_holds(table, &spot);
}

/* The first free cell of a window, NULL where there is none. */
static cell_t *free_cell(const es_index_t *index, const es_table_t *table, apr_uint32_t home, apr_uint32_t window)
{
    apr_uint32_t i;

    for (i = 0; i < WINDOW * CELLS; i++) {
        cell_t *cell = cell_at(index, home, window, i);

        if (!is_alive(cell, table)) {
            return cell;
        }
    }
    return NULL;
}

/* Does a window hold a living entry of the home it is a window of? */
static int is_used(const es_index_t *index, const es_table_t *table, apr_uint32_t home, apr_uint32_t window)
{
    apr_uint32_t i;

    for (i = 0; i < WINDOW * CELLS; i++) {
        cell_t *cell = cell_at(index, home, window, i);
        apr_uint64_t print = atomic_load_explicit(&cell->print, memory_order_relaxed);

        if (home_of(index, print) == home && is_alive(cell, table)) {
            return 1;
        }
    }
    return 0;
}

/* A free cell for a new entry, the home's depth being what it must be for it; NULL when there is none. */
static cell_t *make_place(es_index_t *index, const es_table_t *table, apr_uint32_t home, apr_uint64_t chance)
{
    apr_uint32_t old = atomic_load_explicit(&index->depths[home], memory_order_relaxed), depth = old, window;
    cell_t *cell = NULL;
    int try;

    while (depth > 0 && !is_used(index, table, home, depth)) {
        depth--;
    }
    for (try = 0; try < TRIES_INSIDE && !cell; try++) {
        window = try == 0 ? 0 : (apr_uint32_t)(mix(chance + (apr_uint64_t)try) % (depth + 1));
        cell = free_cell(index, table, home, window);
    }
    for (try = 0, window = depth; try < TRIES_BEYOND && window < DEPTH_MOST && !cell; try++) {
        cell = free_cell(index, table, home, ++window);
        depth = cell ? window : depth;
    }
    if (depth != old) {
        atomic_store_explicit(&index->depths[home], (apr_uint16_t)depth, memory_order_release);
    }
    return cell;
}

es_rv_t es_index_add(es_index_t *index, es_table_t *table, const es_hash_t *subject, const es_table_spot_t *spot,
                     es_why_t *why)
{
    apr_uint64_t print = print_of(subject), word = (apr_uint64_t)spot->block << 32 | spot->state;
    cell_t *cell;

    if (es_robust_take(index->lock) == ES_ROBUST_FAILED) {
        return es_fail(why, ES_INTERNAL, "the mutex of the index cannot be taken");
    }
    cell = make_place(index, table, home_of(index, print), word);
    if (cell) {
        atomic_store_explicit(&cell->spot, 0, memory_order_release);
        atomic_store_explicit(&cell->print, print, memory_order_release);
        atomic_store_explicit(&cell->spot, word, memory_order_release);
    }
    es_robust_release(index->lock);
    if (!cell) {
        return es_fail(why, ES_STORE_FULL, "all %lu places of the index are in use",
                       (unsigned long)index->n_lines * CELLS);
    }
    return ES_OK;
}

/* Looks at the words in the order opposite to that in which they are written: whose spot is seen, his fingerprint is. */
static int is_entry(es_table_spot_t *spot, const cell_t *cell, apr_uint64_t print, const es_table_t *table)
{
    *spot = spot_in(cell);
    return atomic_load_explicit(&cell->print, memory_order_relaxed) == print && es_table_holds(table, spot);
}

static int compare_blocks(const void *a, const void *b)
{
    const apr_uint32_t x = ((const es_table_spot_t *)a)->block, y = ((const es_table_spot_t *)b)->block;

    return x < y ? -1 : x > y;
}

/* Windows may overlap, and their cells be seen twice; returns how many spots are left. */
static int drop_doubles(es_table_spot_t *spots, int n)
{
    int i, kept = 0;

    if (n > 1) {
        qsort(spots, (size_t)n, sizeof *spots, compare_blocks);
    }
    for (i = 0; i < n; i++) {
        if (kept == 0 || spots[kept - 1].block != spots[i].block) {
            spots[kept++] = spots[i];
        }
    }
    return kept;
}

static es_table_spot_t *grow(const es_table_spot_t *spots, int n, int room, apr_pool_t *pool)
{
    es_table_spot_t *more = apr_palloc(pool, (apr_size_t)room * sizeof *more);

    if (n > 0) {
        memcpy(more, spots, (apr_size_t)n * sizeof *more);
    }
    return more;
}

int es_index_find(const es_table_spot_t **spots, es_index_t *index, const es_table_t *table, const es_hash_t *subject,
                  apr_pool_t *pool)
{
    const apr_uint64_t print = print_of(subject);
    const apr_uint32_t home = home_of(index, print);
    const apr_uint32_t depth = atomic_load_explicit(&index->depths[home], memory_order_acquire);
    es_table_spot_t *found = NULL;
    apr_uint32_t window, i;
    int n = 0, room = 0;

    for (window = 0; window <= depth; window++) {
        for (i = 0; i < WINDOW * CELLS; i++) {
            es_table_spot_t spot;

            if (!is_entry(&spot, cell_at(index, home, window, i), print, table)) {
                continue;
            }
            if (n == room) {
                room = 2 * n + 8;
                found = grow(found, n, room, pool);
            }
            found[n++] = spot;
        }
    }
    n = drop_doubles(found, n);
    *spots = found;
    return n;
}

int es_index_next(es_hash_t *subject, es_table_spot_t *spot, apr_size_t *at, const es_index_t *index,
                  const es_table_t *table)
{
    while (*at < (apr_size_t)index->n_lines * CELLS) {
        const cell_t *cell = &index->lines[*at / CELLS].cell[*at % CELLS];

        ++*at;
        *spot = spot_in(cell);
        if (es_table_holds(table, spot)) {
            apr_uint64_t print = atomic_load_explicit(&cell->print, memory_order_relaxed);

            memset(subject, 0, sizeof *subject);
            memcpy(subject->octet, &print, sizeof print);
            return 1;
        }
    }
    return 0;
}
