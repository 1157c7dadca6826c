/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An application of several tenants, through the whole flow: who is admitted, who can speak for whom, who is who.
 */
#include "ledger.h"
#include "parting.h"
#include "person.h"
#include "unit.h"

#include "base/codec.h"
#include "session/shm.h"
#include "table_tools.h"

#include <apr_strings.h>

#define SUCCESS(issuer)                                                                                                \
    " InResponseTo=\"_x\"><Issuer>" issuer "</Issuer><p:Status><p:StatusCode "                                         \
    "Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></p:Status>"
#define COMMON "https://sts.windows.net/{tenantid}/"
#define CONTOSO "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
#define FABRIKAM "2f277f1e-e5f1-4f62-b595-79c2d13afda4"
#define STS(tenant) "https://sts.windows.net/" tenant "/"
#define LOGIN(tenant) "https://login.microsoftonline.com/" tenant "/"
#define STRANGER "00000000-0000-0000-0000-000000000000"
#define LIFETIME apr_time_from_sec(8 * 3600)

#define CLAIM(name, value)                                                                                             \
    "<Attribute Name=\"http://schemas.microsoft.com/identity/claims/" name "\"><AttributeValue>" value                 \
    "</AttributeValue></Attribute>"
#define NAMELESS(tenant) PERSON_ALICE CLAIM("tenantid", tenant)
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
    flow.now = unit_time(PARTING_NOW);
    idp = idp_make(unit_pool);
    open_site(both);
}

/* With a browser of its own; *session = its session cookie, n_ended = sessions that had to go for it. */
static int n_ended;
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
    n_ended = report.n_ended;
    if (rv == ES_OK) {
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

/* An account whose key is a claim: each tenant's administrator decides what its users' claims say. */
START_TEST(accounts_are_kept_apart)
{
    static const es_account_claim_t name = { 10, "name" };
    const es_account_rules_t rules = { .policy = ES_ACCOUNTS_JIT,
                                       .database = &ledger,
                                       .trust = es_trust_attach(apr_pcalloc(unit_pool, ES_TRUST_SIZE), unit_pool),
                                       .connection = es_codec_hex(
                                           es_bytes(&site.connection->id, sizeof site.connection->id), unit_pool),
                                       .key = &name };
    const char *session;
    es_why_t why;

    ledger_open();
    site.accounts = &rules;
    ck_assert_reason(sign_in(&session, STS(CONTOSO), ADA(CONTOSO), &why), ES_OK, why);
    ck_assert_reason(sign_in(&session, STS(FABRIKAM), ADA(FABRIKAM), &why), ES_OK, why);
    ck_assert_int_eq(ledger_n_rows, 2);
    ck_assert_str_eq(ledger_rows[0].key.subject, ledger_rows[1].key.subject);
    ck_assert_str_eq(ledger_rows[1].key.authority,
                     apr_pstrcat(unit_pool, "connection:", rules.connection, "/" FABRIKAM, NULL));
    ck_assert_reason(sign_in(&session, STS(CONTOSO), ADA(CONTOSO), &why), ES_OK, why);
    ck_assert_int_eq(ledger_n_rows, 2);
}
END_TEST

/* Although each may have one session only; also where the object ids are left out of the claims, so that NameIDs count,
 * which are the same here. */
START_TEST(users_are_kept_apart)
{
    const char *const contoso[] = { ADA(CONTOSO), NAMELESS(CONTOSO) };
    const char *const fabrikam[] = { ADA(FABRIKAM), NAMELESS(FABRIKAM) };
    const char *mine, *other, *again;
    es_why_t why;

    ck_assert_reason(sign_in(&mine, STS(CONTOSO), contoso[_i], &why), ES_OK, why);
    ck_assert_reason(sign_in(&other, STS(FABRIKAM), fabrikam[_i], &why), ES_OK, why);
    ck_assert_int_eq(n_ended, 0);
    ck_assert(resume(mine) == ES_OK && resume(other) == ES_OK);
    flow.now += apr_time_from_sec(60);
    ck_assert_reason(sign_in(&again, STS(CONTOSO), contoso[_i], &why), ES_OK, why);
    ck_assert_int_eq(n_ended, 1);
    ck_assert(resume(mine) == ES_SESSION_NONE && resume(again) == ES_OK && resume(other) == ES_OK);
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

/* --- single logout: both tenants know Ada by one NameID --- */

#define INDEX(index) apr_pstrcat(unit_pool, "<p:SessionIndex>", index, "</p:SessionIndex>", NULL)

static const char *index_of(const char *session)
{
    es_why_t why = ES_WHY_INIT;
    es_session_t found;

    flow.cookies = session;
    ck_assert_reason(es_resume_find(&found, &flow, LIFETIME, LIFETIME, &why), ES_OK, why);
    ck_assert_str_eq(found.name_id, "alice@example.com");
    return found.session_index;
}

/* A request of this issuer, signed as all of them are; *ended = sessions. */
static es_rv_t follow(int *ended, const char *issuer, const char *indexes, es_why_t *why)
{
    static int requests;
    const signer_t signer = { .key = idp_key(idp) };
    const char *id = apr_psprintf(unit_pool, "_request-%d", ++requests);
    const char *rest =
        apr_pstrcat(unit_pool, "><Issuer>", issuer, "</Issuer><NameID>alice@example.com</NameID>", indexes, NULL);
    es_answer_t answer = { NULL };
    es_logout_report_t report = { NULL, 0 };
    es_rv_t rv;

    *why = ES_WHY_INIT;
    flow.cookies = NULL;
    rv = es_logout_follow(&answer, &report, &flow, parting_message(&signer, "SAMLRequest", id, rest, NULL), why);
    *ended = report.ended;
    return rv;
}

static void sign_in_both(const char **mine, const char **other, const char *claims, const char *other_claims)
{
    es_why_t why;

    ck_assert_reason(sign_in(mine, STS(CONTOSO), claims, &why), ES_OK, why);
    ck_assert_reason(sign_in(other, STS(FABRIKAM), other_claims, &why), ES_OK, why);
}

START_TEST(a_tenant_signs_out_its_own_users)
{
    static const char *const issuers[] = { STS(CONTOSO), LOGIN(CONTOSO), "https://login.example.com/" CONTOSO "/" };
    const char *mine, *other;
    es_why_t why;
    int ended;

    sign_in_both(&mine, &other, ADA(CONTOSO), ADA(FABRIKAM));
    ck_assert_reason(follow(&ended, issuers[_i], INDEX(index_of(mine)), &why), ES_OK, why);
    ck_assert_int_eq(ended, 1);
    ck_assert(resume(mine) == ES_SESSION_NONE && resume(other) == ES_OK);
    ck_assert_reason(follow(&ended, STS(FABRIKAM), "", &why), ES_OK, why);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(resume(other), ES_SESSION_NONE);
}
END_TEST

/* By SessionIndex, which here leads to a session of Fabrikam's and then to none; by NameID. */
START_TEST(a_tenant_signs_out_nobody_elses)
{
    const char *mine, *other, *indexes;
    es_why_t why;
    int ended;

    sign_in_both(&mine, &other, ADA(CONTOSO), ADA(FABRIKAM));
    indexes = _i == 0 ? INDEX(index_of(other)) : "";
    ck_assert_reason(follow(&ended, STS(CONTOSO), indexes, &why), ES_OK, why);
    ck_assert_int_eq(ended, 1); /* its own of that NameID */
    ck_assert(resume(mine) == ES_SESSION_NONE && resume(other) == ES_OK);
    ck_assert_reason(follow(&ended, STS(CONTOSO), indexes, &why), ES_OK, why);
    ck_assert_int_eq(ended, 0);
    ck_assert_int_eq(resume(other), ES_OK);
}
END_TEST

START_TEST(the_case_of_a_tenant_is_none)
{
    const char *mine, *other;
    es_why_t why;
    int ended;

    sign_in_both(&mine, &other, ADA("7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34"), ADA(FABRIKAM));
    ck_assert_reason(follow(&ended, STS(CONTOSO), "", &why), ES_OK, why);
    ck_assert_int_eq(ended, 1);
    ck_assert(resume(mine) == ES_SESSION_NONE && resume(other) == ES_OK);
}
END_TEST

static const char *const strangers[] = {
    STS(STRANGER), LOGIN(STRANGER), COMMON, LOGIN("{tenantid}"), LOGIN("common"), "https://sts.windows.net/", ""
};

START_TEST(other_tenants_sign_out_nobody)
{
    const char *mine, *other;
    es_why_t why;
    int ended;

    sign_in_both(&mine, &other, ADA(CONTOSO), ADA(FABRIKAM));
    ck_assert_reason(follow(&ended, strangers[_i], "", &why), ES_LOGOUT_ISSUER, why);
    open_site(one);
    ck_assert_reason(follow(&ended, STS(CONTOSO), "", &why), ES_LOGOUT_ISSUER, why);
    ck_assert_int_eq(resume(other), ES_OK);
    open_site(both);
    ck_assert_int_eq(resume(mine), ES_OK);
}
END_TEST

/* An answer passes the same judge: of a tenant on the list it is one, to a request that we did not make. */
START_TEST(an_answer_of_a_tenant)
{
    static const struct {
        const char *rest;
        es_rv_t rv;
    } answers[] = { { SUCCESS(STS(CONTOSO)), ES_LOGOUT_UNASKED },
                    { SUCCESS(LOGIN(FABRIKAM)), ES_LOGOUT_UNASKED },
                    { SUCCESS(STS(STRANGER)), ES_LOGOUT_ISSUER } };
    const signer_t signer = { .key = idp_key(idp) };
    unsigned i;

    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        es_query_t *query = parting_message(&signer, "SAMLResponse", "_answer", answers[i].rest, NULL);
        es_answer_t answer = { NULL };
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_logout_finish(&answer, &flow, query, &why), answers[i].rv, why);
    }
}
END_TEST

Suite *suite_tenants(void)
{
    Suite *suite = suite_create("tenants");
    TCase *tcase = unit_case(suite, "tenants");

    tcase_add_checked_fixture(tcase, open_all, table_free);
    tcase_add_test(tcase, accounts_are_kept_apart);
    tcase_add_loop_test(tcase, users_are_kept_apart, 0, 2);
    tcase_add_test(tcase, no_tenant_speaks_for_another);
    tcase_add_test(tcase, a_tenant_taken_off_the_list_is_out);
    tcase_add_loop_test(tcase, a_tenant_signs_out_its_own_users, 0, 3);
    tcase_add_loop_test(tcase, a_tenant_signs_out_nobody_elses, 0, 2);
    tcase_add_test(tcase, the_case_of_a_tenant_is_none);
    tcase_add_loop_test(tcase, other_tenants_sign_out_nobody, 0, sizeof strangers / sizeof *strangers);
    tcase_add_test(tcase, an_answer_of_a_tenant);
    return suite;
}
