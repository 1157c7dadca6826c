/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An application of several tenants, through the whole flow: who is admitted, who can speak for whom, who is who.
 */
#include "person.h"
#include "unit.h"

#include "session/shm.h"
#include "table_tools.h"

#define COMMON "https://sts.windows.net/{tenantid}/"
#define CONTOSO "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
#define FABRIKAM "2f277f1e-e5f1-4f62-b595-79c2d13afda4"
#define STS(tenant) "https://sts.windows.net/" tenant "/"
#define LIFETIME apr_time_from_sec(8 * 3600)

#define CLAIM(name, value)                                                                                             \
    "<Attribute Name=\"http://schemas.microsoft.com/identity/claims/" name "\"><AttributeValue>" value                 \
    "</AttributeValue></Attribute>"
/* Of each tenant a user of the same name whose object has the same number: two people. */
#define ADA(tenant) PERSON_ALICE CLAIM("tenantid", tenant) CLAIM("objectidentifier", "ada")

static const char *const both[] = { CONTOSO, FABRIKAM, NULL };
static const char *const one[] = { FABRIKAM, NULL };

static idp_t *idp;
static es_site_t site;
static es_flow_t flow;
static es_seal_key_t key;

/* The site for these tenants; the store stays. */
static void open_site(const char *const *tenants)
{
    const es_connection_conf_t conf = { .server_name = "app.example.com", .tenants = tenants };
    const idp_t *const idps[] = { idp };
    es_why_t why = ES_WHY_INIT;
    es_metadata_t *metadata;
    es_connection_t *connection;

    ck_assert_reason(es_metadata_load(&metadata, idp_document(idps, 1, COMMON, unit_pool), &why, unit_pool), ES_OK,
                     why);
    ck_assert_reason(es_connection_make(&connection, &conf, metadata, &why, unit_pool), ES_OK, why);
    site = (es_site_t){
        .connection = connection, .request = person_request(connection), .keep = LIFETIME, .sessions_per_user = 1
    };
}

static void open_all(void)
{
    const apr_size_t size = es_shm_minimum();
    es_why_t why = ES_WHY_INIT;
    void *memory = table_memory(size);
    es_shm_t *shm;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    memset(&key, 7, sizeof key);
    flow = (es_flow_t){ .site = &site, .store = es_shm_store(shm), .key = &key, .pool = unit_pool };
    flow.now = unit_time("2026-03-01T12:00:00Z");
    idp = idp_make(unit_pool);
    open_site(both);
}

/* With a browser of its own; *session = its session cookie. */
static es_rv_t sign_in(const char **session, const char *issuer, const char *attributes, es_why_t *why)
{
    const idp_response_t about = { .issuer = issuer, .attributes = attributes };
    es_answer_t answer = { NULL };
    es_acs_report_t report = { ES_OK };
    es_acs_form_t form;
    es_rv_t rv;

    *why = ES_WHY_INIT;
    *session = NULL;
    flow.cookies = NULL;
    ck_assert_reason(es_signon_start(&answer, &flow, NULL, "/page", why), ES_OK, *why);
    flow.cookies = person_cookie(&flow, &answer, site.connection->binding_cookie);
    form = person_form(&flow, answer.location, idp, about);
    answer = (es_answer_t){ NULL };
    rv = es_acs_accept(&answer, &report, &flow, &form, why);
    if (rv == ES_OK) {
        ck_assert_int_eq(report.n_ended, 0);
        *session = person_cookie(&flow, &answer, site.connection->session_cookie);
    }
    return rv;
}

static es_rv_t resume(const char *session)
{
    es_why_t why = ES_WHY_INIT;
    es_session_t found;

    flow.cookies = session;
    return es_resume_find(&found, &flow, LIFETIME, LIFETIME, &why);
}

START_TEST(users_are_kept_apart)
{
    const char *mine, *other;
    es_why_t why;

    ck_assert_reason(sign_in(&mine, STS(CONTOSO), ADA(CONTOSO), &why), ES_OK, why);
    ck_assert_reason(sign_in(&other, STS(FABRIKAM), ADA(FABRIKAM), &why), ES_OK, why);
    ck_assert(resume(mine) == ES_OK && resume(other) == ES_OK); /* although each may have one session only */
}
END_TEST

START_TEST(no_tenant_speaks_for_another)
{
    const char *none;
    es_why_t why;

    ck_assert_reason(sign_in(&none, STS(CONTOSO), ADA(FABRIKAM), &why), ES_RESPONSE_ISSUER, why);
    ck_assert_reason(sign_in(&none, COMMON, ADA(CONTOSO), &why), ES_RESPONSE_ISSUER, why);
    ck_assert_reason(sign_in(&none, STS(CONTOSO), PERSON_ALICE, &why), ES_TENANT_MISSING, why);
}
END_TEST

/* With its sessions; and the connection stays what it is. */
START_TEST(a_tenant_taken_off_the_list_is_out)
{
    const char *mine, *other, *none;
    es_why_t why;

    ck_assert_reason(sign_in(&mine, STS(CONTOSO), ADA(CONTOSO), &why), ES_OK, why);
    ck_assert_reason(sign_in(&other, STS(FABRIKAM), ADA(FABRIKAM), &why), ES_OK, why);
    open_site(one);
    ck_assert_reason(sign_in(&none, STS(CONTOSO), ADA(CONTOSO), &why), ES_TENANT_REFUSED, why);
    ck_assert_int_eq(resume(mine), ES_SESSION_FOREIGN);
    ck_assert_int_eq(resume(other), ES_OK);
}
END_TEST

Suite *suite_tenants(void)
{
    Suite *suite = suite_create("tenants");
    TCase *tcase = unit_case(suite, "tenants");

    tcase_add_checked_fixture(tcase, open_all, table_free);
    tcase_add_test(tcase, users_are_kept_apart);
    tcase_add_test(tcase, no_tenant_speaks_for_another);
    tcase_add_test(tcase, a_tenant_taken_off_the_list_is_out);
    return suite;
}
