/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The words everyone shares: bytes, reasons, and the one way to fail.
 *
 * Ownership everywhere in the library: results are plain memory in the caller's pool. A foreign object (libxml2,
 * xmlsec, lasso, OpenSSL) is freed at the function's one `out:` label or handed to a pool cleanup on the line after its
 * creation, never both. Outputs are written last: a function that fails leaves them as they were.
 */
#ifndef ES_H
#define ES_H

#include <apr_pools.h>
#include <apr_time.h>
#include <string.h>

/* Octets with a length; not NUL-terminated unless the function that made them says so. */
typedef struct {
    const unsigned char *data;
    apr_size_t len;
} es_bytes_t;

static inline es_bytes_t es_bytes(const void *data, apr_size_t len)
{
    es_bytes_t bytes = { (const unsigned char *)data, len };
    return bytes;
}

static inline es_bytes_t es_bytes_of(const char *text)
{
    return es_bytes(text, strlen(text));
}

/* Every way to end: control flow and test oracle at once. reason.def has the list. */
typedef enum {
    ES_OK = 0,
#define ES_REASON(id, code, status, level, text, remedy) ES_##id,
#include "base/reason.def"
#undef ES_REASON
    ES_REASON_COUNT
} es_rv_t;

/* How loud a reason is in the log; the glue maps it to httpd's levels. */
typedef enum { ES_LEVEL_ERROR, ES_LEVEL_WARN, ES_LEVEL_INFO, ES_LEVEL_DEBUG } es_level_t;

typedef struct {
    const char *code; /* stable, kebab-case: logs, pages, tests, documentation */
    int status;       /* HTTP status the user gets; 0 where no user is there to see it (configuration) */
    es_level_t level;
    const char *text;   /* one sentence for the user */
    const char *remedy; /* one sentence for the administrator */
} es_reason_t;

/* The row of a reason; ES_OK has one too. Never NULL. */
const es_reason_t *es_reason(es_rv_t rv);

/* The first and most specific cause of a failure, as a sentence for the log. Start with ES_WHY_INIT. */
#define ES_WHY_TEXT 1024
typedef struct {
    es_rv_t rv;
    char text[ES_WHY_TEXT];
} es_why_t;
/* Not an initializer of its own: that would clear the whole text, and every authenticated request has some. */
static inline es_why_t es_why_none(void)
{
    es_why_t why;

    why.rv = ES_OK;
    why.text[0] = '\0';
    return why;
}
#define ES_WHY_INIT es_why_none()

/* Records the cause unless one is recorded already, and returns the recorded one: `return es_fail(why, ES_…, …);`.
 * Values from a message that go into the sentence are the caller's to bound (%.200s); the glue escapes them. */
es_rv_t es_fail(es_why_t *why, es_rv_t rv, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A session key or mark: SHA-256 of something secret or unique. */
#define ES_HASH_LEN 32
typedef struct {
    unsigned char octet[ES_HASH_LEN];
} es_hash_t;

/* A connection's identity: the first 16 octets of SHA-256(issuer, NUL, entity ID). */
#define ES_CONNECTION_LEN 16
typedef struct {
    unsigned char octet[ES_CONNECTION_LEN];
} es_connection_id_t;

/* One claim of a user. `id` is the stable number of a well-known Entra claim (entra/claims.def) or 0. */
typedef struct {
    unsigned id;
    const char *name;       /* full name as sent: a URI or a bare word */
    const char *short_name; /* lower-case [a-z0-9_]+, what rules and environment use */
    int count;              /* ≥ 1 */
    const char *const *values;
} es_claim_t;

#endif
