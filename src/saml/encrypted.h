/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The EncryptedAssertion of a response (SAML core 2.3.4): opened, read as a document of its own, proven.
 */
#ifndef ES_ENCRYPTED_H
#define ES_ENCRYPTED_H

#include "base/es.h"
#include "xml/decrypt.h"

/* *proof = the octets of the assertion inside: those that its own signature covers or, where it has none, what was
 * opened from inside `outer`, the proof of the response around it. `outer` is NULL where the response is not signed:
 * then the assertion must be. ES_ENCRYPTION_SHAPE, ES_ENCRYPTION_ALGORITHM, ES_DECRYPTION_FAILED as es_decrypt_element.
 *
 * The clear text goes through the same door as a message, with all its limits, and must be one Assertion that holds
 * no other, with unique IDs, a Signature nowhere but as its child, and all namespaces declared in it. What is no such XML
 * did not open. Inside a signed response, which nobody could alter, other faults have their own names: ES_ID_DUPLICATE,
 * ES_ASSERTION_COUNT, ES_SIGNATURE_PLACE and those of es_dsig_verify. Without such a proof each is
 * ES_DECRYPTION_FAILED. */
es_rv_t es_encrypted_prove(const es_signed_t **proof, const xmlNode *encrypted, const es_signed_t *outer,
                           const es_keys_t *keys, const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool);

#endif
