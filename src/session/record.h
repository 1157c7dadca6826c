/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session record: one piece of octets, aligned to 8, in the machine's own order, without pointers. Offsets count
 * from its beginning.
 *
 *   [ header | claims | texts ]
 *
 *   header  version and length; times in microseconds; connection; how many claims; where four texts stand
 *   claims  in the order of the sign-in: number, where the joined values stand, and whether extras follow them
 *   texts   each with its length in whoever points to it, and a NUL behind it
 *   extras  of a claim with more than one value, or without a number: behind the joined values, aligned to 4,
 *             | count | length of full name | length of short name | sorted[count] | full name | short name |
 *           sorted[] are offsets of the values within the joined ones, in the order of es_session_compare
 *
 * Texts that say the same as a claim's joined values (REMOTE_USER and NameID nearly always do) share its octets, and
 * the NameID formats of SAML core 8.3 are numbers: a user with five groups then takes some 900 octets. All lengths are
 * stored, so that reading never looks for an end.
 *
 * A record is written once and read by other processes, perhaps of another version: es_session_read holds every length
 * and offset against the record's own before anything is used.
 */
#ifndef ES_RECORD_H
#define ES_RECORD_H

#include "session/session.h"

#define ES_RECORD_VERSION 1
#define ES_RECORD_MAX (1024 * 1024)

/* A record's times must lie in the range where sums of two cannot overflow. */
#define ES_RECORD_TIME_MAX (APR_INT64_MAX / 4)

typedef struct {
    apr_uint32_t at, len;
} es_record_text_t;

typedef enum {
    ES_RECORD_USER,
    ES_RECORD_NAME_ID,
    ES_RECORD_NAME_ID_FORMAT,
    ES_RECORD_SESSION_INDEX,
    ES_RECORD_TEXTS
} es_record_which_t;

typedef struct {
    apr_uint32_t version;
    apr_uint32_t size;
    apr_int64_t created, authenticated, ends;
    es_connection_id_t connection;
    es_record_text_t text[ES_RECORD_TEXTS];
    apr_uint32_t
        format; /* a NameID format of the list below, 0: as text; from ES_RECORD_ASKED on, what was asked for */
    apr_uint32_t n_claims;
} es_record_header_t;

typedef struct {
    es_record_text_t joined;
    apr_uint16_t id;
    apr_uint16_t has_extras;
} es_record_claim_t;

typedef struct {
    apr_uint32_t count, name_len, short_len;
} es_record_extras_t;

/* Flags of es_session_t.asked stand this many bits up in `format`, so that records from before there were any say 0. */
#define ES_RECORD_ASKED 16
#define ES_RECORD_FORMAT_BITS ((1u << ES_RECORD_ASKED) - 1)

/* The NameID formats of SAML core 8.3; the first is none. Records carry the number, so new ones go to the end. */
#define ES_RECORD_FORMATS 9
extern const char *const es_record_formats[ES_RECORD_FORMATS];

#endif
