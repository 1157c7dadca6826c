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
#include "xml/pair.h"

typedef struct {
    const char *id;
    const char *destination;    /* NULL where absent */
    const char *in_response_to; /* NULL where absent */
    const char *issuer;         /* NULL where absent */
    apr_time_t issue_instant;
    int is_signed; /* the Response itself is, so that what it lacks was not taken away on the road */
    const es_signed_t
        *proof; /* octets of the Assertion if it is signed itself or was encrypted, else of the signed Response */
} es_response_t;

/* `field` is the form field as it arrived, base64 and all. The refusals, in order:
 *   ES_BASE64_INVALID, and those of es_xml_load
 *   ES_RESPONSE_ROOT        the document element is not samlp:Response
 *   ES_ID_DUPLICATE         two equal IDs anywhere
 *   ES_RESPONSE_SHAPE       its children are not Issuer?, Signature?, Extensions?, Status, assertions
 *   ES_RESPONSE_VERSION     Version is not 2.0
 *   ES_RESPONSE_STATUS      not Success; the sentence holds codes and message of Entra, as sent. It is told before
 *                           anything about signatures, since Entra's errors are unsigned
 *   ES_ASSERTION_ENCRYPTED  an EncryptedAssertion, and no pair to open it with
 *   ES_ASSERTION_COUNT      not exactly one Assertion among the children, or another one anywhere below
 *   ES_ID_MISSING, ES_TIME_MALFORMED  of the Response
 *   ES_SIGNATURE_PLACE      a ds:Signature that is no direct child of the Response or of its Assertion
 *   ES_SIGNATURE_MISSING    neither is signed
 *   those of es_dsig_verify, on each of the two that carries a signature
 *   those of es_encrypted_prove, where the assertion is encrypted
 * `pairs` open encrypted assertions; NULL where there are none. */
es_rv_t es_response_load(es_response_t **response, es_bytes_t field, const es_keys_t *keys,
                         const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool);

#endif
