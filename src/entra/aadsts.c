/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/aadsts.h"

#include <apr_lib.h>
#include <apr_strings.h>

#define DIGITS_MAX 8
#define ID_MAX 40 /* a GUID has 36 */
#define TIMESTAMP_MAX 32

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* What a user can do. */
#define ADMIN "Give your administrator the details below."
#define ACCESS "Your account may not use this application. Ask your administrator for access."
#define ACCOUNT                                                                                                        \
    "Your account is not known to the organisation of this application. Choose another account, or ask your "          \
    "administrator."
#define PROOF "Microsoft needs more proof of who you are. Try again and follow the steps it shows."
#define DEVICE                                                                                                         \
    "You may not sign in from this device, application or place. Use a device that your organisation manages, or ask " \
    "your administrator."
#define PASSWORD "Your account or its password needs attention. Check it with Microsoft or your help desk."
#define AGAIN "Try again in a moment."

typedef struct {
    long code;
    const char *user_advice, *advice;
} row_t;

static const row_t rows[] = {
#define ES_AADSTS(code, user_advice, advice) { code, user_advice, advice },
#include "entra/aadsts.def"
#undef ES_AADSTS
};

static const row_t *find_row(long code)
{
    size_t i;

    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

/* The next "AADSTSnnnnn" or "ACSnnnnn" at or behind *text, which moves behind it; 0 where there is none. */
static long next_code(const char **text)
{
    const char *found;

    for (found = *text; (found = strstr(found, "A")) != NULL; found++) {
        const int prefix = strncmp(found, "AADSTS", 6) == 0 ? 6 : strncmp(found, "ACS", 3) == 0 ? 3 : 0;
        const char *digits = found + prefix;
        long code = 0;

        if (!prefix || (found > *text && apr_isalnum(found[-1]))) {
            continue;
        }
        while (apr_isdigit(*digits) && digits - found < prefix + DIGITS_MAX) {
            code = code * 10 + (*digits++ - '0');
        }
        if (code && !apr_isalnum(*digits)) {
            *text = digits;
            return code;
        }
    }
    return 0;
}

/* *code as es_aadsts_find gives it, and its row. */
static const row_t *find_last(long *code, const char *text)
{
    const row_t *row = NULL;
    long next;

    *code = 0;
    while ((next = next_code(&text)) != 0) {
        const row_t *known = find_row(next);

        if (known || !*code) {
            *code = next;
            row = known;
        }
    }
    return row;
}

const char *es_aadsts_find(long *code, const char *status_message)
{
    const row_t *row = find_last(code, status_message ? status_message : "");

    return row ? row->advice : NULL;
}

/* The text behind a label, as far as it consists of these characters, without blanks around it. "" where the label is
 * absent, or something else or something longer follows: then it is not what it claims to be. */
static const char *value_behind(const char *label, const char *text, const char *characters, apr_size_t max,
                                apr_pool_t *pool)
{
    const char *value = strstr(text, label);
    apr_size_t len;

    if (!value) {
        return "";
    }
    value += strlen(label);
    value += strspn(value, " ");
    len = strspn(value, characters);
    while (len > 0 && value[len - 1] == ' ') {
        len--;
    }
    return len <= max ? apr_pstrmemdup(pool, value, len) : "";
}

void es_aadsts_read(es_aadsts_t *error, const char *status_message, apr_pool_t *pool)
{
    const char *text = status_message ? status_message : "";
    const row_t *row = find_last(&error->code, text);

    error->advice = row ? row->advice : NULL;
    error->user_advice = row ? row->user_advice : NULL;
    error->trace_id = value_behind("Trace ID:", text, LETTERS DIGITS "-", ID_MAX, pool);
    error->correlation_id = value_behind("Correlation ID:", text, LETTERS DIGITS "-", ID_MAX, pool);
    error->timestamp = value_behind("Timestamp:", text, DIGITS "-:.TZ ", TIMESTAMP_MAX, pool);
}
