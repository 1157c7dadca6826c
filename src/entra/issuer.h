/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The issuer of an application that several tenants use. The tenant-independent document calls itself
 * https://sts.windows.net/{tenantid}/, and each tenant signs with the same keys: the issuer says who it was, and the
 * administrator's list says who may (Microsoft, "Federation metadata").
 */
#ifndef ES_ISSUER_H
#define ES_ISSUER_H

#include "base/es.h"
#include "saml/assertion.h"

/* Does it stand for any tenant? Microsoft writes {tenantid}, its documentation {tenant}: both do. */
int es_issuer_is_template(const char *issuer);

/* The tenant's own issuer: the GUID in the place of the placeholder. An issuer without one is every tenant's. */
const char *es_issuer_of(const char *issuer, const char *tenant, apr_pool_t *pool);

/* Is the tenant on the list? `tenants` are GUIDs in lower case, NULL-terminated; without a list (NULL) everyone is. */
int es_issuer_admits(const char *const *tenants, const char *tenant);

/* The issuer that this assertion must have: the configured one, with the tenant of its own tenantid claim. Where there
 * is a list, the tenant must be on it.
 *   ES_TENANT_MISSING   a tenant is needed, and the assertion does not have exactly one tenantid claim with one GUID
 *   ES_TENANT_REFUSED   the tenant is not on the list, or there is none for a template */
es_rv_t es_issuer_expect(const char **issuer, const char *configured, const char *const *tenants,
                         const es_assertion_t *assertion, es_why_t *why, apr_pool_t *pool);

#endif
