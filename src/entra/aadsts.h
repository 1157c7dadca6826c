/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Entra's error codes (Microsoft: "Microsoft Entra authentication and authorization error codes") and what to do about
 * them.
 */
#ifndef ES_AADSTS_H
#define ES_AADSTS_H

#include "base/es.h"

/* Advice for the code in a StatusMessage "AADSTSnnnnn: …" (ACSnnnnn of old), NULL where there is no code or none we
 * know (or no message: NULL). Entra puts the cause behind a general code ("AADSTS75006: … AADSTS90011: …"), so of
 * several the last one we know counts. *code = its number; the first number where we know none, 0 where there is none.
 * The advice is for the administrator, plain ASCII. */
const char *es_aadsts_find(long *code, const char *status_message);

/* An error as Entra tells it: a code, and what Microsoft's support asks for. The texts hold nothing but letters, digits
 * and a little punctuation: what else an unsigned message says is repeated nowhere but in the log. */
typedef struct {
    long code;               /* 0: none */
    const char *advice;      /* for the administrator; NULL where the code is not known, as the next */
    const char *user_advice; /* for the user */
    const char *trace_id;    /* "" where absent, as the next two */
    const char *correlation_id;
    const char *timestamp;
} es_aadsts_t;

/* Reads a StatusMessage: the code as es_aadsts_find, then "Trace ID: ", "Correlation ID: " and "Timestamp: " wherever
 * they stand (Entra writes each on a line of its own). */
void es_aadsts_read(es_aadsts_t *error, const char *status_message, apr_pool_t *pool);

#endif
