/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/group.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdlib.h>

int es_groups_is_guid(const char *text)
{
    int i;

    for (i = 0; i < ES_GROUP_GUID_LEN; i++) {
        const int is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? text[i] != '-' : !apr_isxdigit(text[i])) {
            return 0;
        }
    }
    return text[ES_GROUP_GUID_LEN] == '\0';
}

static int is_name(const char *text)
{
    const unsigned char *c;

    for (c = (const unsigned char *)text; *c >= 0x20 && *c != 0x7f && *c != ';' && *c != '\\'; c++) {
    }
    return *text && !*c && !es_groups_is_guid(text);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const es_group_t *)a)->name, ((const es_group_t *)b)->name);
}

es_rv_t es_groups_make(es_groups_t **groups, const es_group_t *pairs, int n_pairs, es_why_t *why, apr_pool_t *pool)
{
    es_groups_t *made = apr_pcalloc(pool, sizeof *made);
    es_group_t *list = apr_pcalloc(pool, (apr_size_t)(n_pairs + 1) * sizeof *list);
    int i;

    for (i = 0; i < n_pairs; i++) {
        char *guid = apr_pstrdup(pool, pairs[i].guid);

        if (!is_name(pairs[i].name)) {
            return es_fail(why, ES_CONFIG_GROUP, "\"%.200s\" is not a name for a group", pairs[i].name);
        }
        if (!es_groups_is_guid(guid)) {
            return es_fail(why, ES_CONFIG_GROUP, "\"%.200s\" is not the object id of a group", guid);
        }
        for (char *c = guid; *c; c++) {
            *c = (char)apr_toupper(*c);
        }
        list[i].name = apr_pstrdup(pool, pairs[i].name);
        list[i].guid = guid;
    }
    qsort(list, (size_t)n_pairs, sizeof *list, compare_names);
    for (i = 1; i < n_pairs; i++) {
        if (compare_names(&list[i - 1], &list[i]) == 0) {
            return es_fail(why, ES_CONFIG_GROUP, "the name %.200s is given twice", list[i].name);
        }
    }
    made->groups = list;
    made->count = n_pairs;
    *groups = made;
    return ES_OK;
}

const char *es_groups_find(const es_groups_t *groups, const char *name)
{
    const es_group_t wanted = { name, NULL };
    const es_group_t *found =
        groups->count ? bsearch(&wanted, groups->groups, (size_t)groups->count, sizeof wanted, compare_names) : NULL;

    return found ? found->guid : NULL;
}
