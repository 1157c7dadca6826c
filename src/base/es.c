/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/es.h"

#include <stdarg.h>
#include <stdio.h>

static const es_reason_t reasons[ES_REASON_COUNT] = {
    { "ok", 200, ES_LEVEL_DEBUG, "", "" },
#define ES_REASON(id, code, status, level, text, remedy) { code, status, ES_LEVEL_##level, text, remedy },
#include "base/reason.def"
#undef ES_REASON
};

const es_reason_t *es_reason(es_rv_t rv)
{
    if ((unsigned)rv >= ES_REASON_COUNT) {
        rv = ES_INTERNAL;
    }
    return &reasons[rv];
}

es_rv_t es_fail(es_why_t *why, es_rv_t rv, const char *format, ...)
{
    va_list args;

    if (why->rv != ES_OK) {
        return why->rv;
    }
    why->rv = rv;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return rv;
}
