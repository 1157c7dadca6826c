/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A sign-out on its way to Entra and back, sealed into RelayState: which request it was, and the page to end on. The
 * server keeps nothing.
 */
#ifndef ES_LEAVING_H
#define ES_LEAVING_H

#include "base/crypto.h"
#include "base/es.h"

#define ES_LEAVING_TOKEN 16 /* octets of request ID */

typedef struct {
    es_connection_id_t connection;
    unsigned char request_id[ES_LEAVING_TOKEN];
    const char *
        landing; /* path and query on our origin, or a page of the site where the user clicked; "": the page that says so */
} es_leaving_t;

/* base64url text of the sealed octets: 64 characters without a landing, within the 80 octets of SAML bindings 3.4.3. */
es_rv_t es_leaving_seal(const char **relay_state, const es_leaving_t *leaving, const es_seal_key_t *key, es_why_t *why,
                        apr_pool_t *pool);

/* *leaving = NULL where it is none of ours (a miss: the input is a stranger's). */
es_rv_t es_leaving_open(es_leaving_t **leaving, const char *relay_state, const es_seal_key_t *key, es_why_t *why,
                        apr_pool_t *pool);

#endif
