/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/claims.h"
#include "policy/rule.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>

#define GUID "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define GUID_UPPER "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9"
#define GUID_MIXED "0a1B2c3D-4e5F-6071-8293-A4b5C6d7E8f9"
#define DEPARTMENT "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/department"
#define GROUPS "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"

#define VALUES(...)                                                                                                    \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/* The session the rules are judged against, without names for groups: test_group.c has those. */
static es_session_t session;
static const es_groups_t groups;

static void open_session(const es_claim_t *claims, int n_claims)
{
    const es_session_new_t fresh = { .user = "alice",
                                     .name_id = "",
                                     .name_id_format = "",
                                     .session_index = "",
                                     .n_claims = n_claims,
                                     .claims = claims };
    es_why_t why = ES_WHY_INIT;
    es_bytes_t record;

    ck_assert_reason(es_session_pack(&record, &fresh, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_session_read(&session, record, &why), ES_OK, why);
}

static void open_alice(void)
{
    const es_claim_t claims[] = {
        { 10, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "name", 1, VALUES("alice@example.com") },
        { 12, GROUPS, "groups", 4,
          VALUES("ffffffff-0000-0000-0000-000000000000", GUID, "DOMAIN\\Team One", "a;b\\;c") },
        { 14, "http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "roles", 3,
          VALUES("Editor", "viewer", "Viewer") },
        { 0, DEPARTMENT, "department", 1, VALUES("Sales \"East\" \xc3\x96st") },
        { 0, "https://x.example:8443/claims/level", "level", 2, VALUES("", "7") },
        { 0, "lines", "lines", 1, VALUES("admin\n") },
    };

    open_session(claims, 6);
}

static es_rule_t *make(const char *line)
{
    es_rule_t *rule = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_rule_make(&rule, line, es_claims_find, &why, unit_pool), ES_OK, why);
    return rule;
}

static void refuse(const char *line, es_rv_t expected)
{
    es_rule_t *rule = NULL;
    es_why_t why = ES_WHY_INIT;
    const es_rv_t rv = es_rule_make(&rule, line, es_claims_find, &why, unit_pool);

    ck_assert_msg(rv == expected, "%s: %s %s", line, es_reason(rv)->code, why.text);
    ck_assert_str_ne(why.text, "");
    ck_assert_ptr_null(rule);
}

/* As the glue does: first the verdict, with nothing to allocate from, then, where it is no, the sentence. */
static es_rv_t judge(const char *line, es_why_t *why)
{
    es_rule_t *rule = make(line);
    const es_rv_t rv = es_rule_check(rule, &session, &groups, unit_pool);

    return rv == ES_OK ? rv : es_fail(why, rv, "%s", es_rule_explain(rule, &session, &groups, unit_pool));
}

static void allow(const char *line)
{
    es_why_t why = ES_WHY_INIT;
    const es_rv_t rv = judge(line, &why);

    ck_assert_msg(rv == ES_OK, "%s: %s", line, why.text);
}

static void deny(const char *line)
{
    es_why_t why = ES_WHY_INIT;
    const es_rv_t rv = judge(line, &why);

    ck_assert_msg(rv == ES_ACCESS_DENIED, "%s: %s", line, es_reason(rv)->code);
}

static void deny_saying(const char *line, const char *sentence)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(judge(line, &why), ES_ACCESS_DENIED, why);
    ck_assert_str_eq(why.text, sentence);
}

START_TEST(equality)
{
    allow("name:alice@example.com");
    allow("roles:Editor");
    allow("  roles:Editor\t ");
    allow("roles:nobody roles:Editor");
    allow("absent:x\troles:Viewer");
    deny("roles:editor");
    deny("roles:EDITOR");
    deny("roles:Edito");
    deny("roles:Editor2");
    deny("roles:Editor;viewer");
    deny("name:Alice@example.com");
    deny("name:alice@example.com;");
    deny("groups:Editor");
    deny("role:Editor");
}
END_TEST

START_TEST(guids_in_any_case)
{
    allow("groups:" GUID);
    allow("groups:" GUID_UPPER);
    allow("groups:" GUID_MIXED);
    allow("groups:FFFFFFFF-0000-0000-0000-000000000000");
    deny("groups:0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fa");
    deny("groups:" GUID "0");
    deny("groups:0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f");
    deny("groups:{" GUID "}");
    deny("groups:0a1b2c3d4e5f60718293a4b5c6d7e8f9");
}
END_TEST

/* A value that only begins like a GUID is none, nor is a GUID in the rule met by it. */
START_TEST(guids_among_look_alikes)
{
    const es_claim_t claims[] = {
        { 12, GROUPS, "groups", 5,
          VALUES(GUID_UPPER "x", GUID_MIXED ";", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f", GUID "\\", "x" GUID) },
        { 15, "wids", "wids", 3, VALUES(GUID_MIXED, GUID_UPPER, GUID) },
    };

    open_session(claims, 2);
    deny("groups:" GUID);
    deny("groups:" GUID_UPPER);
    allow("wids:" GUID);
    allow("groups:" GUID_UPPER "x");
    deny("groups:" GUID "x");
    deny("groups:" GUID "X");
}
END_TEST

START_TEST(values_with_our_own_separators)
{
    allow("groups:a;b\\;c");
    allow("\"groups:a;b\\\\;c\"");
    allow("groups:a;b\\\\;c");
    deny("groups:a");
    deny("groups:a;b");
    deny("groups:b\\;c");
    deny("groups:c");
    allow("'groups:DOMAIN\\Team One'");
    allow("\"groups:DOMAIN\\Team One\"");
    allow("\"groups:DOMAIN\\\\Team One\"");
    deny("groups:DOMAIN\\Team");
    deny("'groups:domain\\Team One'");
}
END_TEST

START_TEST(quotes)
{
    allow("'department:Sales \"East\" \xc3\x96st'");
    allow("\"department:Sales \\\"East\\\" \xc3\x96st\"");
    allow("x:y 'department:Sales \"East\" \xc3\x96st' z:w");
    allow("'roles:Editor' 'roles:x'");
    deny("'roles:Editor '");
    deny("' roles:Editor'");
    allow("'department~Sales \\\"'");
    allow("'department~\"east\" ' 'department~\"East\" '");
}
END_TEST

START_TEST(names)
{
    allow(DEPARTMENT "~^Sales");
    allow("department~^Sales");
    allow(GROUPS ":" GUID);
    allow("http://schemas.microsoft.com/ws/2008/06/identity/claims/role:Editor");
    allow("https://x.example:8443/claims/level:7");
    allow("level:7");
    deny("Department~^Sales");
    deny("https://x.example/claims/level:7");
    deny("https://other.example/role:Editor");
    deny("https://other.example:Editor");
    deny("https://x.example:8443:7");
    deny("HTTP://x.example:8443/claims/level:7");
}
END_TEST

START_TEST(value_holds_separators)
{
    const es_claim_t claims[] = { { 0, "x", "x", 4, VALUES("a:b", "~c", ":", "http://y/z:w") } };

    open_session(claims, 1);
    allow("x:a:b");
    allow("x:~c");
    allow("x::");
    allow("x:http://y/z:w");
    allow("x~^a:b$");
    allow("x~~c");
    deny("x:a");
    deny("x~:a");
}
END_TEST

START_TEST(regex)
{
    allow("roles~^Edit");
    allow("roles~dit");
    allow("roles~^(Editor|Owner)$");
    allow("roles~(?i)^EDITOR$");
    allow("name~@example\\.com$");
    allow("'department~^Sales .East.'");
    allow("department~\\x{d6}st$");
    allow("'department~ .st$'"); /* one character, two octets */
    allow("roles~[[:lower:]]iewer");
    allow("level~^$");
    deny("roles~^dit");
    deny("roles~^EDITOR$");
    deny("roles~^Editor;");
    deny("roles~;");
    deny("name~@example\\.org$");
    deny("absent~.");
}
END_TEST

START_TEST(regex_sees_values_unescaped)
{
    allow("groups~^a;b\\\\\\\\;c$");
    allow("groups~^DOMAIN\\\\\\\\Team");
    deny("groups~^b");
    deny("groups~^c$");
    allow("'groups~^a;b.;c$'");
    deny("'groups~^a.;b'");
}
END_TEST

/* Else "^admin$" would let in whoever has a line feed behind; the record holds a blank for it. */
START_TEST(dollar_is_the_very_end)
{
    deny("lines~^admin$");
    deny("lines:admin");
    allow("lines~^admin\\x20$");
    deny("lines~(?m)^admin$");
}
END_TEST

START_TEST(refused_rules)
{
    static const char *const bad[] = {
        "",
        " ",
        "\t\r\n",
        "roles",
        "roles Editor",
        "x:y roles",
        ":Editor",
        "~Editor",
        "roles:",
        "roles~",
        "x:y roles:",
        "''",
        "\"\"",
        "'roles:Editor",
        "\"roles:Editor",
        "'roles:Editor\"",
        "'",
        "\"",
        "\"roles:Editor\\\"",
        "'roles:Editor'x",
        "'roles:Editor''x:y'",
        "roles:\"Editor\"",
        "roles:'Editor'",
        "roles:\"Jane Doe\"",
        "roles~'Editor'",
        "urn:oasis:names:tc:SAML:2.0:assertion/displayName:x",
        "URN:x:y",
        "http://x/claims/role",
        "https://",
        "http://:",
        "https://x.example:8443/level",
        "https://x/:",
    };

    refuse(bad[_i], ES_CONFIG_RULE);
}
END_TEST

#define N_REFUSED 32

START_TEST(refused_regexes)
{
    static const char *const bad[] = {
        "roles~(",
        "roles~[",
        "roles~*",
        "roles~a{2,1}",
        "roles~\\",
        "roles~(?<n>a)(?<n>b)",
        "roles~\xff",
        "roles~\\C",
        "roles~(?z)",
        "roles~\\x{110000}",
        "roles:Editor roles~)",
    };

    refuse(bad[_i], ES_CONFIG_REGEX);
}
END_TEST

START_TEST(refused_regex_is_explained)
{
    es_rule_t *rule = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_rule_make(&rule, "roles~a(b", es_claims_find, &why, unit_pool), ES_CONFIG_REGEX, why);
    ck_assert_str_eq(why.text,
                     "regex \"a(b\" of claim roles does not compile: missing closing parenthesis at offset 3");
}
END_TEST

START_TEST(denial_is_explained_without_values)
{
    deny_saying("roles:Owner", "none of 3 values of claim roles matches");
    deny_saying("name~^bob", "none of 1 value of claim name matches");
    deny_saying("upn:alice", "claim upn is absent");
    deny_saying(
        "roles:Owner upn~x groups:y",
        "none of 3 values of claim roles matches, claim upn is absent, none of 4 values of claim groups matches");
}
END_TEST

static void open_groups(int count)
{
    const char **values = apr_palloc(unit_pool, (apr_size_t)count * sizeof *values);
    es_claim_t claim = { 12, GROUPS, "groups", count, values };
    int i;

    for (i = 0; i < count; i++) {
        const unsigned scattered = (unsigned)i * 2654435761u;

        values[i] = apr_psprintf(unit_pool, "%08x-%04x-4000-8000-%012x", scattered, (unsigned)i, scattered);
    }
    open_session(&claim, 1);
}

/* Whether met or not: without a pool there is nothing to allocate from. */
START_TEST(judging_allocates_nothing)
{
    static const struct {
        const char *line;
        es_rv_t rv;
    } rules[] = {
        { "roles:Editor", ES_OK },
        { "roles:Owner upn:x groups:" GUID_UPPER, ES_OK },
        { "roles:Owner upn:x groups:y", ES_ACCESS_DENIED },
        { "roles~^V", ES_OK },
        { "roles~^X upn~. 'groups~^a;b\\\\\\\\;c$'", ES_OK },
        { "roles~^X upn~. groups~^a;b$", ES_ACCESS_DENIED },
        { "roles~(*NO_JIT)^X", ES_ACCESS_DENIED },
    };
    size_t i;

    for (i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        es_rule_t *rule = make(rules[i].line);

        ck_assert_int_eq(es_rule_check(rule, &session, &groups, NULL), rules[i].rv);
        ck_assert_int_eq(es_rule_check(rule, &session, &groups, NULL), rules[i].rv);
    }
}
END_TEST

#define THREADS 4

typedef struct {
    es_rule_t *rule;
    int wrong;
} worker_t;

static void *APR_THREAD_FUNC judge_often(apr_thread_t *thread, void *data)
{
    worker_t *worker = data;
    int i;

    (void)thread;
    for (i = 0; i < 2000; i++) {
        worker->wrong += es_rule_check(worker->rule, &session, &groups, NULL) != ES_OK;
    }
    return NULL;
}

/* What a regex works in goes from thread to thread, and is never in two at once. */
START_TEST(threads_share_a_rule)
{
    es_rule_t *rule = make("roles~^([a-z]+)x$ groups~^d 'groups~^([A-Z]+).(Team) \\w+$'");
    apr_thread_t *threads[THREADS];
    worker_t workers[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){ rule, 0 };
        ck_assert_int_eq(apr_thread_create(&threads[i], NULL, judge_often, &workers[i], unit_pool), APR_SUCCESS);
    }
    for (i = 0; i < THREADS; i++) {
        apr_status_t ignored;

        ck_assert_int_eq(apr_thread_join(&ignored, threads[i]), APR_SUCCESS);
        ck_assert_int_eq(workers[i].wrong, 0);
    }
}
END_TEST

/* A value too long for the stack, with our own separator in it. */
START_TEST(long_values_with_our_own_separators)
{
    char *text = apr_pcalloc(unit_pool, 2001);
    const char *const values[] = { text, "end" };
    const es_claim_t claim = { 0, "x", "x", 2, values };

    memset(text, ';', 2000);
    open_session(&claim, 1);
    allow("x~^;{2000}$");
    allow("x~^end$");
    deny("x~^;{1999}$");
}
END_TEST

/* Behind `not` a rule that is met denies: up to the term that was. */
START_TEST(what_was_met_is_explained_too)
{
    ck_assert_str_eq(es_rule_explain(make("upn:x roles:Editor name:y"), &session, &groups, unit_pool),
                     "claim upn is absent, one of 3 values of claim roles matches");
}
END_TEST

START_TEST(values_for_whoever_debugs)
{
    ck_assert_str_eq(es_rule_values(make("upn:x roles:Editor name~y"), &session, unit_pool),
                     "roles=Editor;viewer;Viewer name=alice@example.com");
    ck_assert_str_eq(es_rule_values(make("upn:x"), &session, unit_pool), "");
    open_groups(2000);
    ck_assert_uint_lt(strlen(es_rule_values(make("groups:x groups:x groups:x groups:x groups:x groups:x groups:x"),
                                            &session, unit_pool)),
                      8192);
}
END_TEST

START_TEST(long_rules)
{
    const char *line = "";
    int i;

    for (i = 0; i < 200; i++) {
        line = apr_psprintf(unit_pool, "%s a_claim_with_a_rather_long_name_%d:x", line, i);
    }
    deny(line);
    allow(apr_pstrcat(unit_pool, line, " roles:Editor", NULL));
    deny(apr_psprintf(unit_pool, "roles:%0*d", 100000, 0));
    deny(apr_psprintf(unit_pool, "%0*d:x", 100000, 0));
}
END_TEST

/* Each of 2,000 is found, none of 2,000 others. */
START_TEST(two_thousand_groups)
{
    unsigned i;

    open_groups(2000);
    for (i = 0; i < 2000; i++) {
        const unsigned scattered = i * 2654435761u;

        allow(apr_psprintf(unit_pool, "groups:%08X-%04X-4000-8000-%012X", scattered, i, scattered));
        deny(apr_psprintf(unit_pool, "groups:%08x-%04x-4000-8000-%012x", scattered, i + 1, scattered));
    }
    allow("groups~^[0-9a-f-]{36}$");
    deny("groups~^[0-9a-f-]{37}$");
}
END_TEST

/* "(a+)+$" takes 2^n steps for n letters: no request may hang on it, with or without JIT. */
START_TEST(steps_are_limited)
{
    static const char *const lines[] = { "x~^(a+)+$", "x~^(a|a)*$", "x~(.*)*(.*)*(.*)*\\d$", "x~(*NO_JIT)^(a+)+$",
                                         "x~(*LIMIT_MATCH=4000000000)^(a+)+$" };
    const es_claim_t claim = { 0, "x", "x", 1, VALUES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!") };
    const apr_time_t start = apr_time_now();
    size_t i;

    open_session(&claim, 1);
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        deny_saying(lines[i], "a value of claim x needs more steps than a regex may take");
    }
    ck_assert_int_lt(apr_time_now() - start, apr_time_from_sec(5));
    allow("x~^(a+)+$ x~a!$");
}
END_TEST

/* A long value and a regex that reads it once: no limit in the way. */
START_TEST(long_values)
{
    char *text = apr_pcalloc(unit_pool, 100001);
    const char *const values[] = { text };
    const es_claim_t claim = { 0, "x", "x", 1, values };

    memset(text, 'a', 100000);
    text[99999] = 'b';
    open_session(&claim, 1);
    allow("x~^a+b$");
    allow("x~b$");
    deny("x~c");
}
END_TEST

/* The record may hold what is not UTF-8 only if something is broken: then that value does not match, the others do. */
START_TEST(values_that_are_not_utf8)
{
    const es_claim_t claim = { 0, "x", "x", 3, VALUES("\xff", "\xc3", "good") };

    open_session(&claim, 1);
    allow("x~^good$");
    deny("x~\\x{ff}");
    deny("x~^.$");
}
END_TEST

START_TEST(no_claims)
{
    open_session(NULL, 0);
    deny("roles:Editor");
    deny("roles~.");
}
END_TEST

Suite *suite_rule(void)
{
    Suite *suite = suite_create("rule");
    TCase *tcase = unit_case(suite, "rule");

    tcase_add_checked_fixture(tcase, open_alice, NULL);
    tcase_add_test(tcase, equality);
    tcase_add_test(tcase, guids_in_any_case);
    tcase_add_test(tcase, guids_among_look_alikes);
    tcase_add_test(tcase, values_with_our_own_separators);
    tcase_add_test(tcase, quotes);
    tcase_add_test(tcase, names);
    tcase_add_test(tcase, value_holds_separators);
    tcase_add_test(tcase, regex);
    tcase_add_test(tcase, regex_sees_values_unescaped);
    tcase_add_test(tcase, dollar_is_the_very_end);
    tcase_add_loop_test(tcase, refused_rules, 0, N_REFUSED);
    tcase_add_loop_test(tcase, refused_regexes, 0, 11);
    tcase_add_test(tcase, refused_regex_is_explained);
    tcase_add_test(tcase, denial_is_explained_without_values);
    tcase_add_test(tcase, judging_allocates_nothing);
    tcase_add_test(tcase, threads_share_a_rule);
    tcase_add_test(tcase, long_values_with_our_own_separators);
    tcase_add_test(tcase, what_was_met_is_explained_too);
    tcase_add_test(tcase, values_for_whoever_debugs);
    tcase_add_test(tcase, long_rules);
    tcase_add_test(tcase, two_thousand_groups);
    tcase_add_test(tcase, steps_are_limited);
    tcase_add_test(tcase, long_values);
    tcase_add_test(tcase, values_that_are_not_utf8);
    tcase_add_test(tcase, no_claims);
    return suite;
}
