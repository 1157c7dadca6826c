/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/stranger.h"

#define APPLICATION "CN=Microsoft Azure Federated SSO Certificate"

/* What the tenant documents of 2013 to 2019 hold: keys of the public cloud, and one of US Government beside them. */
static const char *const tenants[] = { "CN=accounts.accesscontrol.windows.net", "CN=login.microsoftonline.us" };

static int is_tenants(const es_key_t *key)
{
    apr_size_t i;

    for (i = 0; i < sizeof tenants / sizeof *tenants; i++) {
        if (strcmp(key->subject, tenants[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

const char *es_stranger_advice(const es_keys_t *keys, const char *sentence)
{
    int i;

    if (es_keys_count(keys) == 0 || !strstr(sentence, " (" APPLICATION ")")) {
        return NULL;
    }
    for (i = 0; i < es_keys_count(keys); i++) {
        if (!is_tenants(es_keys_at(keys, i))) {
            return NULL;
        }
    }
    return "the configured certificates are the tenant's, the response is signed with the application's own: use the "
           "App Federation Metadata Url of the portal, which ends in ?appid= and the Application ID";
}
