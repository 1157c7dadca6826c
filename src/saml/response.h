/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From the raw SAMLResponse field to proof: decode, parse, walk, verify every signature there is (SAML bindings 3.5,
 * core 3.2.2, 5.4). What is read here besides the proof is unsigned unless the response is: it may make us refuse,
 * never accept.
 */
#ifndef ES_RESPONSE_H
#define ES_RESPONSE_H

#include "base/es.h"
#include "xml/dsig.h"

typedef struct {
    const char *id;
    const char *destination;    /* NULL where absent */
    const char *in_response_to; /* NULL where absent */
    const char *issuer;         /* NULL where absent */
    apr_time_t issue_instant;
    const es_signed_t *proof; /* octets of the Assertion if it is signed itself, else of the signed Response */
} es_response_t;

/* `field` is the form field as it arrived, base64 and all. The refusals, in order: decoding; the parser's; root, ID
 * uniqueness; version; status (ES_RESPONSE_STATUS, the sentence holding codes and message of Entra, as sent: not
 * success is told before anything about signatures, since Entra's errors are unsigned); exactly one Assertion and no
 * EncryptedAssertion; the place of every ds:Signature in the document; then es_dsig_verify on each of Response and
 * Assertion that carries one. */
es_rv_t es_response_load(es_response_t **response, es_bytes_t field, const es_keys_t *keys, es_why_t *why,
                         apr_pool_t *pool);

#endif
