/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A message by the HTTP-Redirect binding (SAML bindings 3.4.4.1), from the raw query string to XML. The signature is
 * over the query as it was sent: Entra writes lower-case escapes and Signature before SigAlg, so the octets are sliced
 * and never encoded again. Nothing is inflated or parsed before it is verified.
 */
#ifndef ES_QUERY_H
#define ES_QUERY_H

#include "base/es.h"
#include "xml/key.h"

typedef struct {
    int is_response;         /* SAMLResponse, else SAMLRequest */
    const char *relay_state; /* decoded; NULL where absent. A stranger's, whatever the signature says */
    const char *algorithm;   /* SigAlg, decoded; NULL where absent */
    const char *signature;   /* its base64; NULL where absent */
    const char *packed;      /* the message, decoded, in base64 and deflated: for es_query_open alone */
    /* Raw slices of the query; data NULL where absent. */
    es_bytes_t raw_message, raw_relay_state, raw_algorithm;
} es_query_t;

/* A message inflates to no more. Genuine ones have less than 1 KiB. */
#define ES_QUERY_MAX_OCTETS (64u * 1024)

/* *query = NULL where the query string has neither SAMLRequest nor SAMLResponse; parameters of other names are passed
 * over. ES_LOGOUT_MALFORMED: both, one of the four that count twice, a broken escape in one. */
es_rv_t es_query_read(es_query_t **query, es_bytes_t raw, es_why_t *why, apr_pool_t *pool);

/* The message, verified first. In order:
 *   ES_LOGOUT_UNSIGNED   no Signature, unless `takes_unsigned`; one that is there must verify in any case
 *   ES_LOGOUT_ALGORITHM  SigAlg is absent, or not rsa-sha256, rsa-sha384, rsa-sha512
 *   ES_LOGOUT_SIGNATURE  none of the keys verifies it
 *   ES_LOGOUT_MALFORMED  base64 or DEFLATE broken, or more than ES_QUERY_MAX_OCTETS
 * *is_signed says whether it was. Any number of threads may use the same keys. */
es_rv_t es_query_open(es_bytes_t *message, int *is_signed, const es_query_t *query, const es_keys_t *keys,
                      int takes_unsigned, es_why_t *why, apr_pool_t *pool);

#endif
