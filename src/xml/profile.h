/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The shape a signature must have before a verifier may see it: SAML core 5.4 and, beyond it, what Entra has sent since
 * 2015. Everything XML-DSig offers besides is refused by name.
 */
#ifndef ES_PROFILE_H
#define ES_PROFILE_H

#include "base/es.h"
#include "xml/xml.h"

typedef struct {
    xmlNodePtr signature;
    xmlAttrPtr id;          /* the ID attribute of the element that is signed */
    es_bytes_t certificate; /* DER that KeyInfo carries, data NULL where there is none: a hint, never a key */
} es_profile_t;

/* Reads the ds:Signature that is a direct child of `element`. ES_SIGNATURE_MISSING, ES_ID_MISSING, ES_SIGNATURE_SHAPE,
 * ES_SIGNATURE_REFERENCE, ES_SIGNATURE_C14N, ES_SIGNATURE_TRANSFORM, ES_SIGNATURE_ALGORITHM, ES_DIGEST_ALGORITHM, in
 * this order; dsig.h says what each means. */
es_rv_t es_profile_read(es_profile_t *profile, const xmlNode *element, es_why_t *why, apr_pool_t *pool);

#endif
