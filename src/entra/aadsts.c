/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/aadsts.h"

#include <apr_lib.h>

#define DIGITS_MAX 8

static const struct {
    long code;
    const char *advice;
} advices[] = {
#define ES_AADSTS(code, advice) { code, advice },
#include "entra/aadsts.def"
#undef ES_AADSTS
};

static const char *find_advice(long code)
{
    size_t i;

    for (i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        if (advices[i].code == code) {
            return advices[i].advice;
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

const char *es_aadsts_find(long *code, const char *status_message)
{
    const char *text = status_message ? status_message : "";
    const char *advice = NULL;
    long next;

    *code = 0;
    while ((next = next_code(&text)) != 0) {
        const char *known = find_advice(next);

        if (known || !*code) {
            *code = next;
            advice = known;
        }
    }
    return advice;
}
