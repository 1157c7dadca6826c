/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What becomes of the claim that names the user, and that no two users become one by accident.
 */
#include "unit.h"

#include "policy/username.h"

#include <apr_strings.h>

#define LIST(...)                                                                                                      \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define CONTOSO "^([^@]+)@contoso\\.example$", "$1"

static es_rv_t make(const es_username_t **username, es_username_conf_t conf, es_why_t *why)
{
    while (conf.matches && conf.matches[2 * conf.n_matches]) {
        conf.n_matches++;
    }
    return es_username_make(username, &conf, why, unit_pool);
}

/* What the value becomes; NULL where it is refused, by the one reason there is. */
static const char *applied(es_username_conf_t conf, const char *value)
{
    const es_username_t *username = NULL;
    es_why_t why = ES_WHY_INIT;
    const char *user = "untouched";
    es_rv_t rv;

    ck_assert_reason(make(&username, conf, &why), ES_OK, why);
    rv = es_username_apply(&user, username, value, &why, unit_pool);
    if (rv == ES_OK) {
        return user;
    }
    ck_assert_reason(rv, ES_REMOTE_USER_UNFIT, why);
    ck_assert_str_eq(user, "untouched");
    return NULL;
}

static void assert_refused(es_username_conf_t conf, const char *part)
{
    const es_username_t *username = NULL;
    es_why_t why = ES_WHY_INIT;
    es_rv_t rv = make(&username, conf, &why);

    ck_assert_reason(rv, ES_CONFIG_REMOTE_USER, why);
    ck_assert_msg(strstr(why.text, part) != NULL, "\"%s\" does not say \"%s\"", why.text, part);
    ck_assert_ptr_null(username);
}

START_TEST(nothing_said)
{
    const es_username_t *username = (const es_username_t *)&username;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(make(&username, (es_username_conf_t){ .domains = LIST("off") }, &why), ES_OK, why);
    ck_assert_ptr_null(username);
    ck_assert_str_eq(applied((es_username_conf_t){ NULL }, "Ada@Contoso.Example"), "Ada@Contoso.Example");
}
END_TEST

/* configuration, value, what it becomes */
static const struct {
    es_username_conf_t conf;
    const char *value, *user;
} changes[] = {
    { { .is_lower = 1 }, "Ada.LOVELACE@Contoso.Example", "ada.lovelace@contoso.example" },
    { { .is_lower = 1 }, "ZO\xc3\x8b@x", "zo\xc3\x8b@x" },
    { { .domains = LIST("On") }, "ada@contoso.example", "ada" },
    { { .domains = LIST("On") }, "ada@home@contoso.example", "ada@home" },
    { { .domains = LIST("on") }, "ada", "ada" },
    { { .domains = LIST("On") }, "ada@", "ada" },
    { { .domains = LIST("On") }, "@contoso.example", NULL },
    { { .domains = LIST("On") }, "  @contoso.example", NULL },
    { { .domains = LIST("contoso.example") }, "ada@CONTOSO.example", "ada" },
    { { .domains = LIST("contoso.example") }, "ada@fabrikam.example", "ada@fabrikam.example" },
    { { .domains = LIST("contoso.example") }, "ada@sub.contoso.example", "ada@sub.contoso.example" },
    { { .domains = LIST("contoso.example") }, "ada@contoso.example.evil.example", "ada@contoso.example.evil.example" },
    { { .domains = LIST("a.example", "b.example") }, "ada@b.example", "ada" },
    { { .domains = LIST("m\xc3\xbcnchen.example") }, "ada@m\xc3\xbcnchen.example", "ada" },
    { { .matches = LIST(CONTOSO) }, "ada@contoso.example", "ada" },
    { { .matches = LIST(CONTOSO) }, "ada@fabrikam.example", NULL },
    { { .matches = LIST(CONTOSO) }, "", NULL },
    { { .matches = LIST("([^@]+)@contoso\\.example", "$1") }, "eve@contoso.example.evil.example", NULL },
    { { .matches = LIST("([^@]+)@contoso\\.example", "$1") }, "ada@contoso.example\n", NULL },
    { { .matches = LIST("(a)|(b)", "x$2") }, "a", "x" },
    { { .matches = LIST("(a)|(b)", "$2") }, "a", NULL },
    { { .matches = LIST("(a)(b)?", "$1$2") }, "a", "a" },
    { { .matches = LIST("(?i)(.+)@(.+)\\.example", "$2\\$1 costs $$1, $0$$") },
      "Ada@Contoso.EXAMPLE",
      "Contoso\\Ada costs $1, Ada@Contoso.EXAMPLE$" },
    { { .matches = LIST("(.+)@a", "one-$1", "(.+)@.", "two-$1") }, "ada@a", "one-ada" },
    { { .matches = LIST("(.+)@a", "one-$1", "(.+)@.", "two-$1") }, "ada@b", "two-ada" },
    { { .matches = LIST("(.+)@a", "one-$1", "(.+)@.", "two-$1") }, "ada", NULL },
    { { .matches = LIST("(.)(.*)", "$2$1") }, "\xc3\x9cmit", "mit\xc3\x9c" },
    /* One after the other: the expression sees the value as Entra sent it, small letters come last. */
    { { .matches = LIST("(.+)", "X-$1"), .domains = LIST("On"), .is_lower = 1 }, "Ada@Contoso.Example", "x-ada" },
    { { .matches = LIST("[a-z@]+", "$0"), .is_lower = 1 }, "Ada@x", NULL },
};

START_TEST(changed)
{
    const char *user = applied(changes[_i].conf, changes[_i].value);

    if (changes[_i].user) {
        ck_assert_ptr_nonnull(user);
        ck_assert_str_eq(user, changes[_i].user);
    } else {
        ck_assert_msg(user == NULL, "\"%s\" became \"%s\"", changes[_i].value, user);
    }
}
END_TEST

START_TEST(refused_with_its_value)
{
    const es_username_t *username = NULL;
    es_why_t why = ES_WHY_INIT;
    const char *user = NULL;

    ck_assert_reason(make(&username, (es_username_conf_t){ .matches = LIST(CONTOSO) }, &why), ES_OK, why);
    ck_assert_reason(es_username_apply(&user, username, "ben@fabrikam.example", &why, unit_pool), ES_REMOTE_USER_UNFIT,
                     why);
    ck_assert_ptr_nonnull(strstr(why.text, "EntraSAMLRemoteUserMatch"));
    ck_assert_ptr_nonnull(strstr(why.text, "ben@fabrikam.example"));
}
END_TEST

/* It gives up, and the expression behind it, which would take anything, is not asked. */
START_TEST(too_many_steps)
{
    char *value = apr_pcalloc(unit_pool, 4001);

    memset(value, 'a', 4000);
    ck_assert_ptr_null(applied((es_username_conf_t){ .matches = LIST("(a+)+[bc]", "$1", ".*", "anybody") }, value));
}
END_TEST

START_TEST(refused_lines)
{
    assert_refused((es_username_conf_t){ .matches = LIST("(", "$1") }, "does not compile");
    assert_refused((es_username_conf_t){ .matches = LIST("a\\Cb", "$0") }, "does not compile");
    assert_refused((es_username_conf_t){ .matches = LIST("\xff", "$0") }, "does not compile");
    assert_refused((es_username_conf_t){ .matches = LIST("(.+)", "") }, "is empty");
    assert_refused((es_username_conf_t){ .matches = LIST("(.+)", "$2") }, "the regex has 1");
    assert_refused((es_username_conf_t){ .matches = LIST("(.+)", "$") }, "without the number");
    assert_refused((es_username_conf_t){ .matches = LIST("(.+)", "$x") }, "without the number");
    assert_refused((es_username_conf_t){ .matches = LIST("(.+)", "a\tb") }, "control character");
    assert_refused((es_username_conf_t){ .matches = LIST("(.+)", "$1", "[", "b") }, "does not compile");
    assert_refused((es_username_conf_t){ .domains = LIST("On", "contoso.example") }, "\"On\" is no domain");
    assert_refused((es_username_conf_t){ .domains = LIST("contoso.example", "off") }, "\"off\" is no domain");
    assert_refused((es_username_conf_t){ .domains = LIST("@contoso.example") }, "is no domain");
    assert_refused((es_username_conf_t){ .domains = LIST(".example") }, "is no domain");
    assert_refused((es_username_conf_t){ .domains = LIST("a b") }, "is no domain");
    assert_refused((es_username_conf_t){ .domains = LIST("") }, "is no domain");
}
END_TEST

/* ada@a and ada@b must not both become ada where a and b may be strangers to each other. */
START_TEST(any_domain_of_several_tenants)
{
    assert_refused((es_username_conf_t){ .domains = LIST("On"), .has_tenants = 1 }, "several tenants");
    ck_assert_str_eq(
        applied((es_username_conf_t){ .domains = LIST("contoso.example"), .has_tenants = 1 }, "a@contoso.example"),
        "a");
}
END_TEST

START_TEST(domains_that_are_joined)
{
    const struct {
        const char *const *domains;
        int joins;
    } cases[] = { { NULL, 0 },
                  { LIST("Off"), 0 },
                  { LIST("contoso.example"), 0 },
                  { LIST("On"), 1 },
                  { LIST("a.example", "b.example"), 1 } };
    const es_username_t *username;
    es_why_t why = ES_WHY_INIT;
    int i;

    for (i = 0; i < 5; i++) {
        const es_username_conf_t conf = { .domains = cases[i].domains, .is_lower = 1 };

        ck_assert_reason(make(&username, conf, &why), ES_OK, why);
        ck_assert_int_eq(es_username_joins_domains(username), cases[i].joins);
    }
    ck_assert_int_eq(es_username_joins_domains(NULL), 0);
}
END_TEST

Suite *suite_username(void)
{
    Suite *suite = suite_create("username");
    TCase *tests = unit_case(suite, "username");

    tcase_add_test(tests, nothing_said);
    tcase_add_loop_test(tests, changed, 0, sizeof changes / sizeof changes[0]);
    tcase_add_test(tests, refused_with_its_value);
    tcase_add_test(tests, too_many_steps);
    tcase_add_test(tests, refused_lines);
    tcase_add_test(tests, any_domain_of_several_tenants);
    tcase_add_test(tests, domains_that_are_joined);
    return suite;
}
