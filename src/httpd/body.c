/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The POSTed form, with Content-Length or in chunks, and never more of it than the limit.
 */
#include "httpd/mes.h"

#include <apr_strings.h>
#include <http_protocol.h>

#define FORM_TYPE "application/x-www-form-urlencoded"
#define CHUNK 8192

/* The media type, whatever parameters follow it (RFC 9110 section 8.3.1). */
static es_rv_t check_type(const request_rec *r, es_why_t *why)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    const apr_size_t len = strlen(FORM_TYPE);

    if (!type || strncasecmp(type, FORM_TYPE, len) != 0 || !strchr("; \t", type[len])) {
        return es_fail(why, ES_FORM_MALFORMED, "the content type is %.100s and not " FORM_TYPE, type ? type : "absent");
    }
    return ES_OK;
}

static es_rv_t too_large(apr_size_t limit, es_why_t *why)
{
    return es_fail(why, ES_FORM_TOO_LARGE, "the body is larger than %" APR_SIZE_T_FMT " octets", limit);
}

/* Refuses by what the client announces, before a single octet is read. LimitRequestBody is asked for here, since httpd's
 * own filter would answer in its own words. */
static es_rv_t check_length(const request_rec *r, apr_size_t limit, es_why_t *why)
{
    const char *announced = apr_table_get(r->headers_in, "Content-Length");
    const apr_int64_t len = announced ? apr_atoi64(announced) : 0;
    const apr_off_t of_httpd = ap_get_limit_req_body(r);

    if (len > (apr_int64_t)limit) {
        return too_large(limit, why);
    }
    if (of_httpd > 0 && len > of_httpd) {
        return es_fail(why, ES_FORM_TOO_LARGE, "the body is larger than LimitRequestBody, %" APR_OFF_T_FMT " octets",
                       of_httpd);
    }
    return ES_OK;
}

typedef struct {
    char *data;
    apr_size_t len, room, limit;
    apr_pool_t *pool;
} buffer_t;

/* Doubling costs a body no more than three times its size. The last octet of the room is the closing NUL's. */
static es_rv_t append(buffer_t *buffer, const char *data, apr_size_t len, es_why_t *why)
{
    if (len > buffer->limit - buffer->len) {
        return too_large(buffer->limit, why);
    }
    if (buffer->len + len >= buffer->room) {
        char *larger;

        buffer->room = 2 * (buffer->len + len) + 1;
        larger = apr_palloc(buffer->pool, buffer->room);
        memcpy(larger, buffer->data, buffer->len);
        buffer->data = larger;
    }
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    return ES_OK;
}

/* Moves what the brigade holds into the buffer; *done at the end of the body. */
static es_rv_t take(buffer_t *buffer, int *done, apr_bucket_brigade *brigade, es_why_t *why)
{
    while (!APR_BRIGADE_EMPTY(brigade)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
        es_rv_t rv = ES_OK;
        const char *data;
        apr_size_t len;

        if (APR_BUCKET_IS_EOS(bucket)) {
            *done = 1;
        } else if (!APR_BUCKET_IS_METADATA(bucket)) {
            rv = apr_bucket_read(bucket, &data, &len, APR_BLOCK_READ) == APR_SUCCESS
                     ? append(buffer, data, len, why)
                     : es_fail(why, ES_FORM_MALFORMED, "the body cannot be read");
        }
        apr_bucket_delete(bucket);
        if (rv != ES_OK) {
            return rv;
        }
    }
    return ES_OK;
}

es_rv_t mes_body_read(es_bytes_t *body, request_rec *r, apr_size_t limit, es_why_t *why)
{
    es_rv_t rv = check_type(r, why);

    return rv == ES_OK ? mes_body_read_any(body, r, limit, why) : rv;
}

es_rv_t mes_body_read_any(es_bytes_t *body, request_rec *r, apr_size_t limit, es_why_t *why)
{
    buffer_t buffer = { apr_palloc(r->pool, CHUNK), 0, CHUNK, limit, r->pool };
    apr_bucket_brigade *brigade;
    int done = 0;
    es_rv_t rv;

    if ((rv = check_length(r, limit, why)) != ES_OK) {
        return rv;
    }
    brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    while (!done) {
        apr_status_t status = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ, CHUNK);

        if (ap_map_http_request_error(status, HTTP_BAD_REQUEST) == HTTP_REQUEST_ENTITY_TOO_LARGE) {
            return es_fail(why, ES_FORM_TOO_LARGE, "the body is larger than LimitRequestBody");
        }
        if (status != APR_SUCCESS) {
            return es_fail(why, ES_FORM_MALFORMED, "the body does not arrive whole");
        }
        if ((rv = take(&buffer, &done, brigade, why)) != ES_OK) {
            return rv;
        }
    }
    buffer.data[buffer.len] = '\0';
    *body = es_bytes(buffer.data, buffer.len);
    return ES_OK;
}
