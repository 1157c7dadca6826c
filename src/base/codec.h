/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Encodings of the SAML bindings: strict base64, base64url, raw deflate, URL query and form fields.
 * Outputs made here are NUL-terminated one octet past their length.
 */
#ifndef ES_CODEC_H
#define ES_CODEC_H

#include "base/es.h"

/* RFC 4648 section 4, strict: canonical padding required, no white space, no line breaks, no stray bits.
 * ES_BASE64_INVALID. An empty input is invalid. */
es_rv_t es_codec_base64_decode(es_bytes_t *out, es_bytes_t in, es_why_t *why, apr_pool_t *pool);
const char *es_codec_base64_encode(es_bytes_t in, apr_pool_t *pool);

/* xs:base64Binary, as XML carries it: the same with white space anywhere. NULL data = not base64. */
es_bytes_t es_codec_base64_binary(const char *in, apr_pool_t *pool);

/* RFC 4648 section 5 without padding, as cookies and RelayState carry it. Decoding is strict; NULL data = not base64url
 * (a miss, not an error: the input is a stranger's cookie). */
es_bytes_t es_codec_base64url_decode(const char *in, apr_pool_t *pool);
const char *es_codec_base64url_encode(es_bytes_t in, apr_pool_t *pool);

/* Lower-case hexadecimal. */
const char *es_codec_hex(es_bytes_t in, apr_pool_t *pool);

/* Raw DEFLATE (RFC 1951), SAML bindings 3.4.4.1, once for all messages that differ in one place only: that place holds
 * `gap` NULs in the input, and stands at *gap_at of the result as it is, for whoever copies the result to fill in. For
 * what we write ourselves: below 4 GiB, the gap below 32 KiB, no other NUL. */
es_bytes_t es_codec_deflate(apr_size_t *gap_at, es_bytes_t in, apr_size_t gap, apr_pool_t *pool);

/* Its inverse, for what a stranger sent: at most `limit` octets come out. data NULL (a miss, not an error): not DEFLATE,
 * cut off, octets behind its end, or more than the limit. */
es_bytes_t es_codec_inflate(es_bytes_t in, apr_size_t limit, apr_pool_t *pool);

/* Percent-encodes everything but RFC 3986 unreserved characters, upper-case hex. */
const char *es_codec_url_encode(const char *in, apr_pool_t *pool);

/* Finds the one field `name` in an application/x-www-form-urlencoded body or raw query and decodes it (+ is a space).
 * *value = NULL where the field is absent. ES_FORM_MALFORMED: the field stands twice; a broken % escape or a NUL in its
 * value or in the name of any field. The values of other fields are not looked at. */
es_rv_t es_codec_form_find(const char **value, es_bytes_t form, const char *name, es_why_t *why, apr_pool_t *pool);

/* The same field as it stands, undecoded: what a signature over a query covers. raw->data = NULL where it is absent. Its
 * value is not looked at; else as es_codec_form_find. */
es_rv_t es_codec_form_slice(es_bytes_t *raw, es_bytes_t form, const char *name, es_why_t *why);

/* Escapes & < > " ' and drops control characters, for HTML text and quoted attributes. */
const char *es_codec_html(const char *in, apr_pool_t *pool);

/* Is all of it UTF-8 (RFC 3629: no surrogate, nothing overlong or above U+10FFFF)? */
int es_codec_is_utf8(es_bytes_t in);

/* A JSON string literal with its quotes (RFC 8259), control characters and < > & escaped as \u00XX, octets that are
 * not UTF-8 replaced by U+FFFD. */
const char *es_codec_json(const char *in, apr_pool_t *pool);

#endif
