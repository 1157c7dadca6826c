/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "table_records.h"

/* The finaliser of splitmix64: every bit of the number shows in every bit of the result. */
static apr_uint64_t mix(apr_uint64_t number)
{
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

es_hash_t table_key(unsigned number)
{
    es_hash_t key;

    for (unsigned i = 0; i < ES_HASH_LEN / 8; i++) {
        apr_uint64_t word = mix((apr_uint64_t)number << 8 | i | 1u << 7);

        memcpy(key.octet + 8 * i, &word, 8);
    }
    return key;
}

es_bytes_t table_record(unsigned number, apr_size_t len, apr_pool_t *pool)
{
    static _Atomic apr_uint32_t serial;
    apr_uint64_t seed = (apr_uint64_t)number << 32 | ++serial;
    unsigned char *data = apr_palloc(pool, len + 8);

    for (apr_size_t i = 0; i < len; i += 8) {
        apr_uint64_t word = i == 0 ? seed : mix(seed + i);

        memcpy(data + i, &word, 8);
    }
    return es_bytes(data, len);
}

int table_is_whole(const es_stored_t *stored, unsigned number)
{
    apr_uint64_t seed, word;

    if (stored->record.len < 8) {
        return 1;
    }
    memcpy(&seed, stored->record.data, 8);
    if (seed >> 32 != number) {
        return 0;
    }
    for (apr_size_t i = 8; i < stored->record.len; i += 8) {
        word = mix(seed + i);
        if (memcmp(stored->record.data + i, &word, stored->record.len - i < 8 ? stored->record.len - i : 8) != 0) {
            return 0;
        }
    }
    return 1;
}
