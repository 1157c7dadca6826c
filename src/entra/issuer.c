/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/issuer.h"

#include "base/guid.h"

#include <apr_strings.h>
#include <strings.h>

#define TENANT_CLAIM "http://schemas.microsoft.com/identity/claims/tenantid"

/* Where the placeholder is; *len = its length. NULL where there is none. */
static const char *find_placeholder(apr_size_t *len, const char *issuer)
{
    static const char *const placeholders[] = { "{tenantid}", "{tenant}" };
    int i;

    for (i = 0; i < 2; i++) {
        const char *at = strstr(issuer, placeholders[i]);

        if (at) {
            *len = strlen(placeholders[i]);
            return at;
        }
    }
    return NULL;
}

int es_issuer_is_template(const char *issuer)
{
    apr_size_t unused;

    return find_placeholder(&unused, issuer) != NULL;
}

const char *es_issuer_of(const char *issuer, const char *tenant, apr_pool_t *pool)
{
    apr_size_t len;
    const char *at = find_placeholder(&len, issuer);

    if (!at) {
        return issuer;
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, issuer, (apr_size_t)(at - issuer)), tenant, at + len, NULL);
}

int es_issuer_admits(const char *const *tenants, const char *tenant)
{
    for (; tenants && *tenants; tenants++) {
        if (strcasecmp(*tenants, tenant) == 0) {
            return 1;
        }
    }
    return tenants == NULL;
}

/* Two tenants in one assertion are none: whoever reads one must not differ from whoever reads the other. */
static es_rv_t read_tenant(const char **tenant, const es_assertion_t *assertion, es_why_t *why, apr_pool_t *pool)
{
    const char *found = NULL;
    int i, count = 0;

    for (i = 0; i < assertion->n_attributes; i++) {
        const es_attribute_t *attribute = &assertion->attributes[i];

        if (strcmp(attribute->name, TENANT_CLAIM) == 0 && attribute->count > 0) {
            count += attribute->count;
            found = attribute->values[0];
        }
    }
    if (count != 1) {
        return es_fail(why, ES_TENANT_MISSING, "the assertion has %d values of the claim tenantid, not one", count);
    }
    *tenant = es_guid_read(found, pool);
    if (!*tenant) {
        return es_fail(why, ES_TENANT_MISSING, "the claim tenantid is \"%.100s\", which is no GUID", found);
    }
    return ES_OK;
}

es_rv_t es_issuer_expect(const char **issuer, const char *configured, const char *const *tenants,
                         const es_assertion_t *assertion, es_why_t *why, apr_pool_t *pool)
{
    const int is_template = es_issuer_is_template(configured);
    const char *tenant;
    es_rv_t rv;

    if (!is_template && !tenants) {
        *issuer = configured;
        return ES_OK;
    }
    if ((rv = read_tenant(&tenant, assertion, why, pool)) != ES_OK) {
        return rv;
    }
    if (!tenants || !es_issuer_admits(tenants, tenant)) {
        return es_fail(why, ES_TENANT_REFUSED, "tenant %s is not one of EntraSAMLAllowedTenants", tenant);
    }
    *issuer = es_issuer_of(configured, tenant, pool);
    return ES_OK;
}
