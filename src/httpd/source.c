/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where metadata comes from. Hosts that say the same share a source, so that it is fetched once, however many they are.
 */
#include "httpd/mapping.h"
#include "httpd/refresh.h"

#include "entra/cloud.h"

#include <apr_strings.h>
#include <errno.h>
#include <sys/stat.h>

#define AUTHORITIES_MAX (4 * 1024 * 1024)

static es_rv_t find_address(const char **name, int *is_file, const mes_server_t *conf, es_why_t *why, apr_pool_t *pool)
{
    static const char *const clouds[] = { "public", "usgov", "china" };
    const mes_value_t *value = conf->value;

    if (value[MES_METADATA].at) {
        *name = value[MES_METADATA].text;
        *is_file = (*name)[0] == '/';
        return ES_OK;
    }
    *is_file = 0;
    if (!value[MES_TENANT].at || !value[MES_APPLICATION].at) {
        return es_fail(why, ES_METADATA_MISSING, "EntraSAMLTenant and EntraSAMLApplication belong together");
    }
    return es_cloud_metadata_url(name, clouds[value[MES_CLOUD].number], value[MES_TENANT].text,
                                 value[MES_APPLICATION].text, why, pool);
}

static const char *identify(const char *name, const mes_server_t *conf, apr_pool_t *pool)
{
    static const mes_server_slot_t slots[] = { MES_TENANT, MES_METADATA_SIGNER, MES_METADATA_CA, MES_METADATA_PROXY };
    const char *identity = name;
    apr_size_t i;

    for (i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        const char *text = conf->value[slots[i]].text;

        identity = apr_pstrcat(pool, identity, "\n", text ? text : "", NULL);
    }
    return identity;
}

static es_rv_t read_authorities(es_bytes_t *authorities, const mes_server_t *conf, es_why_t *why, apr_pool_t *pool)
{
    const char *file = conf->value[MES_METADATA_CA].text;
    es_rv_t rv;

    if (!file) {
        return ES_OK;
    }
    rv = mes_judge_read_file(authorities, file, AUTHORITIES_MAX, ES_CONFIG_AUTHORITIES, why, pool);
    if (rv == ES_OK && !strstr((const char *)authorities->data, "-----BEGIN CERTIFICATE-----")) {
        rv = es_fail(why, ES_CONFIG_AUTHORITIES, "%.500s holds no certificate in PEM form", file);
    }
    return rv;
}

static es_rv_t check_proxy(const char *proxy, es_why_t *why)
{
    if (proxy && (strncmp(proxy, "http://", 7) != 0 || !proxy[7] || proxy[7 + strcspn(proxy + 7, "/@? \t")])) {
        return es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not http://HOST:PORT", proxy);
    }
    return ES_OK;
}

es_rv_t mes_source_find(mes_source_t **source, mes_refresh_t *refresh, mes_server_t *conf, es_why_t *why,
                        apr_pool_t *pool)
{
    const apr_interval_time_t interval = conf->value[MES_METADATA_REFRESH].number;
    mes_source_t *made = apr_pcalloc(pool, sizeof *made);
    es_rv_t rv = find_address(&made->name, &made->is_file, conf, why, pool);
    int i;

    if (rv != ES_OK) {
        return rv;
    }
    made->identity = identify(made->name, conf, pool);
    for (i = 0; i < refresh->sources->nelts; i++) {
        mes_source_t *known = APR_ARRAY_IDX(refresh->sources, i, mes_source_t *);

        if (strcmp(known->identity, made->identity) == 0) {
            known->interval = known->interval < interval ? known->interval : interval;
            APR_ARRAY_PUSH(known->servers, mes_server_t *) = conf;
            *source = known;
            return ES_OK;
        }
    }
    made->proxy = conf->value[MES_METADATA_PROXY].text;
    if ((rv = check_proxy(made->proxy, why)) != ES_OK ||
        (rv = read_authorities(&made->authorities, conf, why, pool)) != ES_OK) {
        return rv;
    }
    made->interval = interval;
    made->servers = apr_array_make(pool, 1, sizeof(mes_server_t *));
    APR_ARRAY_PUSH(made->servers, mes_server_t *) = conf;
    APR_ARRAY_PUSH(refresh->sources, mes_source_t *) = made;
    *source = made;
    return ES_OK;
}

static apr_uint64_t mix(apr_uint64_t hash, apr_uint64_t value)
{
    hash = (hash ^ value) * APR_UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

apr_uint64_t mes_source_look(const char *path)
{
    struct stat info;
    apr_uint64_t hash = 1;

    if (stat(path, &info) != 0) {
        return 0;
    }
    hash = mix(hash, (apr_uint64_t)info.st_dev);
    hash = mix(hash, (apr_uint64_t)info.st_ino);
    hash = mix(hash, (apr_uint64_t)info.st_size);
    hash = mix(hash, (apr_uint64_t)info.st_mtim.tv_sec);
    hash = mix(hash, (apr_uint64_t)info.st_mtim.tv_nsec);
    hash = mix(hash, (apr_uint64_t)info.st_ctim.tv_sec);
    hash = mix(hash, (apr_uint64_t)info.st_ctim.tv_nsec);
    return hash ? hash : 1;
}

void mes_source_sign(mes_shared_t *shared, es_bytes_t document)
{
    const es_hash_t hash = es_crypto_sha256(document);
    apr_uint64_t word[ES_HASH_LEN / sizeof(apr_uint64_t)];
    apr_size_t i;

    memcpy(word, hash.octet, sizeof word);
    for (i = 0; i < ES_HASH_LEN / sizeof(apr_uint64_t); i++) {
        atomic_store(&shared->digest[i], word[i]);
    }
}

int mes_source_is_signed(const mes_shared_t *shared, es_bytes_t document)
{
    const es_hash_t hash = es_crypto_sha256(document);
    apr_uint64_t word[ES_HASH_LEN / sizeof(apr_uint64_t)];
    apr_size_t i;

    memcpy(word, hash.octet, sizeof word);
    for (i = 0; i < ES_HASH_LEN / sizeof(apr_uint64_t); i++) {
        if (atomic_load(&shared->digest[i]) != word[i]) {
            return 0;
        }
    }
    return 1;
}

es_rv_t mes_source_share(mes_refresh_t *refresh, es_why_t *why, apr_pool_t *pool)
{
    const apr_size_t count = (apr_size_t)refresh->sources->nelts;
    const mes_mapping_t *mapping = mes_mapping_make(-1, sizeof(mes_shared_t) * (count + 1), pool);
    mes_shared_t *shared;
    apr_size_t i;

    if (!mapping) {
        return es_fail(why, ES_CONFIG_STATE, "no memory to share: %s", strerror(errno));
    }
    shared = mapping->memory; /* all zero, which is how each of them begins */
    refresh->raised = &shared[count].edition;
    for (i = 0; i < count; i++) {
        APR_ARRAY_IDX(refresh->sources, i, mes_source_t *)->shared = &shared[i];
    }
    return ES_OK;
}
