/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Killed at any moment, under load. Victims sign users in and out as fast as they can, and are killed one after the
 * other; beside them two readers use the sessions of bystanders, and two survivors, which are never killed, write
 * sessions and marks of their own and find all of them again. The survivors are the ones who meet a dead owner's
 * mutexes in their ordinary work.
 *
 * First in a store with room, where nobody's session may ever be missing; then in one that is full all the time, where
 * evictions are killed half-way and records may go, but no block may be lost.
 */
#include "crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOMY_KILLS 8000
#define FULL_KILLS 2000
#define ROOMY (8 * 1024 * 1024)
#define FULL (512 * 1024)

#define VICTIMS 3
#define READERS 2
#define SURVIVORS 2
#define LIFE_MOST_US 600 /* of a victim since the last kill */

/* Who uses which numbers. */
#define BYSTANDERS 300
#define OF_VICTIMS 1000
#define OF_SURVIVORS 100000
#define EACH 40
#define RACED_MARKS 20000

/* Shared by all processes. */
typedef struct {
    _Atomic unsigned long progress[READERS + SURVIVORS];
    _Atomic unsigned long at_work[VICTIMS]; /* operations that the victim in this place has done */
    _Atomic unsigned char winners[RACED_MARKS];
    int is_full;
} board_t;

typedef struct {
    board_t *board;
    es_store_t *store;
    apr_pool_t *pool;
    int place;
    unsigned round; /* of a victim */
} role_t;

static void read_on(role_t *role)
{
    unsigned number = (unsigned)random() % BYSTANDERS;
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;

    crash_insist(crash_store_has(role->store, number, role->pool) || role->board->is_full,
                 "a reader misses bystander %u", number);
    crash_insist(crash_store_lists(role->store, number, role->pool) || role->board->is_full,
                 "bystander %u is not found by subject", number);
    crash_store_has(role->store, OF_VICTIMS + (unsigned)random() % (VICTIMS * EACH), role->pool);
    if (role->store->find(&stored, role->store, &key, CRASH_NOW, &why, role->pool) == ES_OK && stored.record.data) {
        role->store->touch(role->store, &key, &stored, CRASH_NOW + random() % 100 * APR_USEC_PER_SEC);
    }
    role->board->progress[role->place]++;
}

/* A session and a mark that nobody else has. */
static void survive_on(role_t *role)
{
    static unsigned long turn;
    unsigned range = OF_SURVIVORS * (unsigned)(1 + role->place), number = range + (unsigned)random() % EACH;
    unsigned fresh = range + EACH + (unsigned)(turn++ % 500);
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    int removed = 0;

    crash_insist(crash_store_put(role->store, number, (apr_size_t)random() % 2500, role->pool),
                 "a survivor cannot sign in");
    crash_insist(crash_store_has(role->store, number, role->pool) || role->board->is_full,
                 "a survivor misses session %u", number);
    if (random() % 4 == 0) {
        es_rv_t rv = role->store->remove(&removed, role->store, &key, &why);

        crash_insist(rv == ES_OK && (removed || role->board->is_full), "a survivor cannot sign out");
    }
    crash_insist(crash_keep(role->store, number, 1 + (apr_size_t)random() % 1500, role->pool) || role->board->is_full,
                 "a survivor cannot have anything kept");
    crash_insist(crash_has_kept(role->store, number, 0, role->pool) || role->board->is_full,
                 "what was kept for a survivor is gone");
    crash_insist(crash_has_kept(role->store, number, 1, role->pool) || role->board->is_full,
                 "a survivor cannot take what was kept for him");
    crash_insist(!crash_has_kept(role->store, number, 0, role->pool), "what was taken is still there");
    crash_insist(turn > 500 ? crash_has_mark(role->store, fresh) && crash_mark(role->store, fresh) == 0
                            : crash_mark(role->store, fresh) == 1,
                 "a survivor's mark %u is not as it was left", fresh);
    role->board->progress[role->place]++;
}

/* Signs in, out, and races for marks with the other victims. */
static void work_on(role_t *role)
{
    unsigned number = OF_VICTIMS + (unsigned)role->place * EACH + (unsigned)random() % EACH;
    unsigned raced = (unsigned)random() % RACED_MARKS;
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;

    switch (random() % 9) {
    case 0:
        role->store->remove(NULL, role->store, &key, &why);
        break;
    case 1:
        role->board->winners[raced] += crash_mark(role->store, OF_VICTIMS * 1000 + raced) == 1;
        break;
    case 2:
        crash_has_kept(role->store, number, (int)(random() % 2), role->pool);
        break;
    case 3:
    case 4:
        crash_keep(role->store, number, (apr_size_t)random() % 1500, role->pool);
        break;
    default:
        crash_store_put(role->store, number, (apr_size_t)random() % 4000, role->pool);
    }
    role->board->at_work[role->place]++;
}

/* Starts a process that does one thing for ever. */
static pid_t begin(role_t role, void (*go)(role_t *role))
{
    pid_t child = crash_fork();

    if (child == 0) {
        apr_pool_create(&role.pool, NULL);
        srandom((unsigned)role.place + 100 * role.round);
        for (;;) {
            go(&role);
            apr_pool_clear(role.pool);
        }
    }
    return child;
}

static void end(pid_t child)
{
    int status;

    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    crash_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a process died by itself: status %d", status);
}

/* Waits until the counter has moved on; whose does not move waits for a mutex that never comes. */
static void await(_Atomic unsigned long *counter, const char *who)
{
    unsigned long before = *counter;
    time_t deadline = time(NULL) + CRASH_PATIENCE;

    while (*counter == before && time(NULL) < deadline) {
        usleep(100);
    }
    if (!crash_expect(*counter != before, "%s waits for ever", who)) {
        crash_finish(); /* the others would wait too */
    }
}

static void kill_victims(role_t role, unsigned kills)
{
    board_t *board = role.board;
    pid_t victims[VICTIMS] = { 0 };

    for (role.round = 0; role.round < kills; role.round++) {
        role.place = (int)(role.round % VICTIMS);
        if (victims[role.place]) {
            await(&board->at_work[role.place], "a victim");
            usleep((useconds_t)random() % LIFE_MOST_US);
            end(victims[role.place]);
            crash_expect(crash_store_has(role.store, role.round % BYSTANDERS, role.pool) || board->is_full,
                         "kill %u: a bystander's session is gone", role.round);
        }
        victims[role.place] = begin(role, work_on);
        if (role.round % 500 == 0) {
            for (int i = 0; i < READERS + SURVIVORS; i++) {
                await(&board->progress[i], i < READERS ? "a reader" : "a survivor");
            }
            apr_pool_clear(role.pool);
        }
    }
    for (int i = 0; i < VICTIMS; i++) {
        end(victims[i]);
    }
}

/* When all that was kept is past its time the ring is empty, and every block of it can be used. */
static void look_after_ring(role_t role, es_shm_t *shm)
{
    es_shm_counters_t count;
    unsigned n = 0;

    es_shm_count(&count, shm, CRASH_NOW);
    printf("%-12s %lu repairs, %lu kept, %lu taken, %lu given up\n", "  (ring)", (unsigned long)count.ring.repaired,
           (unsigned long)count.ring.kept, (unsigned long)count.ring.taken, (unsigned long)count.ring.evicted);
    crash_expect(count.ring.repaired > 0, "no kill struck anybody in the ring");
    es_shm_tidy(shm, CRASH_LATER);
    es_shm_count(&count, shm, CRASH_NOW);
    crash_expect(count.ring.used == 0, "%lu octets of the ring are nobody's", (unsigned long)count.ring.used);
    while (count.ring.used + 1024 <= count.ring.room && crash_keep(role.store, n, 900, role.pool)) {
        es_shm_count(&count, shm, CRASH_NOW);
        n++;
    }
    crash_expect(count.ring.used + 1024 > count.ring.room && crash_has_kept(role.store, 0, 0, role.pool),
                 "blocks of the ring are lost");
}

/* Nobody is left: everything is there, and a fresh start finds the memory whole. */
static void look_after(role_t role, es_shm_t *shm)
{
    es_shm_counters_t before, after;
    es_why_t why = ES_WHY_INIT;
    unsigned gone = 0, twice = 0, n;

    es_shm_count(&before, shm, CRASH_NOW);
    crash_expect(es_shm_recover(shm, &why) == ES_OK, "after all kills: %s", why.text);
    for (n = 0; n < BYSTANDERS; n++) {
        gone += !crash_store_has(role.store, n, role.pool) || !crash_store_lists(role.store, n, role.pool);
    }
    for (n = 0; n < RACED_MARKS; n++) {
        twice += role.board->winners[n] > 1;
    }
    crash_expect(gone == 0 || role.board->is_full, "%u bystanders have lost their sessions", gone);
    crash_expect(twice == 0, "%u marks were won twice", twice);
    for (n = 0; n < 4 * before.table.blocks && role.board->is_full; n++) {
        crash_store_put(role.store, 10 * OF_SURVIVORS + n, 1, role.pool);
    }
    es_shm_count(&after, shm, CRASH_NOW);
    crash_expect(!role.board->is_full || after.table.blocks_used == after.table.blocks, "blocks are lost");
    crash_expect(role.board->is_full ? before.table.evicted > 0 : before.table.evicted == 0,
                 "%lu sessions were evicted", (unsigned long)before.table.evicted);
    crash_expect(before.table.repaired > 0, "no kill struck a writer inside");
    printf("%-12s %lu repairs, %lu sign-ins, %lu reads, %lu evictions\n", role.board->is_full ? "  (full)" : "  (room)",
           (unsigned long)before.table.repaired, (unsigned long)before.table.inserted,
           role.board->progress[0] + role.board->progress[1], (unsigned long)before.table.evicted);
}

static void kill_in(apr_size_t size, int is_full, unsigned kills, apr_pool_t *parent)
{
    void *memory = crash_memory(size);
    es_why_t why = ES_WHY_INIT;
    role_t role = { crash_memory(sizeof *role.board), NULL, NULL, 0, 0 };
    pid_t others[READERS + SURVIVORS];
    es_shm_t *shm = NULL;

    apr_pool_create(&role.pool, parent);
    role.board->is_full = is_full;
    if (!crash_expect(es_shm_format(memory, size, &why) == ES_OK &&
                          es_shm_attach(&shm, memory, size, &why, parent) == ES_OK,
                      "%s", why.text)) {
        return;
    }
    role.store = es_shm_store(shm);
    for (unsigned n = 0; n < BYSTANDERS; n++) {
        crash_store_put(role.store, n, 900, role.pool);
    }
    for (role.place = 0; role.place < READERS + SURVIVORS; role.place++) {
        others[role.place] = begin(role, role.place < READERS ? read_on : survive_on);
    }
    printf("%-12s %u kills\n", is_full ? "full store" : "under load", kills);
    kill_victims(role, kills);
    for (int i = 0; i < READERS + SURVIVORS; i++) {
        end(others[i]);
    }
    look_after(role, shm);
    look_after_ring(role, shm);
    apr_pool_destroy(role.pool);
}

void crash_load(apr_pool_t *pool)
{
    kill_in(ROOMY, 0, ROOMY_KILLS, pool);
    kill_in(FULL, 1, FULL_KILLS, pool);
}
