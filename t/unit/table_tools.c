/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "table_tools.h"

#include "unit.h"

#include <sys/mman.h>

static void *memory;
static apr_size_t memory_size;

void *table_memory(apr_size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert(made != MAP_FAILED);
    return made;
}

es_table_t *table_new(apr_size_t size)
{
    es_why_t why = ES_WHY_INIT;

    memory = table_memory(size);
    memory_size = size;
    ck_assert_reason(es_table_format(memory, size, &why), ES_OK, why);
    return table_again();
}

es_table_t *table_again(void)
{
    es_why_t why = ES_WHY_INIT;
    es_table_t *table;

    ck_assert_reason(es_table_attach(&table, memory, memory_size, &why, unit_pool), ES_OK, why);
    return table;
}

void *table_memory_of(void)
{
    return memory;
}

void table_free(void)
{
    munmap(memory, memory_size);
}

void table_put(es_table_t *table, unsigned number, apr_size_t len, apr_time_t expires, apr_time_t now)
{
    es_why_t why = ES_WHY_INIT;
    es_hash_t key = table_key(number);

    ck_assert_reason(es_table_insert(table, &key, table_record(number, len, unit_pool), expires, now, &why), ES_OK,
                     why);
}

int table_has(es_table_t *table, unsigned number, apr_time_t now)
{
    es_why_t why = ES_WHY_INIT;
    es_hash_t key = table_key(number);
    es_stored_t stored;

    ck_assert_reason(es_table_find(&stored, table, &key, now, &why, unit_pool), ES_OK, why);
    ck_assert_msg(!stored.record.data || table_is_whole(&stored, number), "the record of session %u is torn", number);
    return stored.record.data != NULL;
}

es_table_counters_t table_count(es_table_t *table)
{
    es_table_counters_t counters;

    es_table_count(&counters, table);
    return counters;
}
