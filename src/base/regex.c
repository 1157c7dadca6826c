/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/regex.h"

#define STEPS_MAX 50000

static apr_status_t free_regex(void *regex)
{
    pcre2_code_free(regex);
    return APR_SUCCESS;
}

static apr_status_t free_limits(void *limits)
{
    pcre2_match_context_free(limits);
    return APR_SUCCESS;
}

es_rv_t es_regex_compile(pcre2_code **regex, const char *pattern, uint32_t options, es_rv_t fault, const char *of,
                         es_why_t *why, apr_pool_t *pool)
{
    PCRE2_UCHAR message[160];
    PCRE2_SIZE at;
    int error;
    pcre2_code *made = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     options | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);

    if (!made) {
        pcre2_get_error_message(error, message, sizeof message);
        return es_fail(why, fault, "regex \"%.200s\"%.220s does not compile: %s at offset %lu", pattern, of,
                       (const char *)message, (unsigned long)at);
    }
    apr_pool_cleanup_register(pool, made, free_regex, apr_pool_cleanup_null);
    *regex = made;
    return ES_OK;
}

es_rv_t es_regex_limits(pcre2_match_context **limits, es_why_t *why, apr_pool_t *pool)
{
    pcre2_match_context *made = pcre2_match_context_create(NULL);

    if (!made) {
        return es_fail(why, ES_INTERNAL, "PCRE2 has no memory for a match context");
    }
    apr_pool_cleanup_register(pool, made, free_limits, apr_pool_cleanup_null);
    pcre2_set_match_limit(made, STEPS_MAX);
    pcre2_set_depth_limit(made, STEPS_MAX);
    *limits = made;
    return ES_OK;
}
