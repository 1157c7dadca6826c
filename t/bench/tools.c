/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools.h"

#include "base/crypto.h"
#include "saml/request.h"
#include "xml/dsig.h"
#include "xml/xml.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define BASE_URL "https://app.example.test"
#define TENANT "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"

void bench_check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

void bench_must(es_rv_t rv, const es_why_t *why)
{
    if (rv != ES_OK) {
        fprintf(stderr, "bench: %s: %s\n", es_reason(rv)->code, why->text);
        exit(EXIT_FAILURE);
    }
}

apr_pool_t *bench_start(void)
{
    es_why_t why = ES_WHY_INIT;
    apr_pool_t *pool;

    bench_check(apr_initialize() == APR_SUCCESS && apr_pool_create(&pool, NULL) == APR_SUCCESS, "APR does not start");
    es_xml_init();
    bench_must(es_crypto_init(&why), &why);
    bench_must(es_dsig_init(&why), &why);
    bench_must(es_request_init(&why), &why);
    return pool;
}

es_bytes_t bench_file(const char *path, apr_pool_t *pool)
{
    FILE *file = fopen(path, "rb");
    apr_size_t len = 0, room = 1 << 16;
    char *data = apr_palloc(pool, room);

    bench_check(file != NULL, path);
    while (len += fread(data + len, 1, room - len - 1, file), len == room - 1) {
        char *larger = apr_palloc(pool, room * 2);

        memcpy(larger, data, len);
        data = larger;
        room *= 2;
    }
    fclose(file);
    data[len] = '\0';
    return es_bytes(data, len);
}

void *bench_memory(apr_size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    bench_check(memory != MAP_FAILED, "not enough memory");
    return memory;
}

es_site_t bench_site(const char *metadata, apr_pool_t *pool)
{
    const es_connection_conf_t conf = { .base_url = BASE_URL };
    es_why_t why = ES_WHY_INIT;
    es_connection_t *connection;
    es_metadata_t *read;
    es_request_conf_t asked;
    es_request_t *request;

    bench_must(es_metadata_load(&read, bench_file(metadata, pool), &why, pool), &why);
    bench_must(es_connection_make(&connection, &conf, read, &why, pool), &why);
    asked = (es_request_conf_t){ read->sso_url, connection->entity_id, connection->reply_url, NULL };
    bench_must(es_request_make(&request, &asked, &why, pool), &why);
    return (es_site_t){ .connection = connection, .request = request, .keep = apr_time_from_sec(8 * 3600) };
}

double bench_cpu(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* ---- sessions ------------------------------------------------------------------------------------------------ */

#define CLAIMS 12

static const char *guid(unsigned kind, unsigned number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%08x-6a3e-4f48-9d21-%04x%08x", number * 2654435761u, kind, number);
}

static const char *const *group_list(unsigned number, int groups, apr_pool_t *pool)
{
    const char **list = apr_palloc(pool, (apr_size_t)groups * sizeof *list);
    int i;

    for (i = 0; i < groups - 1; i++) {
        list[i] = guid(1, number % 100 + (unsigned)i, pool);
    }
    list[i] = BENCH_STAFF;
    return list;
}

static void put(es_claim_t *claim, const char *short_name, const char *const *values, int count)
{
    claim->id = es_claims_find(short_name);
    claim->name = claim->short_name = short_name;
    claim->values = values;
    claim->count = count;
}

/* The default set in Entra's order (t/entra/claims.py), behind the NameID. */
es_bytes_t bench_record(unsigned number, int groups, const es_connection_id_t *connection, apr_time_t now,
                        apr_pool_t *pool)
{
    static const char *const names[CLAIMS] = { "nameid",       "tenantid",  "objectidentifier",
                                               "displayname",  "groups",    "identityprovider",
                                               "roles",        "givenname", "surname",
                                               "emailaddress", "name",      "authnmethodsreferences" };
    const char **values = apr_palloc(pool, CLAIMS * sizeof *values);
    es_claim_t *claims = apr_pcalloc(pool, CLAIMS * sizeof *claims);
    const char *upn = apr_psprintf(pool, "user.number.%06u@contoso.example", number);
    es_session_new_t fresh = {
        .connection = *connection,
        .created = now,
        .authenticated = now,
        .user = upn,
        .name_id = upn,
        .name_id_format = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
        .session_index = apr_pstrcat(pool, "_", guid(2, number, pool), NULL),
        .n_claims = CLAIMS,
        .claims = claims,
    };
    es_why_t why = ES_WHY_INIT;
    es_bytes_t record;
    int i;

    values[0] = values[10] = upn;
    values[1] = TENANT;
    values[2] = guid(3, number, pool);
    values[3] = apr_psprintf(pool, "Augusta Number %06u", number);
    values[4] = NULL;
    values[5] = "https://sts.windows.net/" TENANT "/";
    values[6] = "Reader";
    values[7] = "Augusta";
    values[8] = apr_psprintf(pool, "Number %06u", number);
    values[9] = apr_psprintf(pool, "augusta.number.%06u@contoso.example", number);
    values[11] = "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password";
    for (i = 0; i < CLAIMS; i++) {
        put(&claims[i], names[i], &values[i], 1);
    }
    put(&claims[4], names[4], group_list(number, groups, pool), groups);
    bench_must(es_session_pack(&record, &fresh, &why, pool), &why);
    return record;
}
