/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a section gives to the application: which claims, as which variables and request headers. A section that says
 * nothing of it has no plan, and export.c does what is done by default.
 *
 *   said.c     reads the lines of a section
 *   plan.c     lines of one section, and of those around it → a plan
 *   nest.c     which of them a request needs, made once
 *   names.c    all names of all sections: judged, and what no client may send
 *   headers.c  a session by a plan: request headers
 *   export.c   variables
 */
#ifndef MES_PLAN_H
#define MES_PLAN_H

#include "httpd/mes.h"

#include "base/fold.h"
#include "policy/header.h"

/* What is exported beside claims, under names like theirs. */
typedef enum {
    MES_OWN_NONE,
    MES_OWN_USER,        /* REMOTE_USER, for headers */
    MES_OWN_GROUP_NAMES, /* of EntraSAMLGroup */
    MES_OWN_OVERAGE,     /* Entra left the groups out */
    MES_OWN_LOGOUT_URL,
    MES_OWN_HEADERS_MISSING /* headers that lack values, for variables */
} mes_own_t;
#define MES_OWNS (MES_OWN_HEADERS_MISSING + 1)

/* A claim as a line names it, or as a session has it. */
typedef struct {
    const char *name;      /* short; in a line perhaps full */
    const char *full_name; /* in a session; "" where there is none */
    unsigned id;           /* of a built-in claim */
    mes_own_t own;
} mes_named_t;

/* EntraSAMLEnv, EntraSAMLHeader. */
typedef struct {
    mes_named_t claim;
    const char *name;              /* of the variable or header */
    const char *missing;           /* the header that says how many values are left out */
    es_header_encoding_t encoding; /* of a header */
    const ap_directive_t *at;
} mes_line_t;

/* What EntraSAMLEnvValues can say, in the order of its choices. */
enum { MES_VALUES_JOINED, MES_VALUES_INDEXED, MES_VALUES_BOTH };

/* What one section says, or what several that lie in each other say together. */
typedef struct {
    const char *prefix;                   /* of variables */
    const apr_array_header_t *variables;  /* of mes_line_t */
    const apr_array_header_t *headers;    /* of mes_line_t */
    const apr_array_header_t *allowed;    /* of mes_named_t; NULL: all */
    const apr_array_header_t *denied;     /* of mes_named_t */
    const char *header_prefix;            /* NULL: none */
    es_header_encoding_t header_encoding; /* of these */
    int values;
    apr_size_t limit; /* octets of a header's value */
    /* Where it was said; NULL: it was not. */
    const ap_directive_t *prefix_at, *allowed_at, *header_prefix_at, *values_at, *limit_at;
    const ap_directive_t *off_at; /* EntraSAMLHeader Off: those of the sections around do not hold here */
} mes_said_t;

/* Where a claim goes. */
typedef struct {
    const char *variable; /* NULL: into none */
    int n_headers;
    const mes_line_t *headers;
} mes_target_t;

typedef struct {
    mes_said_t said;              /* nothing left open */
    const mes_target_t *built_in; /* by the claim's number */
    mes_target_t own[MES_OWNS];
    const es_fold_set_t *variables, *headers; /* what all of these take, so that no other claim may */
    int is_sending;                           /* headers */
    apr_time_t *told;                         /* when the log last heard from this child that values are left out */
} mes_plan_t;

typedef struct mes_joined_t mes_joined_t;

/* A section's own lines. */
typedef struct {
    mes_said_t said;
    const mes_plan_t *plan; /* of these alone */
    mes_joined_t *joined;   /* plans of it inside of others; grows while the server runs */
    pid_t owner;            /* the parent */
} mes_part_t;

/* The lines of a section and, linked, of those around it. Each location has them, or NULL where nothing is said. */
struct mes_carried_t {
    mes_part_t *part;
    const mes_carried_t *around;
};

/* ---- plan.c */

/* What holds where nothing is said. */
extern const mes_said_t mes_plan_default;
/* `add` over `base`, and a plan of the result. */
const mes_plan_t *mes_plan_make(const mes_said_t *base, const mes_said_t *add, apr_pool_t *pool);
int mes_plan_is_same(const mes_named_t *a, const mes_named_t *b);
/* Do allow list and deny list let it out? */
int mes_plan_exports(const mes_said_t *said, const mes_named_t *claim);
/* The line of that claim in said->variables; NULL when there is none. */
const mes_line_t *mes_plan_find_variable(const mes_said_t *said, const mes_named_t *claim);
/* The headers of a claim: those of its lines, and the one of EntraSAMLHeaderPrefix unless a line says it otherwise or
 * `taken` has it. */
void mes_plan_find_headers(mes_target_t *target, const mes_said_t *said, const mes_named_t *claim,
                           const es_fold_set_t *taken, apr_pool_t *pool);
/* Names that a prefix makes: of a variable in capitals, of a header with capital initials. */
const char *mes_plan_variable_name(const char *prefix, const char *short_name, apr_pool_t *pool);
const char *mes_plan_header_name(const char *prefix, const char *short_name, apr_pool_t *pool);
/* Names of MES_OWN_…. */
const char *mes_plan_own_name(mes_own_t own);

/* ---- nest.c */

/* Joins what a section says to what is around it; `said` alone where there is nothing. */
const mes_carried_t *mes_nest_join(const mes_carried_t *around, const mes_carried_t *carried, apr_pool_t *pool);
/* The plan that holds, never NULL, once mes_nest_prepare was called for every part. Sections that lie in each other get
 * theirs at their first request, and keep it. */
const mes_plan_t *mes_nest_find(const mes_carried_t *carried);
/* Makes the plan of this part alone; `pool` is the configuration's. */
void mes_nest_prepare(mes_part_t *part, apr_pool_t *pool);

/* ---- names.c */

/* Two things under one name: ES_CONFIG_EXPORT; *at = the line to blame. */
es_rv_t mes_names_check(const ap_directive_t **at, const mes_part_t *part, const es_claim_alias_t *aliases,
                        int n_aliases, es_why_t *why, apr_pool_t *pool);

/* ---- headers.c */

/* Sends what a claim, or a text of our own, holds in its headers. */
typedef struct {
    request_rec *r;
    const mes_plan_t *plan;
    const char *missing; /* names of headers that lack values, joined by ';'; NULL: none */
} mes_sending_t;
void mes_headers_send(mes_sending_t *sending, const mes_target_t *target, const es_header_values_t *values);
void mes_headers_send_one(mes_sending_t *sending, const mes_target_t *target, const char *text);

#endif
