/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hosts are known here to fetch metadata from and for nothing else: issuer and endpoints are what the document says.
 */
#include "entra/cloud.h"

#include "base/guid.h"

#include <apr_lib.h>
#include <apr_strings.h>

#define DOMAIN_MAX 253 /* RFC 1035 section 2.3.4, without the root's dot */
#define LABEL_MAX 63

static const struct {
    const char *name, *host;
} clouds[] = {
    { "public", "login.microsoftonline.com" },
    { "usgov", "login.microsoftonline.us" },
    { "china", "login.partner.microsoftonline.cn" },
};

static const char *find_host(const char *cloud)
{
    apr_size_t i;

    for (i = 0; i < sizeof clouds / sizeof *clouds; i++) {
        if (!cloud || strcmp(clouds[i].name, cloud) == 0) {
            return clouds[i].host;
        }
    }
    return NULL;
}

/* Letters, digits and hyphens, no hyphen at either end (RFC 1123 section 2.1). */
static int is_label(const char *text, apr_size_t len)
{
    apr_size_t i;

    if (len == 0 || len > LABEL_MAX || text[0] == '-' || text[len - 1] == '-') {
        return 0;
    }
    for (i = 0; i < len; i++) {
        if (!apr_isalnum(text[i]) && text[i] != '-') {
            return 0;
        }
    }
    return 1;
}

/* A domain that can be verified has two labels or more, and the last is no number: not an address, not "common". */
static const char *read_domain(const char *text, apr_pool_t *pool)
{
    const char *label = text;
    char *lower, *c;

    if (strlen(text) > DOMAIN_MAX || !strchr(text, '.')) {
        return NULL;
    }
    for (;;) {
        const apr_size_t len = strcspn(label, ".");

        if (!is_label(label, len)) {
            return NULL;
        }
        if (!label[len]) {
            break;
        }
        label += len + 1;
    }
    if (label[strspn(label, "0123456789")] == '\0') {
        return NULL;
    }
    lower = apr_pstrdup(pool, text);
    for (c = lower; *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    return lower;
}

es_rv_t es_cloud_metadata_url(const char **url, const char *cloud, const char *tenant, const char *application,
                              es_why_t *why, apr_pool_t *pool)
{
    const char *host = find_host(cloud), *who, *what;

    if (!host) {
        return es_fail(why, ES_CONFIG_TENANT, "\"%.200s\" is none of the clouds public, usgov, china", cloud);
    }
    who = es_guid_read(tenant, pool);
    who = who ? who : read_domain(tenant, pool);
    if (!who) {
        return es_fail(why, ES_CONFIG_TENANT, "tenant \"%.200s\" is neither a GUID nor a domain name", tenant);
    }
    what = es_guid_read(application, pool);
    if (!what) {
        return es_fail(why, ES_CONFIG_TENANT, "application \"%.200s\" is not a GUID", application);
    }
    *url =
        apr_psprintf(pool, "https://%s/%s/federationmetadata/2007-06/federationmetadata.xml?appid=%s", host, who, what);
    return ES_OK;
}
