/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EntraSAMLGroup: names for groups, since Entra sends the object ids of most. A rule about the claim groups may give
 * either, and the application gets both.
 */
#ifndef ES_GROUP_H
#define ES_GROUP_H

#include "base/es.h"

/* As configured. */
typedef struct {
    const char *name;
    const char *guid;
} es_group_t;

/* Judged: in order of name, the GUIDs in upper case. */
typedef struct {
    int count;
    const es_group_t *groups;
} es_groups_t;

/* ES_CONFIG_GROUP: a name that is empty, is a GUID itself, or holds a control character, a semicolon or a backslash
 * (ENTRA_GROUP_NAMES joins them); a GUID that is none; a name given twice. Several names for one group are good. */
es_rv_t es_groups_make(es_groups_t **groups, const es_group_t *pairs, int n_pairs, es_why_t *why, apr_pool_t *pool);

/* The GUID of a name, compared exactly; NULL when it is none of ours. */
const char *es_groups_find(const es_groups_t *groups, const char *name);

/* Is it a GUID as Entra writes them, 36 characters, in whatever case? */
#define ES_GROUP_GUID_LEN 36
int es_groups_is_guid(const char *text);

#endif
