/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fold.h"

#include <stdlib.h>
#include <string.h>

struct es_fold_set_t {
    apr_uint16_t first[256]; /* by octet: where the names begin that begin so, plus one; 0: there is none */
    es_fold_name_t *names;   /* folded and sorted; one without name at the end */
};

int es_fold_same(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (es_fold(*a) != es_fold(*b)) {
            return 0;
        }
    }
    return *a == *b;
}

static const char *fold_all(const char *name, apr_pool_t *pool)
{
    const apr_size_t len = strlen(name);
    char *folded = apr_pcalloc(pool, len + 1);
    apr_size_t i;

    for (i = 0; i < len; i++) {
        folded[i] = es_fold(name[i]);
    }
    return folded;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const es_fold_name_t *)a)->name, ((const es_fold_name_t *)b)->name);
}

const es_fold_set_t *es_fold_make(const es_fold_name_t *names, int count, apr_pool_t *pool)
{
    es_fold_set_t *set = apr_pcalloc(pool, sizeof *set);
    int i, c;

    set->names = apr_pcalloc(pool, ((apr_size_t)count + 1) * sizeof *set->names);
    for (i = 0; i < count; i++) {
        set->names[i].name = fold_all(names[i].name, pool);
        set->names[i].kind = names[i].kind;
    }
    qsort(set->names, (size_t)count, sizeof *set->names, compare);
    for (c = 1; c < 256; c++) {
        for (i = count; i > 0; i--) {
            if (set->names[i - 1].name[0] == es_fold((char)c)) {
                set->first[c] = (apr_uint16_t)i;
            }
        }
    }
    return set;
}

/* What may follow the name of a variable with several values: _1, _2, …, _COUNT. */
static int is_index(const char *rest)
{
    if (es_fold(*rest++) != '_') {
        return 0;
    }
    if (es_fold_same(rest, "COUNT")) {
        return 1;
    }
    return *rest && rest[strspn(rest, "0123456789")] == '\0';
}

static int matches(const es_fold_name_t *name, const char *text)
{
    const char *wanted = name->name;

    for (; *wanted; wanted++, text++) {
        if (!*text || es_fold(*text) != *wanted) {
            return 0;
        }
    }
    return !*text || name->kind == ES_FOLD_PREFIX || (name->kind == ES_FOLD_INDEXED && is_index(text));
}

int es_fold_has(const es_fold_set_t *set, const char *name)
{
    const unsigned at = set->first[(unsigned char)*name];
    const es_fold_name_t *known;

    if (!at) {
        return 0;
    }
    for (known = &set->names[at - 1]; known->name && known->name[0] == es_fold(*name); known++) {
        if (matches(known, name)) {
            return 1;
        }
    }
    return 0;
}
