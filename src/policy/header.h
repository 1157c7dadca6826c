/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A claim as the value of a request header: one line, whatever the user calls himself, and no longer than the backend
 * accepts.
 */
#ifndef ES_HEADER_H
#define ES_HEADER_H

#include "base/es.h"

/* How a header's values are written. In each the values of a claim are joined by ';', which stands nowhere else in the
 * latter two.
 *   utf8     as they are, with '\;' and '\\' for those two inside a value, as in the environment
 *   percent  each value by itself, all but RFC 3986's unreserved characters as %XX
 *   base64   each value by itself, RFC 4648 section 4 */
typedef enum { ES_HEADER_UTF8, ES_HEADER_PERCENT, ES_HEADER_BASE64 } es_header_encoding_t;

/* Values of a claim, as a session record holds them (es_session_claim_t): joined, UTF-8 without C0 and DEL. */
typedef struct {
    const char *joined;
    apr_size_t len;
    int count;
} es_header_values_t;

/* *text = the first of the values that together take no more than `limit` octets, NULL when not even the first does;
 * *missing = how many are left out. A value is there whole or not at all. *text may be the joined values themselves. C1
 * control characters of utf8 become blanks. */
void es_header_write(const char **text, int *missing, const es_header_values_t *values, es_header_encoding_t encoding,
                     apr_size_t limit, apr_pool_t *pool);

/* The same for one text from anywhere, which utf8 then has without escapes; NULL when it is longer than `limit`. */
const char *es_header_write_one(const char *one, es_header_encoding_t encoding, apr_size_t limit, apr_pool_t *pool);

/* A blank for each control character (C0, DEL, and C1 as UTF-8 has it), a question mark for each octet that is no UTF-8;
 * `text` itself where there is none. */
const char *es_header_clean(const char *text, apr_pool_t *pool);

#endif
