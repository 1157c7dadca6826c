/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * When to warn that a signing certificate ends: 60, 30, 7 days and 1 day before, and once it has. Microsoft's mails go to
 * one address 60, 30 and 7 days before; the log goes to whoever runs the server. A warning is all: an expired
 * certificate still verifies (Microsoft, "Manage certificates for federated single sign-on").
 */
#ifndef ES_EXPIRY_H
#define ES_EXPIRY_H

#include "base/es.h"
#include "xml/key.h"

/* How many certificates of one document are watched; genuine documents have up to three. */
#define ES_EXPIRY_KEYS 16

/* The last warning of a certificate; the order is that of time. */
typedef enum {
    ES_EXPIRY_FAR,
    ES_EXPIRY_60_DAYS,
    ES_EXPIRY_30_DAYS,
    ES_EXPIRY_7_DAYS,
    ES_EXPIRY_1_DAY,
    ES_EXPIRY_PASSED
} es_expiry_stage_t;

/* What was warned of so far; zeroed at first. Holds no pointer, so that it may lie anywhere. */
typedef struct {
    int count;
    struct {
        es_hash_t certificate;
        es_expiry_stage_t stage;
    } key[ES_EXPIRY_KEYS];
} es_expiry_seen_t;

typedef struct {
    const es_key_t *key;
    es_rv_t rv; /* ES_KEY_EXPIRING, ES_KEY_EXPIRED */
    const char *text;
} es_expiry_warning_t;

/* The warnings that are due now and were not given; returns how many, and notes them in *seen. Stages that went by
 * unseen are warned of once, as the last of them. Certificates that the document no longer has are forgotten; a clock
 * that was set back repeats nothing. */
int es_expiry_due(es_expiry_warning_t warnings[ES_EXPIRY_KEYS], es_expiry_seen_t *seen, const es_keys_t *keys,
                  apr_time_t now, apr_pool_t *pool);

#endif
