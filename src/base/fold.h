/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names of headers and variables, as applications confuse them: CGI and its kin make capitals of letters and _ of '-';
 * some make _ of every other character too (a period, a blank), so we do. What a client must not send in our name is
 * looked for in this form.
 */
#ifndef ES_FOLD_H
#define ES_FOLD_H

#include <apr_pools.h>

/* Without the C library, which would call a function for each header of each request. */
static inline char es_fold(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

/* Do both fold to the same? */
int es_fold_same(const char *a, const char *b);

typedef enum {
    ES_FOLD_WHOLE,  /* this name */
    ES_FOLD_PREFIX, /* all that begin with it */
    ES_FOLD_INDEXED /* it, it with _1, _2, … and it with _COUNT */
} es_fold_kind_t;

typedef struct {
    const char *name; /* not empty */
    es_fold_kind_t kind;
} es_fold_name_t;

/* A set of names, for thousands of questions that are mostly answered by the first character. */
typedef struct es_fold_set_t es_fold_set_t;

const es_fold_set_t *es_fold_make(const es_fold_name_t *names, int count, apr_pool_t *pool);
int es_fold_has(const es_fold_set_t *set, const char *name);

#endif
