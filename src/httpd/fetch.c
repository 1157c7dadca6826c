/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One conditional GET by libcurl, whose only caller this is. Nothing of a message ever gets here: the address is the
 * administrator's. Integrity comes from TLS (Microsoft, "Federation metadata"), so that nothing but https to the very
 * host is good: no redirect, no other protocol, no proxy from the environment.
 */
#include "httpd/refresh.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <curl/curl.h>

#define CONNECT_SECONDS 10L
#define TOTAL_SECONDS 30L
#define USER_AGENT "mod_entra_saml"

typedef struct {
    apr_array_header_t *body; /* of octets */
    int is_too_large;
    mes_fetched_t *fetched;
    const atomic_int *is_stopping;
    apr_pool_t *pool;
} transfer_t;

static size_t take_body(char *data, size_t size, size_t count, void *baton)
{
    transfer_t *transfer = baton;
    const size_t len = size * count;
    apr_array_header_t *body = transfer->body;

    if (len > (size_t)(MES_METADATA_MAX - body->nelts)) {
        transfer->is_too_large = 1;
        return 0;
    }
    if (body->nelts + (int)len > body->nalloc) {
        apr_array_header_t *larger =
            apr_array_make(transfer->pool, 2 * (body->nelts + (int)len), sizeof(unsigned char));

        apr_array_cat(larger, body);
        transfer->body = body = larger;
    }
    memcpy(body->elts + body->nelts, data, len);
    body->nelts += (int)len;
    return len;
}

/* The value of a header line, where it is this header. */
static const char *value_of(const char *line, size_t len, const char *name, apr_pool_t *pool)
{
    const size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return NULL;
    }
    for (line += n + 1, len -= n + 1; len > 0 && apr_isspace(*line); line++, len--) {
    }
    while (len > 0 && apr_isspace(line[len - 1])) {
        len--;
    }
    return apr_pstrmemdup(pool, line, len < 2 * ES_COPY_VALIDATOR_MAX ? len : 0);
}

/* A proxy's answer to CONNECT comes through here first: the last that says it counts, the origin's. */
static size_t take_header(char *data, size_t size, size_t count, void *baton)
{
    transfer_t *transfer = baton;
    const char *value;

    if ((value = value_of(data, size * count, "ETag", transfer->pool))) {
        transfer->fetched->etag = value;
    } else if ((value = value_of(data, size * count, "Last-Modified", transfer->pool))) {
        transfer->fetched->modified = value;
    }
    return size * count;
}

static int is_over(void *baton, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const transfer_t *transfer = baton;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return atomic_load(transfer->is_stopping);
}

static struct curl_slist *make_headers(const es_copy_t *before, apr_pool_t *pool)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/samlmetadata+xml, application/xml, */*");

    if (before && *before->etag) {
        headers = curl_slist_append(headers, apr_pstrcat(pool, "If-None-Match: ", before->etag, NULL));
    }
    if (before && *before->modified) {
        headers = curl_slist_append(headers, apr_pstrcat(pool, "If-Modified-Since: ", before->modified, NULL));
    }
    return headers;
}

/* Returns 0 when libcurl lacks something of it: better no metadata than by a lesser way. */
static int set_up(CURL *curl, const mes_source_t *source, transfer_t *transfer)
{
    struct curl_blob authorities = { (void *)(apr_uintptr_t)source->authorities.data, source->authorities.len,
                                     CURL_BLOB_NOCOPY };

    return !curl_easy_setopt(curl, CURLOPT_URL, source->name) &&
           !curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") &&
           !curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) &&
           !curl_easy_setopt(curl, CURLOPT_PROXY, source->proxy ? source->proxy : "") &&
           !curl_easy_setopt(curl, CURLOPT_NOPROXY, "") && /* of the environment: past the proxy neither */
           !curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) && !curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) &&
           !curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           (!authorities.data || (!curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) &&
                                  !curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &authorities))) &&
           !curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) &&
           !curl_easy_setopt(curl, CURLOPT_TIMEOUT, TOTAL_SECONDS) && !curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) &&
           !curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT) &&
           !curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) &&
           !curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) &&
           !curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) &&
           !curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer) && !curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) &&
           !curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_over) &&
           !curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
}

static es_rv_t judge_status(mes_fetched_t *fetched, CURL *curl, int is_conditional, const mes_source_t *source,
                            es_why_t *why)
{
    const char *location = NULL;
    long status = 0;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
    if (status == 200 || (status == 304 && is_conditional)) {
        fetched->is_unchanged = status == 304;
        return ES_OK;
    }
    if (location) {
        return es_fail(why, ES_METADATA_UNREACHABLE, "%.300s answers %ld and leads to %.200s, where nobody follows",
                       source->name, status, location);
    }
    return es_fail(why, ES_METADATA_UNREACHABLE, "%.300s answers %ld", source->name, status);
}

es_rv_t mes_fetch_get(mes_fetched_t *fetched, const mes_source_t *source, const es_copy_t *before,
                      const atomic_int *is_stopping, es_why_t *why, apr_pool_t *pool)
{
    mes_fetched_t got = { 0, { NULL, 0 }, "", "" };
    transfer_t transfer = { apr_array_make(pool, 64 * 1024, 1), 0, &got, is_stopping, pool };
    struct curl_slist *headers = make_headers(before, pool);
    char detail[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    CURLcode code;
    es_rv_t rv;

    if (!curl || !headers || !set_up(curl, source, &transfer) || curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail) ||
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers)) {
        rv = es_fail(why, ES_INTERNAL, "libcurl cannot be set up for %.300s", source->name);
        goto out;
    }
    code = curl_easy_perform(curl);
    if (transfer.is_too_large) {
        rv = es_fail(why, ES_METADATA_TOO_LARGE, "%.300s sends more than %d octets", source->name, MES_METADATA_MAX);
        goto out;
    }
    if (code != CURLE_OK) {
        rv = es_fail(why, ES_METADATA_UNREACHABLE, "%.300s: %.300s", source->name,
                     *detail ? detail : curl_easy_strerror(code));
        goto out;
    }
    rv = judge_status(&got, curl, before && (*before->etag || *before->modified), source, why);
    if (rv == ES_OK) {
        got.document = es_bytes(transfer.body->elts, (apr_size_t)transfer.body->nelts);
        *fetched = got;
    }
out:
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return rv;
}
