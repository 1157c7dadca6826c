/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 *   fill SEGMENT METADATA SESSIONS GROUPS
 *
 * Writes a segment file with so many sessions, as large as they need, and prints its size in octets, the octets of one
 * record, and then the Cookie header's value of some of the sessions, one a line.
 */
#include "tools.h"

#include "session/shm.h"
#include "session/table.h"

#include <apr_strings.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MIB ((apr_size_t)1 << 20)
#define COOKIES 1000
/* Packing 150 groups takes longer than inserting them, and the table looks at keys only: users repeat. */
#define USERS 1000

/* A block holds 240 octets of a record, takes 256 and two more in its bucket; the index takes a tenth of all, and the
 * marks a thirty-second part of what is added to their first 32 MiB. */
static apr_size_t size_for(apr_size_t sessions, apr_size_t record)
{
    const apr_size_t blocks = 1 + record / 240;

    return 32 * MIB + (sessions * blocks * 300 + MIB - 1) / MIB * MIB;
}

static es_store_t *make_segment(const char *path, apr_size_t size, apr_pool_t *pool)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
    es_why_t why = ES_WHY_INIT;
    void *memory;
    es_shm_t *shm;

    bench_check(fd >= 0 && posix_fallocate(fd, 0, (off_t)size) == 0, "there is no room for the segment");
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bench_check(memory != MAP_FAILED, "the segment cannot be mapped");
    bench_must(es_shm_format(memory, size, &why), &why);
    bench_must(es_shm_attach(&shm, memory, size, &why, pool), &why);
    return es_shm_store(shm);
}

static void check_first(es_store_t *store, const es_hash_t *key, apr_time_t now, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;

    bench_must(store->find(&stored, store, key, now, &why, pool), &why);
    bench_check(stored.record.data != NULL, "the first session was evicted: the segment is too small");
}

int main(int argc, char **argv)
{
    apr_pool_t *pool = bench_start(), *scratch;
    const apr_time_t now = apr_time_now();
    es_why_t why = ES_WHY_INIT;
    es_bytes_t record[USERS];
    es_hash_t key, first;
    es_store_t *store;
    es_site_t site;
    apr_size_t sessions, size, i;
    int groups;

    bench_check(argc == 5, "usage: fill SEGMENT METADATA SESSIONS GROUPS");
    sessions = strtoul(argv[3], NULL, 10);
    groups = atoi(argv[4]);
    bench_check(sessions > 0 && groups > 0, "there must be a session and a group");
    site = bench_site(argv[2], pool);
    for (i = 0; i < USERS; i++) {
        record[i] = bench_record((unsigned)i, groups, &site.connection->id, now, pool);
    }
    size = size_for(sessions, record[0].len);
    store = make_segment(argv[1], size, pool);
    printf("%lu\n%lu\n", (unsigned long)size, (unsigned long)record[0].len);
    apr_pool_create(&scratch, pool);
    for (i = 0; i < sessions; i++) {
        const char *cookie;

        bench_must(es_session_token_make(&cookie, &key, &why, scratch), &why);
        bench_must(store->insert(store, &key, record[i % USERS], NULL, 0, now + site.keep, now, &why), &why);
        if (i % ((sessions + COOKIES - 1) / COOKIES) == 0) {
            printf("%s=%s\n", site.connection->session_cookie, cookie);
        }
        first = i == 0 ? key : first;
        apr_pool_clear(scratch);
    }
    check_first(store, &first, now, pool);
    return EXIT_SUCCESS;
}
