/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the bench programs share. They are run by t/bench/bench with arguments it knows to be right: whatever fails ends
 * the program with a sentence.
 */
#ifndef BENCH_TOOLS_H
#define BENCH_TOOLS_H

#include "flow/flow.h"

/* Starts the libraries as the module does; the pool lives as long as the process. */
apr_pool_t *bench_start(void);

/* Ends the program unless rv is ES_OK. */
void bench_must(es_rv_t rv, const es_why_t *why);
void bench_check(int ok, const char *what);

/* A file whole, NUL behind it. */
es_bytes_t bench_file(const char *path, apr_pool_t *pool);

/* Memory in whole pages, shared with children; kept until the process ends. */
void *bench_memory(apr_size_t size);

/* The site of https://app.example.test with all defaults, from a metadata file: the same that httpd makes of
 * EntraSAMLMetadata and EntraSAMLBaseURL. */
es_site_t bench_site(const char *metadata, apr_pool_t *pool);

/* CPU time of this process in nanoseconds. */
double bench_cpu(void);

double bench_median(double *values, int count);

/* A session of user `number` as a sign-in leaves it: Entra's default claims, a role, and so many groups, the last of
 * them BENCH_STAFF, that of everybody. 1 group at least. */
#define BENCH_STAFF "5b7c2d10-6a3e-4f48-9d21-7e8f90a1b2c3" /* as in t/entra/users.py */
es_bytes_t bench_record(unsigned number, int groups, const es_connection_id_t *connection, apr_time_t now,
                        apr_pool_t *pool);

#endif
