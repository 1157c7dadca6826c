/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The messages of single logout that go out (SAML core 3.7, bindings 3.4). Written by lasso, one for each sign-out: they
 * are as rare as sign-ins, and what they say differs in more than ID and time.
 */
#ifndef ES_SIGNOFF_H
#define ES_SIGNOFF_H

#include "base/es.h"
#include "xml/pair.h"

/* Between whom: immutable, shared by all threads. */
typedef struct {
    const char *slo_url;   /* Entra's SingleLogoutService; may carry a query of its own */
    const char *entity_id; /* ours */
    const es_pair_t *pair; /* signs; NULL where our messages are not signed */
} es_signoff_t;

/* Registers with GObject the types that lasso uses here; once per configuration pass, after es_request_init and before
 * there are threads, since lasso's registration knows no lock. ES_INTERNAL. */
es_rv_t es_signoff_init(es_why_t *why);

/* Whose session ended, as the assertion named it; "" where it did not say. */
typedef struct {
    const char *name_id, *format, *session_index;
} es_signoff_user_t;

/* The address that asks Entra to sign the user out: NameID with Format, and SessionIndex. `id` as es_request_id_text
 * makes it. RelayState is left out when NULL. ES_INTERNAL: lasso does not write it. */
es_rv_t es_signoff_request(const char **url, const es_signoff_t *signoff, const es_signoff_user_t *user, const char *id,
                           const char *relay_state, apr_time_t now, es_why_t *why, apr_pool_t *pool);

/* The address that tells Entra that its request was followed: status Success. */
es_rv_t es_signoff_response(const char **url, const es_signoff_t *signoff, const char *in_response_to, const char *id,
                            const char *relay_state, apr_time_t now, es_why_t *why, apr_pool_t *pool);

#endif
