/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A federation metadata document, read into what we need of it and nothing else.
 */
#ifndef ES_METADATA_H
#define ES_METADATA_H

#include "base/es.h"
#include "xml/key.h"

typedef struct {
    const char *issuer;  /* entityID, e.g. https://sts.windows.net/<tenant>/; see entra/issuer.h for {tenantid} */
    const char *sso_url; /* SingleSignOnService, HTTP-Redirect, https */
    const char *slo_url; /* SingleLogoutService, HTTP-Redirect, https; NULL where there is none */
    const es_keys_t *keys;
    int n_skipped; /* certificates that are no usable key */
} es_metadata_t;

/* Reads the document: EntityDescriptor with one SAML 2.0 IDPSSODescriptor; every KeyDescriptor for signing of that role
 * and of no other. WS-Fed roles, a BOM, the document's own signature and unknown elements are passed over.
 * The document of all tenants (entityID with {tenantid}) is read like any other.
 * ES_METADATA_INVALID, ES_METADATA_NO_ROLE, ES_METADATA_NO_ENDPOINT, ES_METADATA_NO_KEY. */
es_rv_t es_metadata_load(es_metadata_t **metadata, es_bytes_t document, es_why_t *why, apr_pool_t *pool);

/* Is it a successor of what is there? `tenant` is EntraSAMLTenant, NULL where it is not said; one that is no GUID says
 * nothing about the issuer. `issuer` is that of the document before, NULL where there was none.
 *   ES_METADATA_TENANT   the tenant's GUID is no part of the issuer
 *   ES_METADATA_ISSUER   another issuer than before: every session would be another connection's */
es_rv_t es_metadata_check(const es_metadata_t *metadata, const char *tenant, const char *issuer, es_why_t *why,
                          apr_pool_t *pool);

#endif
