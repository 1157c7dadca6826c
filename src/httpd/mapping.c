/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "httpd/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

static apr_status_t unmap(void *context)
{
    const mes_mapping_t *mapping = context;

    if (mapping->owner == getpid()) {
        munmap(mapping->memory, mapping->size);
    }
    return APR_SUCCESS;
}

mes_mapping_t *mes_mapping_make(int fd, apr_size_t size, apr_pool_t *pool)
{
    mes_mapping_t *mapping = apr_pcalloc(pool, sizeof *mapping);

    mapping->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    if (mapping->memory == MAP_FAILED) {
        return NULL;
    }
    mapping->size = size;
    mapping->owner = getpid();
    apr_pool_cleanup_register(pool, mapping, unmap, apr_pool_cleanup_null);
    return mapping;
}

void mes_mapping_end(mes_mapping_t *mapping, apr_pool_t *pool)
{
    apr_pool_cleanup_run(pool, mapping, unmap);
}
