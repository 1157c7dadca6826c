/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The gate, tried with honest addresses, with the hostile ones of t/vectors/landing.txt, and with those damaged
 * further.
 */
#include "policy/landing.h"
#include "unit.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdlib.h>

#define ORIGIN "https://app.example.com"
#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

/* NULL: refused. */
static const char *land(const char *candidate, const char *origin, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    const char *landing = NULL;
    es_rv_t rv = es_landing_read(&landing, candidate, origin, &why, pool);

    if (rv != ES_OK) {
        ck_assert_reason(rv, ES_LANDING_REFUSED, why);
        ck_assert_ptr_null(landing);
    }
    return landing;
}

static const struct {
    const char *candidate, *landing;
} honest[] = {
    { "/", "/" },
    { "/page", "/page" },
    { "/page?", "/page?" },
    { "/page?a=b&c=d%20e+f", "/page?a=b&c=d%20e+f" },
    { "/page#part", "/page" },
    { "/page?a=b#part?c=d", "/page?a=b" },
    { "/a/b/c.html;v=1,2", "/a/b/c.html;v=1,2" },
    { "/~user/:x@y!$&'()*+,;=-._~", "/~user/:x@y!$&'()*+,;=-._~" },
    { "/caf%C3%A9/%E2%82%AC", "/caf%C3%A9/%E2%82%AC" },
    { "/projects/group%2Fproject", "/projects/group%2Fproject" },
    { "/a//b/", "/a//b/" },
    { "/.well-known/x/..hidden/a..b/...", "/.well-known/x/..hidden/a..b/..." },
    { "/search?u=https://other.example/?x", "/search?u=https://other.example/?x" },
    { "/list?text=a%0D%0Ab", "/list?text=a%0D%0Ab" },
    { "/list?up=../x", "/list?up=../x" },
    { "/list?filter[name]=a|b&json={\"x\":[1]}", "/list?filter%5Bname%5D=a%7Cb&json=%7B%22x%22:%5B1%5D%7D" },
    { "/<a>^`b", "/%3Ca%3E%5E%60b" },
    { "https://app.example.com", "/" },
    { "https://app.example.com/", "/" },
    { "https://app.example.com?a=b", "/?a=b" },
    { "https://app.example.com#part", "/" },
    { "https://app.example.com/page?a=b#c", "/page?a=b" },
    { "https://app.example.com:443/page", "/page" },
    { "HTTPS://APP.Example.COM/Page", "/Page" },
    { "https://app.example.com/list?filter[name]=a|b", "/list?filter%5Bname%5D=a%7Cb" },
};

START_TEST(honest_address)
{
    ck_assert_pstr_eq(land(honest[_i].candidate, ORIGIN, unit_pool), honest[_i].landing);
}
END_TEST

/* A landing is an honest address itself, and stays what it is. */
START_TEST(landing_lands)
{
    ck_assert_pstr_eq(land(honest[_i].landing, ORIGIN, unit_pool), honest[_i].landing);
}
END_TEST

static const struct {
    const char *origin, *candidate, *landing;
} origins[] = {
    { "https://app.example.com:8443", "https://app.example.com:8443/a", "/a" },
    { "https://app.example.com:8443", "https://app.example.com/a", NULL },
    { "https://app.example.com:8443", "https://app.example.com:443/a", NULL },
    { "https://app.example.com:8443", "/a", "/a" },
    { "https://app.example.com:443", "https://app.example.com/a", "/a" },
    { "https://[2001:db8::1]", "https://[2001:DB8::1]/a", "/a" },
    { "https://[2001:db8::1]", "https://[2001:db8::2]/a", NULL },
    { "https://[2001:db8::1]", "https://2001:db8::1/a", NULL },
    { "https://localhost", "https://localhost/a", "/a" },
    { "https://localhost", "https://localhost./a", NULL },
};

START_TEST(other_origin)
{
    ck_assert_pstr_eq(land(origins[_i].candidate, origins[_i].origin, unit_pool), origins[_i].landing);
}
END_TEST

static const char *filled(const char *start, apr_size_t len)
{
    char *text = apr_palloc(unit_pool, len + 1);

    memset(text, 'a', len);
    memcpy(text, start, strlen(start));
    text[len] = '\0';
    return text;
}

START_TEST(length)
{
    const char *longest = filled("/", ES_LANDING_MAX), *query = filled("/?", ES_LANDING_MAX + 1);

    ck_assert_pstr_eq(land(longest, ORIGIN, unit_pool), longest);
    ck_assert_pstr_eq(land(apr_pstrcat(unit_pool, ORIGIN, longest, "#", longest, NULL), ORIGIN, unit_pool), longest);
    ck_assert_ptr_null(land(filled("/", ES_LANDING_MAX + 1), ORIGIN, unit_pool));
    ck_assert_ptr_null(land(query, ORIGIN, unit_pool));
    /* what escaping makes too long is too long */
    ck_assert_ptr_null(land(apr_pstrcat(unit_pool, filled("/", ES_LANDING_MAX - 1), "|", NULL), ORIGIN, unit_pool));
    ck_assert_ptr_null(land(filled("/#", 1000000), ORIGIN, unit_pool));
    ck_assert_ptr_null(land(filled("//", 1000000), ORIGIN, unit_pool));
    ck_assert_ptr_null(land("", ORIGIN, unit_pool));
}
END_TEST

/* The oracle, which knows nothing of how the gate works: is this a page of ours to a browser that drops what it does
 * not like, takes \ for / and resolves dot segments last of all? */
static void check_is_ours(const char *landing, const char *candidate)
{
    const char *c;
    char *lower = apr_pstrdup(unit_pool, landing);
    int in_path = 1;

    ck_assert_msg(strlen(landing) <= ES_LANDING_MAX, "too long: %s", candidate);
    for (c = landing; *c; c++) {
        ck_assert_msg(*c > 0x20 && *c < 0x7f && !strchr("\\#\"<>", *c), "%s gives %s", candidate, landing);
        in_path = in_path && *c != '?';
        lower[c - landing] = in_path ? (char)apr_tolower(*c) : '\0';
    }
    ck_assert_msg(lower[0] == '/' && lower[1] != '/', "%s gives %s", candidate, landing);
    ck_assert_msg(strncmp(lower, "/%2f", 4) != 0 && strncmp(lower, "/%5c", 4) != 0, "%s gives %s", candidate, landing);
    ck_assert_msg(!strstr(lower, "/./") && !strstr(lower, "/../") && !strstr(lower, "/%2e/") &&
                      !strstr(lower, "/%2e%2e/") && !strstr(lower, "/.%2e/") && !strstr(lower, "/%2e./"),
                  "%s gives %s", candidate, landing);
    ck_assert_msg(!strstr(lower, "%0") && !strstr(lower, "%1") && !strstr(lower, "%7f"), "%s gives %s", candidate,
                  landing);
}

/* One escape of the corpus; `in` stands behind the backslash, and behind the escape afterwards. */
static char *unescape(char *out, const char **in)
{
    const char *escape = *in;
    char digits[5] = { 0 };
    unsigned long value;

    *in += *escape == 'x' ? 3 : *escape == 'u' ? 5 : 1;
    switch (*escape) {
    case 't':
        *out++ = '\t';
        return out;
    case 'n':
        *out++ = '\n';
        return out;
    case 'r':
        *out++ = '\r';
        return out;
    case '\\':
        *out++ = '\\';
        return out;
    }
    ck_assert_msg(*escape == 'x' || *escape == 'u', "no escape: %.10s", escape);
    apr_cpystrn(digits, escape + 1, (apr_size_t)(*in - escape));
    value = strtoul(digits, NULL, 16);
    if (*escape == 'x' || value < 0x80) {
        *out++ = (char)value;
        return out;
    }
    if (value >= 0x800) {
        *out++ = (char)(0xe0 | value >> 12);
    }
    *out++ = (char)((value < 0x800 ? 0xc0 : 0x80) | (value >> 6 & 0x3f));
    *out++ = (char)(0x80 | (value & 0x3f));
    return out;
}

typedef struct {
    const char *line, *candidate, *landing;
} hostile_t;

static hostile_t *corpus;
static int n_corpus;

static hostile_t read_line(char *line)
{
    hostile_t hostile = { apr_pstrdup(unit_pool, line), line, NULL };
    char *arrow = strstr(line, " => "), *out = line;
    const char *in = line;

    if (arrow) {
        hostile.landing = arrow + 4;
        *arrow = '\0';
    }
    while (*in) {
        if (*in == '\\') {
            in++;
            out = unescape(out, &in);
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
    return hostile;
}

static void read_corpus(void)
{
    const char *root = getenv("top_srcdir");
    es_bytes_t file = unit_file(apr_pstrcat(unit_pool, root ? root : ".", "/t/vectors/landing.txt", NULL));
    char *state, *line;

    corpus = apr_palloc(unit_pool, file.len * sizeof *corpus);
    n_corpus = 0;
    for (line = apr_strtok((char *)file.data, "\n", &state); line; line = apr_strtok(NULL, "\n", &state)) {
        if (line[0] != '#') {
            corpus[n_corpus++] = read_line(line);
        }
    }
}

START_TEST(hostile_address)
{
    int i;

    ck_assert_int_ge(n_corpus, 800);
    for (i = 0; i < n_corpus; i++) {
        const char *landing = land(corpus[i].candidate, ORIGIN, unit_pool);

        if (landing) {
            check_is_ours(landing, corpus[i].line);
        }
        ck_assert_msg(!landing == !corpus[i].landing && (!landing || strcmp(landing, corpus[i].landing) == 0),
                      "%s gives %s", corpus[i].line, landing ? landing : "a refusal");
    }
}
END_TEST

/* Anything put into a hostile address at any of its first places, and each of its tails. */
static void damage(const char *candidate, apr_pool_t *pool)
{
    static const char octets[] = "\x01\t\n\r\x1f /\\?#@:%.;&[]{}|^`<>\"'a\x7f\x80\xe2\xff";
    static const int places = 12;
    apr_size_t len = strlen(candidate), place, o;
    char *text = apr_palloc(pool, len + 2);

    for (place = 0; place <= len && place < places; place++) {
        const char *landing = land(candidate + place, ORIGIN, pool);

        if (landing) {
            check_is_ours(landing, candidate + place);
        }
        memcpy(text, candidate, place);
        memcpy(text + place + 1, candidate + place, len - place + 1);
        for (o = 0; octets[o]; o++) {
            text[place] = octets[o];
            landing = land(text, ORIGIN, pool);
            if (landing) {
                check_is_ours(landing, text);
            }
        }
    }
}

START_TEST(damaged_address)
{
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, unit_pool);
    for (i = 0; i < n_corpus; i++) {
        apr_pool_clear(pool);
        damage(corpus[i].candidate, pool);
    }
    for (i = 0; i < COUNT(honest); i++) {
        apr_pool_clear(pool);
        damage(honest[i].candidate, pool);
    }
}
END_TEST

Suite *suite_landing(void)
{
    Suite *suite = suite_create("landing");
    TCase *tcase = unit_case(suite, "honest");

    tcase_add_loop_test(tcase, honest_address, 0, COUNT(honest));
    tcase_add_loop_test(tcase, landing_lands, 0, COUNT(honest));
    tcase_add_loop_test(tcase, other_origin, 0, COUNT(origins));
    tcase_add_test(tcase, length);
    tcase = unit_case(suite, "hostile");
    tcase_add_checked_fixture(tcase, read_corpus, NULL);
    tcase_add_test(tcase, hostile_address);
    tcase_add_test(tcase, damaged_address);
    return suite;
}
