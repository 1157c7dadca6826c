/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 *   lookup SESSIONS GROUPS READERS WRITERS MILLISECONDS
 *
 * A session table in shared memory, so many processes that look up random sessions, and perhaps some that insert and
 * remove others as fast as they can. Prints one JSON object: CPU nanoseconds a lookup, with the copy of the record, the
 * median of the processes; how many lookups missed a session that is there (none may); octets a session.
 */
#include "tools.h"

#include "base/crypto.h"
#include "session/table.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((apr_size_t)1 << 20)
#define USERS 1000
#define PROCESSES_MOST 64
#define WRITER_SESSIONS 1000
#define LOOKUPS_A_POOL 16 /* a request's pool is cleared once; so is ours, every few lookups */

typedef struct {
    double ns;
    apr_uint64_t misses, writes;
} result_t;

/* Shared by all processes. */
typedef struct {
    atomic_int go, stop;
    result_t result[PROCESSES_MOST];
} board_t;

typedef struct {
    apr_size_t sessions;
    int groups, readers, writers, milliseconds;
    es_table_t *table;
    es_hash_t *keys; /* of the sessions, then of the writers' */
    es_bytes_t record[USERS];
    apr_time_t now, expires;
    board_t *board;
} bench_t;

static void insert(bench_t *bench, apr_size_t number)
{
    es_why_t why = ES_WHY_INIT;

    bench_must(es_table_insert(bench->table, &bench->keys[number], bench->record[number % USERS], bench->expires,
                               bench->now, &why),
               &why);
}

static void fill(bench_t *bench, apr_pool_t *pool)
{
    static const es_connection_id_t connection;
    const apr_size_t n_keys = bench->sessions + WRITER_SESSIONS * (apr_size_t)bench->writers;
    apr_size_t size, i;
    es_why_t why = ES_WHY_INIT;
    void *memory;

    for (i = 0; i < USERS; i++) {
        bench->record[i] = bench_record((unsigned)i, bench->groups, &connection, bench->now, pool);
    }
    size = MIB + (n_keys * (1 + bench->record[0].len / 240) * 270 + MIB - 1) / MIB * MIB;
    memory = bench_memory(size);
    bench_must(es_table_format(memory, size, &why), &why);
    bench_must(es_table_attach(&bench->table, memory, size, &why, pool), &why);
    bench->keys = bench_memory(n_keys * sizeof *bench->keys);
    for (i = 0; i < n_keys; i++) {
        bench_must(es_crypto_random(bench->keys[i].octet, sizeof bench->keys[i].octet, &why), &why);
    }
    for (i = 0; i < bench->sessions; i++) {
        insert(bench, i);
    }
}

static apr_uint64_t next_random(apr_uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void read_all(bench_t *bench, result_t *result, apr_pool_t *pool)
{
    apr_uint64_t random = 0x9e3779b97f4a7c15u + (apr_uint64_t)getpid(), lookups = 0;
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;
    apr_pool_t *request;
    double begun;

    apr_pool_create(&request, pool);
    while (!atomic_load(&bench->board->go)) {
    }
    for (begun = bench_cpu(); !atomic_load(&bench->board->stop); lookups++) {
        const es_hash_t *key = &bench->keys[next_random(&random) % bench->sessions];

        bench_must(es_table_find(&stored, bench->table, key, bench->now, &why, request), &why);
        result->misses += stored.record.data == NULL;
        if (lookups % LOOKUPS_A_POOL == 0) {
            apr_pool_clear(request);
        }
    }
    result->ns = (bench_cpu() - begun) / (double)(lookups ? lookups : 1);
}

static void write_all(bench_t *bench, result_t *result, apr_size_t first)
{
    es_why_t why = ES_WHY_INIT;

    while (!atomic_load(&bench->board->stop)) {
        const apr_size_t number = first + result->writes / 2 % WRITER_SESSIONS;

        insert(bench, number);
        bench_must(es_table_remove(NULL, bench->table, &bench->keys[number], &why), &why);
        result->writes += 2;
    }
}

/* Runs the processes; the children never return. */
static void run(bench_t *bench, apr_pool_t *pool)
{
    int i, status, failed = 0;

    for (i = 0; i < bench->readers + bench->writers; i++) {
        result_t *result = &bench->board->result[i];
        pid_t child = fork();

        bench_check(child >= 0, "no more processes");
        if (child == 0 && i < bench->readers) {
            read_all(bench, result, pool);
            _exit(EXIT_SUCCESS);
        }
        if (child == 0) {
            write_all(bench, result, bench->sessions + WRITER_SESSIONS * (apr_size_t)(i - bench->readers));
            _exit(EXIT_SUCCESS);
        }
    }
    atomic_store(&bench->board->go, 1);
    usleep((useconds_t)bench->milliseconds * 1000);
    atomic_store(&bench->board->stop, 1);
    while (wait(&status) > 0) {
        failed += status != 0;
    }
    bench_check(!failed, "a process failed");
}

static void report(bench_t *bench, const es_table_counters_t *counters, apr_size_t size)
{
    double ns[PROCESSES_MOST];
    apr_uint64_t misses = 0, writes = 0;
    int i;

    for (i = 0; i < bench->readers + bench->writers; i++) {
        ns[i] = bench->board->result[i].ns;
        misses += bench->board->result[i].misses;
        writes += bench->board->result[i].writes;
    }
    printf("{\"ns\": %.0f, \"misses\": %lu, \"writes_per_second\": %.0f, \"record_octets\": %lu, "
           "\"session_octets\": %.0f}\n",
           bench_median(ns, bench->readers), (unsigned long)misses, (double)writes * 1000 / bench->milliseconds,
           (unsigned long)bench->record[0].len, (double)size / (double)counters->records);
}

int main(int argc, char **argv)
{
    apr_pool_t *pool = bench_start();
    es_table_counters_t counters;
    bench_t bench;

    memset(&bench, 0, sizeof bench);
    bench_check(argc == 6, "usage: lookup SESSIONS GROUPS READERS WRITERS MILLISECONDS");
    bench.sessions = strtoul(argv[1], NULL, 10);
    bench.groups = atoi(argv[2]);
    bench.readers = atoi(argv[3]);
    bench.writers = atoi(argv[4]);
    bench.milliseconds = atoi(argv[5]);
    bench_check(bench.sessions > 0 && bench.groups > 0 && bench.readers > 0 && bench.writers >= 0 &&
                    bench.readers + bench.writers <= PROCESSES_MOST && bench.milliseconds > 0,
                "an argument is out of range");
    bench.now = apr_time_now();
    bench.expires = bench.now + apr_time_from_sec(8 * 3600);
    bench.board = bench_memory(sizeof *bench.board);
    fill(&bench, pool);
    es_table_count(&counters, bench.table);
    bench_check(counters.records == bench.sessions, "sessions were evicted: the table is too small");
    run(&bench, pool);
    report(&bench, &counters, (apr_size_t)counters.blocks_used * (ES_TABLE_BLOCK + 2));
    return EXIT_SUCCESS;
}
