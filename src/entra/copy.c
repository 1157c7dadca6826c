/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sealed: three lines (ETag, Last-Modified, seconds since 1970), then the document.
 */
#include "entra/copy.h"

#include "base/codec.h"

#include <apr_lib.h>
#include <apr_strings.h>

static const char *make_label(const char *source, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "entra-saml metadata 1 ", source, NULL);
}

/* A header's value that can stand in a line, and be sent back. */
static const char *line_of(const char *text)
{
    const char *c;

    for (c = text ? text : ""; *c; c++) {
        if (apr_iscntrl(*c) || c - text >= ES_COPY_VALIDATOR_MAX) {
            return "";
        }
    }
    return text ? text : "";
}

es_rv_t es_copy_seal(es_bytes_t *sealed, const es_copy_t *copy, const char *source, const es_seal_key_t *key,
                     es_why_t *why, apr_pool_t *pool)
{
    const char *lines = apr_psprintf(pool, "%s\n%s\n%" APR_INT64_T_FMT "\n", line_of(copy->etag),
                                     line_of(copy->modified), (apr_int64_t)apr_time_sec(copy->fetched));
    const apr_size_t len = strlen(lines);
    unsigned char *plain = apr_palloc(pool, len + copy->document.len);

    memcpy(plain, lines, len);
    memcpy(plain + len, copy->document.data, copy->document.len);
    return es_crypto_seal(sealed, es_bytes(plain, len + copy->document.len), make_label(source, pool), key, why, pool);
}

/* The line at the start of what is left. What is opened ends with a NUL. */
static const char *take_line(es_bytes_t *rest, apr_pool_t *pool)
{
    const char *start = (const char *)rest->data;
    const char *end = memchr(start, '\n', rest->len);

    if (!end) {
        return NULL;
    }
    *rest = es_bytes(end + 1, rest->len - (apr_size_t)(end + 1 - start));
    return apr_pstrmemdup(pool, start, (apr_size_t)(end - start));
}

es_rv_t es_copy_open(es_copy_t **copy, es_bytes_t sealed, const char *source, const es_seal_key_t *key, es_why_t *why,
                     apr_pool_t *pool)
{
    es_copy_t *opened = apr_pcalloc(pool, sizeof *opened);
    const char *seconds;
    es_bytes_t plain;
    es_rv_t rv = es_crypto_open(&plain, sealed, make_label(source, pool), key, why, pool);

    if (rv != ES_OK) {
        return rv;
    }
    if (!plain.data) {
        return es_fail(why, ES_METADATA_COPY, "it was not sealed by this server's key for this source, or was damaged");
    }
    opened->etag = take_line(&plain, pool);
    opened->modified = opened->etag ? take_line(&plain, pool) : NULL;
    seconds = opened->modified ? take_line(&plain, pool) : NULL;
    if (!seconds) {
        return es_fail(why, ES_METADATA_COPY, "it is of another version");
    }
    opened->fetched = apr_time_from_sec(apr_atoi64(seconds));
    opened->document = plain;
    *copy = opened;
    return ES_OK;
}

const char *es_copy_name(const char *source, apr_pool_t *pool)
{
    const es_hash_t hash = es_crypto_sha256_text(source);

    return es_codec_hex(es_bytes(hash.octet, 16), pool);
}
