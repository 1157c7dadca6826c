/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/claims.h"
#include "policy/assurance.h"

#define NOW apr_time_from_sec(1767225600)
#define SECONDS(n) apr_time_from_sec(n)
#define PASSWORD "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password"

static es_session_t session;
static unsigned number;

/* A user who signed in just now by these methods. */
static void open_user(int n_methods, const char *const *methods)
{
    const es_claim_t claim = { number, "", "", n_methods, methods };
    const es_session_new_t fresh = { .created = NOW,
                                     .authenticated = NOW,
                                     .user = "alice",
                                     .name_id = "",
                                     .name_id_format = "",
                                     .session_index = "",
                                     .n_claims = n_methods > 0,
                                     .claims = &claim };
    es_why_t why = ES_WHY_INIT;
    es_bytes_t record;

    ck_assert_reason(es_session_pack(&record, &fresh, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_session_read(&session, record, &why), ES_OK, why);
}

static void open_number(void)
{
    number = es_claims_find("authnmethodsreferences");
    ck_assert_uint_ne(number, 0);
}

static int is_mfa(const char *first, const char *second)
{
    const char *const methods[] = { first, second };

    open_user(second ? 2 : 1, methods);
    return es_assurance_is_mfa(&session, number);
}

/* The two genuine forms: a password, and a password with a second factor, wherever it stands. */
START_TEST(more_than_one_factor)
{
    ck_assert(!is_mfa(PASSWORD, NULL));
    ck_assert_str_eq(es_assurance_explain_mfa(&session, number, unit_pool),
                     "none of 1 value of claim authnmethodsreferences says multi-factor");
    ck_assert(is_mfa(PASSWORD, ES_ASSURANCE_MFA));
    ck_assert_str_eq(es_assurance_explain_mfa(&session, number, unit_pool),
                     "one of 2 values of claim authnmethodsreferences says multi-factor");
    ck_assert(is_mfa(ES_ASSURANCE_MFA, PASSWORD));
    ck_assert(is_mfa(ES_ASSURANCE_MFA, NULL));
}
END_TEST

START_TEST(what_is_not_more_than_one_factor)
{
    static const char *const others[] = {
        "",
        "multipleauthn",
        "HTTP://SCHEMAS.MICROSOFT.COM/CLAIMS/MULTIPLEAUTHN",
        "https://schemas.microsoft.com/claims/multipleauthn",
        ES_ASSURANCE_MFA "/",
        ES_ASSURANCE_MFA ";",
        ES_ASSURANCE_MFA ";x",
        "x;" ES_ASSURANCE_MFA,
        " " ES_ASSURANCE_MFA,
        "http://schemas.microsoft.com/claims/wiaormultiauthn",
        "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/x509",
        "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/unspecified",
    };
    size_t i;

    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_msg(!is_mfa(others[i], PASSWORD), "%s", others[i]);
    }
    open_user(0, NULL);
    ck_assert(!es_assurance_is_mfa(&session, number));
    ck_assert_str_eq(es_assurance_explain_mfa(&session, number, unit_pool), "claim authnmethodsreferences is absent");
}
END_TEST

START_TEST(the_sign_in_grows_old)
{
    open_user(0, NULL);
    ck_assert(es_assurance_is_recent(&session, NOW, SECONDS(60)));
    ck_assert(es_assurance_is_recent(&session, NOW + SECONDS(60), SECONDS(60)));
    ck_assert(!es_assurance_is_recent(&session, NOW + SECONDS(60) + 1, SECONDS(60)));
    ck_assert_str_eq(es_assurance_explain_age(&session, NOW + SECONDS(61), unit_pool),
                     "the user signed in at Entra 61 s ago");
    ck_assert_msg(es_assurance_is_recent(&session, NOW - SECONDS(5), SECONDS(60)), "the clock was set back");
}
END_TEST

Suite *suite_assurance(void)
{
    Suite *suite = suite_create("assurance");
    TCase *tcase = unit_case(suite, "assurance");

    tcase_add_checked_fixture(tcase, open_number, NULL);
    tcase_add_test(tcase, more_than_one_factor);
    tcase_add_test(tcase, what_is_not_more_than_one_factor);
    tcase_add_test(tcase, the_sign_in_grows_old);
    return suite;
}
