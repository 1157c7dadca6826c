/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A federation metadata document, read into what we need of it and nothing else.
 */
#ifndef ES_METADATA_H
#define ES_METADATA_H

#include "base/es.h"
#include "xml/key.h"

typedef struct {
    const char *issuer;  /* entityID, e.g. https://sts.windows.net/<tenant>/ */
    const char *sso_url; /* SingleSignOnService, HTTP-Redirect, https */
    const char *slo_url; /* SingleLogoutService, HTTP-Redirect, https; NULL where there is none */
    const es_keys_t *keys;
    int n_skipped; /* certificates that are no usable key */
} es_metadata_t;

/* Reads the document: EntityDescriptor with one SAML 2.0 IDPSSODescriptor; every KeyDescriptor for signing of that role
 * and of no other. WS-Fed roles, a BOM, the document's own signature and unknown elements are passed over.
 * ES_METADATA_INVALID, ES_METADATA_COMMON (entityID with {tenantid}), ES_METADATA_NO_ROLE, ES_METADATA_NO_ENDPOINT,
 * ES_METADATA_NO_KEY. */
es_rv_t es_metadata_load(es_metadata_t **metadata, es_bytes_t document, es_why_t *why, apr_pool_t *pool);

#endif
