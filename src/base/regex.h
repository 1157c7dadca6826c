/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PCRE2 as the administrator's expressions are used: on UTF-8, and never for long.
 */
#ifndef ES_REGEX_H
#define ES_REGEX_H

#include "base/es.h"

#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>

/* Compiles, with these options beside UTF and NEVER_BACKSLASH_C (which would cut a character in two). `fault`: it does
 * not compile, with PCRE2's words; `of` stands behind the pattern there, "" for nothing. It goes with the pool. */
es_rv_t es_regex_compile(pcre2_code **regex, const char *pattern, uint32_t options, es_rv_t fault, const char *of,
                         es_why_t *why, apr_pool_t *pool);

/* The steps that matching may take for one value: patterns that need to go back and forth a lot pass them only on values
 * that were made for that. It goes with the pool. ES_INTERNAL: no memory. */
es_rv_t es_regex_limits(pcre2_match_context **limits, es_why_t *why, apr_pool_t *pool);

#endif
