/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The last good copy of a metadata document, as it lies in a folder that an unprivileged process writes: sealed under
 * the state key, so that nobody else can make one, and bound to its source, so that the copy of one cannot be put in the
 * place of another's.
 */
#ifndef ES_COPY_H
#define ES_COPY_H

#include "base/crypto.h"

typedef struct {
    const char *etag;     /* what the next conditional request sends back, as it came; "" where there was none */
    const char *modified; /* the same of Last-Modified */
    apr_time_t fetched;   /* whole seconds are kept */
    es_bytes_t document;
} es_copy_t;

/* Longest etag or modified that is kept; a longer one, or one with control characters, is as good as none. */
#define ES_COPY_VALIDATOR_MAX 256

/* `source` is whatever tells one source from another. ES_INTERNAL. */
es_rv_t es_copy_seal(es_bytes_t *sealed, const es_copy_t *copy, const char *source, const es_seal_key_t *key,
                     es_why_t *why, apr_pool_t *pool);
/* ES_METADATA_COPY: not sealed by this key for this source. */
es_rv_t es_copy_open(es_copy_t **copy, es_bytes_t sealed, const char *source, const es_seal_key_t *key, es_why_t *why,
                     apr_pool_t *pool);

/* The name of its file: 32 hexadecimal digits of the source's hash. */
const char *es_copy_name(const char *source, apr_pool_t *pool);

#endif
