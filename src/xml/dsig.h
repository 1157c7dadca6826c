/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * XML-DSig held to the SAML profile (SAML core 5.4): the only caller of xmlsec's verify and the only maker of
 * es_signed_t.
 */
#ifndef ES_DSIG_H
#define ES_DSIG_H

#include "base/es.h"
#include "xml/key.h"
#include "xml/xml.h"

/* The very octets whose digest the signature covers: exclusive canonical XML of one element, its own Signature taken
 * out. Whoever holds one holds proof that a configured key signed these octets. Opaque, so that nobody else can make
 * one but decrypt.c, which opens what is encrypted inside of one. */
typedef struct es_signed_t es_signed_t;

/* Once per configuration pass (xmlsec's own state). Never shut down: see HACKING.md, lifecycle. */
es_rv_t es_dsig_init(es_why_t *why);

/* Verifies the ds:Signature that is a direct child of `element`. The refusals, in order:
 *   ES_SIGNATURE_MISSING      no such child
 *   ES_ID_MISSING             the element has no ID, or one that is no xs:ID
 *   ES_SIGNATURE_SHAPE        two signatures, an Object, not exactly one Reference, elements in the wrong order or
 * number ES_SIGNATURE_REFERENCE    the Reference's URI is not "#" + the element's ID ES_SIGNATURE_C14N
 * CanonicalizationMethod is not exclusive C14N without comments, or has parameters ES_SIGNATURE_TRANSFORM    not
 * exactly enveloped-signature, exclusive C14N without comments, without parameters ES_SIGNATURE_ALGORITHM    not
 * rsa-sha256, rsa-sha384, rsa-sha512 ES_DIGEST_ALGORITHM       not sha256, sha384, sha512 ES_ID_DUPLICATE           the
 * ID is registered for another element ES_SIGNATURE_DIGEST       the content was altered ES_SIGNATURE_KEY_UNKNOWN  no
 * configured key verifies, and KeyInfo names none of them ES_SIGNATURE_VALUE        a configured certificate is named,
 * but the signature does not verify KeyInfo never supplies a key; a certificate in it only says which configured key to
 * try first. The document is changed only in that IDs are registered: the element's, and those within the Signature.
 * The caller has made sure that they are unique (es_dsig_check_ids). Any number of threads may use the same keys. */
es_rv_t es_dsig_verify(const es_signed_t **proof, xmlNodePtr element, const es_keys_t *keys, es_why_t *why,
                       apr_pool_t *pool);

/* Every attribute called ID, Id, id or xml:id in the document, in whatever case and namespace, compared:
 * ES_ID_DUPLICATE when two are equal. */
es_rv_t es_dsig_check_ids(const xmlDoc *doc, es_why_t *why, apr_pool_t *pool);

/* The octets; valid as long as the pool it was verified in. */
es_bytes_t es_signed_octets(const es_signed_t *proof);
/* Thumbprint of the configured certificate that verified; valid as long as the keys. */
const char *es_signed_thumbprint(const es_signed_t *proof);

#endif
