/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where Microsoft's clouds publish federation metadata (Microsoft, "Federation metadata", "National clouds").
 */
#ifndef ES_CLOUD_H
#define ES_CLOUD_H

#include "base/es.h"

/* The address that the portal calls App Federation Metadata Url: the document of this application, with every signing
 * certificate it has. `cloud` is public, usgov or china, NULL: public. `tenant` is a GUID or a verified domain (ASCII;
 * an internationalised one in its xn-- form), `application` the GUID that the portal calls Application ID. The names of
 * tenants that are none (common, organizations, consumers) are refused: an application has its document in one tenant.
 * ES_CONFIG_TENANT. */
es_rv_t es_cloud_metadata_url(const char **url, const char *cloud, const char *tenant, const char *application,
                              es_why_t *why, apr_pool_t *pool);

#endif
