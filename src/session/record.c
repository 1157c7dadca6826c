/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Writing a session record. record.h explains the layout.
 */
#include "session/record.h"

#include <stdlib.h>

const char *const es_record_formats[ES_RECORD_FORMATS] = {
    "",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:entity",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
};

/* The same code runs twice, first without a buffer to learn the length. */
typedef struct {
    unsigned char *data; /* NULL while measuring */
    apr_size_t len;
} writer_t;

static apr_size_t put(writer_t *writer, const void *data, apr_size_t len)
{
    apr_size_t at = writer->len;

    if (writer->data) {
        memcpy(writer->data + at, data, len);
    }
    writer->len += len;
    return at;
}

static void align(writer_t *writer, apr_size_t unit)
{
    static const char zeros[8];

    put(writer, zeros, (unit - writer->len % unit) % unit);
}

#define ESCAPED ";\\"
/* C0 without NUL, and DEL: no header may hold them (RFC 9110, 5.5). */
#define CONTROL                                                                                                        \
    "\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034" \
    "\035\036\037\177"

/* Puts one value in its escaped form, without a NUL. A control character becomes a blank: mod_headers takes a variable in
 * an expression as it is, and whoever may write his own name in the directory would write headers and requests for the
 * backend with a line break in it. */
static void put_escaped(writer_t *writer, const char *value)
{
    apr_size_t plain;

    while (plain = strcspn(value, ESCAPED CONTROL), put(writer, value, plain), value[plain]) {
        if (strchr(ESCAPED, value[plain])) {
            put(writer, "\\", 1);
            put(writer, value + plain, 1);
        } else {
            put(writer, " ", 1);
        }
        value += plain + 1;
    }
}

static int compare_offsets(const void *a, const void *b, void *joined)
{
    const char *text = joined;

    return es_session_compare(text + *(const apr_uint32_t *)a, text + *(const apr_uint32_t *)b);
}

static void put_extras(writer_t *writer, const es_claim_t *claim, apr_uint32_t joined)
{
    es_record_extras_t extras = { (apr_uint32_t)claim->count, 0, 0 };
    apr_size_t sorted;
    apr_uint32_t offset = 0;
    int i;

    if (claim->id == 0) {
        extras.name_len = (apr_uint32_t)strlen(claim->name);
        extras.short_len = (apr_uint32_t)strlen(claim->short_name);
    }
    align(writer, sizeof(apr_uint32_t));
    put(writer, &extras, sizeof extras);
    sorted = writer->len;
    for (i = 0; i < claim->count; i++) {
        writer_t measure = { NULL, 0 };

        put(writer, &offset, sizeof offset);
        put_escaped(&measure, claim->values[i]);
        offset += (apr_uint32_t)measure.len + 1;
    }
    if (writer->data) {
        qsort_r(writer->data + sorted, (size_t)claim->count, sizeof offset, compare_offsets, writer->data + joined);
    }
    if (claim->id == 0) {
        put(writer, claim->name, extras.name_len + 1);
        put(writer, claim->short_name, extras.short_len + 1);
    }
}

static void put_claim(writer_t *writer, apr_size_t entry, const es_claim_t *claim)
{
    es_record_claim_t packed = { { (apr_uint32_t)writer->len, 0 },
                                 (apr_uint16_t)claim->id,
                                 claim->count > 1 || claim->id == 0 };
    int i;

    for (i = 0; i < claim->count; i++) {
        put(writer, ";", i > 0);
        put_escaped(writer, claim->values[i]);
    }
    packed.joined.len = (apr_uint32_t)writer->len - packed.joined.at;
    put(writer, "", 1);
    if (packed.has_extras) {
        put_extras(writer, claim, packed.joined.at);
    }
    if (writer->data) {
        memcpy(writer->data + entry, &packed, sizeof packed);
    }
}

/* A claim whose joined values are the text, -1 where there is none. */
static int claim_saying(const es_session_new_t *fresh, const char *text)
{
    int i;

    if (strpbrk(text, ESCAPED CONTROL)) {
        return -1;
    }
    for (i = 0; i < fresh->n_claims; i++) {
        if (fresh->claims[i].count == 1 && strcmp(fresh->claims[i].values[0], text) == 0) {
            return i;
        }
    }
    return -1;
}

static es_record_text_t put_text(writer_t *writer, const char *text, const es_session_new_t *fresh)
{
    es_record_text_t at = { 0, (apr_uint32_t)strlen(text) };
    int same = claim_saying(fresh, text);
    es_record_claim_t claim;

    if (same < 0) {
        at.at = (apr_uint32_t)put(writer, text, at.len + 1);
    } else if (writer->data) {
        memcpy(&claim, writer->data + sizeof(es_record_header_t) + (apr_size_t)same * sizeof claim, sizeof claim);
        at = claim.joined;
    }
    return at;
}

/* Within what a reader accepts; a time outside is nobody's and only informs. */
static apr_int64_t bounded(apr_time_t time)
{
    return time < 0 ? 0 : time < ES_RECORD_TIME_MAX ? time : ES_RECORD_TIME_MAX - 1;
}

static void put_record(writer_t *writer, const es_session_new_t *fresh)
{
    static const es_record_claim_t none;
    const char *const texts[ES_RECORD_TEXTS] = { fresh->user, fresh->name_id, fresh->name_id_format,
                                                 fresh->session_index };
    es_record_header_t header;
    int i;

    memset(&header, 0, sizeof header);
    header.version = ES_RECORD_VERSION;
    header.created = bounded(fresh->created);
    header.authenticated = bounded(fresh->authenticated);
    header.ends = bounded(fresh->ends);
    header.connection = fresh->connection;
    header.n_claims = (apr_uint32_t)fresh->n_claims;
    for (i = 1; i < ES_RECORD_FORMATS; i++) {
        if (strcmp(fresh->name_id_format, es_record_formats[i]) == 0) {
            header.format = (apr_uint32_t)i;
        }
    }
    header.format |= (fresh->asked & ES_SESSION_ASKED_ALL) << ES_RECORD_ASKED;
    put(writer, &header, sizeof header);
    for (i = 0; i < fresh->n_claims; i++) {
        put(writer, &none, sizeof none);
    }
    for (i = 0; i < fresh->n_claims; i++) {
        put_claim(writer, sizeof header + (apr_size_t)i * sizeof none, &fresh->claims[i]);
    }
    for (i = 0; i < ES_RECORD_TEXTS; i++) {
        header.text[i] = put_text(
            writer, i == ES_RECORD_NAME_ID_FORMAT && header.format & ES_RECORD_FORMAT_BITS ? "" : texts[i], fresh);
    }
    header.size = (apr_uint32_t)writer->len;
    if (writer->data) {
        memcpy(writer->data, &header, sizeof header);
    }
}

es_rv_t es_session_pack(es_bytes_t *record, const es_session_new_t *fresh, es_why_t *why, apr_pool_t *pool)
{
    writer_t writer = { NULL, 0 };

    put_record(&writer, fresh);
    if (writer.len > ES_RECORD_MAX) {
        return es_fail(why, ES_RECORD_TOO_LARGE, "the record of this session would take %lu octets, more than %d",
                       (unsigned long)writer.len, ES_RECORD_MAX);
    }
    writer.data = apr_palloc(pool, writer.len);
    writer.len = 0;
    put_record(&writer, fresh);
    *record = es_bytes(writer.data, writer.len);
    return ES_OK;
}

const char *es_session_escape(const char *value, apr_pool_t *pool)
{
    writer_t writer = { NULL, 0 };

    put_escaped(&writer, value);
    writer.data = apr_palloc(pool, writer.len + 1);
    writer.len = 0;
    put_escaped(&writer, value);
    put(&writer, "", 1);
    return (const char *)writer.data;
}

apr_array_header_t *es_session_values(const es_session_claim_t *claim, apr_pool_t *pool)
{
    apr_array_header_t *values = apr_array_make(pool, claim->count, sizeof(const char *));
    const char *in = claim->joined, *end = in + claim->joined_len;
    char *out = apr_palloc(pool, claim->joined_len + 1);

    APR_ARRAY_PUSH(values, const char *) = out;
    for (; in < end; in++) {
        if (*in == ';') {
            *out++ = '\0';
            APR_ARRAY_PUSH(values, const char *) = out;
        } else {
            in += *in == '\\' && in + 1 < end;
            *out++ = *in;
        }
    }
    *out = '\0';
    return values;
}
