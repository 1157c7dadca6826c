/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory that processes share, mapped by the parent. It unmaps it with the configuration; children never do: a child
 * belongs to one generation, and its threads may be in the memory until the process ends.
 */
#ifndef MES_MAPPING_H
#define MES_MAPPING_H

#include <apr_pools.h>
#include <sys/types.h>

typedef struct {
    void *memory;
    apr_size_t size;
    pid_t owner;
} mes_mapping_t;

/* The file of fd, or for -1 memory without a name, all zero. NULL with errno set. Lives as long as the pool, in the
 * process that made it. */
mes_mapping_t *mes_mapping_make(int fd, apr_size_t size, apr_pool_t *pool);
/* Before the pool's end. */
void mes_mapping_end(mes_mapping_t *mapping, apr_pool_t *pool);

#endif
