/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The gate and what nobody thought of: addresses generated from a grammar of hostile pieces, and ordinary ones. What must
 * hold for all of them is checked by a browser in miniature, which shares nothing with the gate. The same seeds every time,
 * so that what fails once fails again.
 */
#include "policy/landing.h"
#include "unit.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdio.h>

#define HOST "app.example.com"
#define ORIGIN "https://" HOST
#define OTHER_HOST "intranet.example.com"
#define ALLOWED "https://" OTHER_HOST ":8443/start"
#define COUNT(table) (int)(sizeof(table) / sizeof *(table))
#define ADDRESSES 40000 /* of each seed */

static const unsigned seeds[] = { 1, 20, 404, 8675309 };

/* ---- the generator --------------------------------------------------------------------------------------------- */

static apr_uint64_t state;

/* Marsaglia's xorshift: any will do that is the same on every machine. */
static int pick(int n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int)((state >> 11) % (apr_uint64_t)n);
}

static const char *const pieces[] = {
    /* what an address is made of */
    "/",
    "/",
    "//",
    "///",
    "\\",
    "\\\\",
    "/\\",
    "\\/",
    "?",
    "#",
    "&",
    "=",
    "@",
    ":",
    "://",
    ":/",
    ";",
    ",",
    ".",
    "..",
    "...",
    "/./",
    "/../",
    "/.",
    "[",
    "]",
    "%",
    "+",
    "*",
    "~",
    "!",
    "'",
    "\"",
    "<",
    ">",
    "^",
    "`",
    "{",
    "|",
    "}",
    /* schemes */
    "https:",
    "http:",
    "HTTPS:",
    "hTtPs://",
    "https:/",
    "javascript:",
    "data:",
    "vbscript:",
    "file:",
    "blob:",
    "ftp:",
    "x:",
    /* hosts, users, ports */
    HOST,
    "APP.Example.COM",
    "evil.example",
    "app.example.com.evil.example",
    "user@",
    "user:word@",
    "app.example.com@",
    ":443",
    ":80",
    ":8443",
    ":0",
    ":65536",
    ":",
    "[::1]",
    "[2001:db8::1]",
    "127.0.0.1",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    ORIGIN,
    OTHER_HOST,
    ALLOWED,
    /* white space and control characters */
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\v",
    "\f",
    "\x01",
    "\x1f",
    "\x7f",
    "\r\nSet-Cookie: a=b",
    /* escapes, once, twice, overlong, broken */
    "%2f",
    "%2F",
    "%5c",
    "%2e",
    "%2e%2e",
    "%252f",
    "%255c",
    "%09",
    "%0a",
    "%0d%0a",
    "%20",
    "%00",
    "%7f",
    "%3a",
    "%40",
    "%c0%af",
    "%e0%80%af",
    "%f0%80%80%af",
    "%zz",
    "%2",
    "%u002f",
    "%ef%bc%8f",
    /* what browsers or name services take for something else */
    "\xe3\x80\x82",
    "\xef\xbc\x8e",
    "\xef\xbc\x8f",
    "\xef\xbc\xbc",
    "\xef\xbc\xa0",
    "\xef\xbc\x9a",
    "\xc2\xa0",
    "\xc2\x85",
    "\xe2\x80\xa8",
    "\xe2\x81\x84",
    "\xe2\x88\x95",
    "\xe2\x80\x8b",
    "\xc2\xad",
    "\xe2\x93\x94",
    "\xd0\xb0",
    "\xc0\xaf",
    "\xff",
    /* ordinary */
    "page",
    "a",
    "private/",
    "index.html",
    "?a=b",
    "#part",
    "x=1&y=2",
    "0",
};

static const char *generate(apr_pool_t *pool)
{
    static const char *const starts[] = { "/", "//", "/\\", "https://", ORIGIN, ORIGIN "/", ALLOWED, "" };
    const char *address = starts[pick(COUNT(starts))];
    int n;

    for (n = 1 + pick(9); n > 0; n--) {
        address = apr_pstrcat(pool, address, pieces[pick(COUNT(pieces))], NULL);
    }
    if (pick(200) == 0) { /* at the longest, and beyond */
        char *filler = apr_palloc(pool, ES_LANDING_KEPT_MAX + 1);

        memset(filler, 'a', ES_LANDING_KEPT_MAX);
        filler[ES_LANDING_KEPT_MAX - pick(21)] = '\0';
        address = apr_pstrcat(pool, address, filler, NULL);
    }
    return address;
}

/* A path and query as an application would have it, and a browser send it. */
static const char *generate_ordinary(apr_pool_t *pool)
{
    static const char *const segments[] = { "a",   "page.html", "caf%C3%A9", "x;v=1", "a%20b", "..a",
                                            "a..", "%25",       "~me",       "@x",    "a:b",   "(1)",
                                            "*",   "!$&'+,=",   "a%2Fb",     "0",     "-_." };
    static const char *const queries[] = { "a", "=b", "&",   "%0D%0A", "//", "/..", "https://x.example/",
                                           "?", "+",  "%2F", ":@" };
    const char *path = "";
    int n, i;

    for (n = pick(5); n >= 0; n--) {
        path = apr_pstrcat(pool, path, "/", segments[pick(COUNT(segments))], NULL);
    }
    path = pick(3) ? path : apr_pstrcat(pool, path, "/", NULL);
    if (pick(2)) {
        path = apr_pstrcat(pool, path, "?", NULL);
        for (i = pick(5); i > 0; i--) {
            path = apr_pstrcat(pool, path, queries[pick(COUNT(queries))], NULL);
        }
    }
    return path;
}

/* ---- the browser (WHATWG URL standard, basic URL parser) ------------------------------------------------------------- */

static int is_slash(char c)
{
    return c == '/' || c == '\\';
}

/* Without what it takes out: white space at the ends, tabs and line breaks everywhere. */
static char *strip(const char *address, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, strlen(address) + 1), *end = text;

    while (*address && (unsigned char)*address <= ' ') {
        address++;
    }
    for (; *address; address++) {
        if (*address != '\t' && *address != '\n' && *address != '\r') {
            *end++ = *address;
        }
    }
    while (end > text && (unsigned char)end[-1] <= ' ') {
        end--;
    }
    *end = '\0';
    return text;
}

/* host[:port], behind the last @ of what stands between slashes; whatever it is other than plain letters is elsewhere. */
static const char *find_host(const char *rest, apr_pool_t *pool)
{
    char *place, *at;

    while (is_slash(*rest)) {
        rest++;
    }
    place = apr_pstrndup(pool, rest, strcspn(rest, "/\\?#"));
    at = strrchr(place, '@');
    place = at ? at + 1 : place;
    for (at = place; *at; at++) {
        *at = (char)apr_tolower(*at);
    }
    at = strstr(place, ":443");
    if (at && !at[4]) {
        *at = '\0';
    }
    return place;
}

/* The host that a page of ours leads to by this address; ours for every path, "" for what is no host's. */
static const char *browse(const char *address, apr_pool_t *pool)
{
    const char *text = strip(address, pool);
    const apr_size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    if (apr_isalpha(*text) && text[scheme] == ':') {
        if (scheme != 5 || strncasecmp(text, "https", 5) != 0) {
            return "";
        }
        text += 6;
        if (text[0] == '/' && text[1] == '/') {
            return find_host(text, pool);
        }
    }
    return is_slash(text[0]) && is_slash(text[1]) ? find_host(text, pool) : HOST;
}

/* ---- what holds for every landing -------------------------------------------------------------------------------------- */

static const char *land(const char *candidate, const es_landing_allow_t *allow, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    const char *landing = NULL;
    es_rv_t rv = es_landing_read_allowed(&landing, candidate, ORIGIN, allow, &why, pool);

    if (rv != ES_OK) {
        ck_assert_reason(rv, ES_LANDING_REFUSED, why);
        ck_assert_ptr_null(landing);
    }
    return landing;
}

/* As a backend would that decodes once more than we do. */
static const char *decode(const char *path, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, strlen(path) + 1), *end = text;
    unsigned octet;

    for (; *path && *path != '?'; path++) {
        if (*path == '%' && sscanf(path + 1, "%2x", &octet) == 1 && apr_isxdigit(path[1]) && apr_isxdigit(path[2])) {
            *end++ = octet ? (char)octet : '\x01'; /* of a NUL the rest must be seen too */
            path += 2;
        } else {
            *end++ = *path;
        }
    }
    *end = '\0';
    return text;
}

static void check_path(const char *path, const char *candidate, apr_pool_t *pool)
{
    const char *decoded = decode(path, pool), *c;

    ck_assert_msg(path[0] == '/' && !is_slash(path[1]), "%s gives %s", candidate, path);
    ck_assert_msg(decoded[0] == '/' && !is_slash(decoded[1]), "%s gives %s, decoded", candidate, path);
    for (c = decoded; *c; c++) {
        ck_assert_msg((unsigned char)*c >= 0x20 && *c != 0x7f, "%s gives %s, decoded", candidate, path);
    }
    ck_assert_msg(!strstr(decoded, "/../") && !strstr(decoded, "/./") && !strstr(decoded, "/..\\"),
                  "%s gives %s, decoded", candidate, path);
}

static void check_landing(const char *landing, const char *candidate, int may_be_elsewhere, apr_pool_t *pool)
{
    const char *c, *path = landing;
    const int is_elsewhere = may_be_elsewhere && landing[0] != '/';

    ck_assert_msg(strlen(landing) <= ES_LANDING_KEPT_MAX, "%.100s gives %.100s", candidate, landing);
    for (c = landing; *c; c++) {
        ck_assert_msg(*c > 0x20 && *c < 0x7f && !strchr("\\#\"<>[]^`{|}", *c), "%s gives %s", candidate, landing);
    }
    if (is_elsewhere) {
        ck_assert_msg(strncmp(landing, ALLOWED, sizeof ALLOWED - 1) == 0, "%s gives %s", candidate, landing);
        path = landing + sizeof "https://" OTHER_HOST ":8443" - 1;
    }
    ck_assert_msg(strcmp(browse(landing, pool), is_elsewhere ? OTHER_HOST ":8443" : HOST) == 0,
                  "%s gives %s, which is %s", candidate, landing, browse(landing, pool));
    check_path(path, candidate, pool);
    ck_assert_pstr_eq(land(landing, NULL, pool), is_elsewhere ? NULL : landing);
}

START_TEST(hostile_address)
{
    apr_pool_t *pool;
    int i, passed = 0;

    apr_pool_create(&pool, unit_pool);
    state = seeds[_i];
    for (i = 0; i < ADDRESSES; i++) {
        const char *candidate = generate(pool), *landing = land(candidate, NULL, pool);

        if (landing) {
            check_landing(landing, candidate, 0, pool);
            ck_assert_msg(strcmp(browse(candidate, pool), HOST) == 0, "%s is %s to a browser", candidate,
                          browse(candidate, pool));
            passed++;
        }
        apr_pool_clear(pool);
    }
    /* else the grammar has no teeth, or the gate no hinges */
    ck_assert_int_gt(passed, ADDRESSES / 50);
    ck_assert_int_lt(passed, ADDRESSES / 2);
}
END_TEST

/* Whoever may return to one place elsewhere may return to no other. */
START_TEST(hostile_address_where_one_is_allowed)
{
    const char *const prefixes[] = { ALLOWED, NULL };
    es_why_t why = ES_WHY_INIT;
    es_landing_allow_t allow;
    apr_pool_t *pool;
    int i, elsewhere = 0;

    ck_assert_int_eq(es_landing_allow(&allow, prefixes, &why, unit_pool), ES_OK);
    apr_pool_create(&pool, unit_pool);
    state = seeds[_i];
    for (i = 0; i < ADDRESSES; i++) {
        const char *candidate = generate(pool), *ours = land(candidate, NULL, pool);
        const char *landing = land(candidate, &allow, pool);

        if (landing) {
            check_landing(landing, candidate, 1, pool);
            elsewhere += landing[0] != '/';
        }
        ck_assert_msg(!ours || (landing && strcmp(ours, landing) == 0), "%s", candidate);
        apr_pool_clear(pool);
    }
    ck_assert_int_gt(elsewhere, ADDRESSES / 1000);
}
END_TEST

/* By path and by address, with a fragment and without. */
START_TEST(ordinary_address)
{
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, unit_pool);
    state = seeds[_i];
    for (i = 0; i < ADDRESSES; i++) {
        const char *path = generate_ordinary(pool);

        ck_assert_pstr_eq(land(path, NULL, pool), path);
        ck_assert_pstr_eq(land(apr_pstrcat(pool, ORIGIN, path, "#part", NULL), NULL, pool), path);
        apr_pool_clear(pool);
    }
}
END_TEST

Suite *suite_landing_generated(void)
{
    Suite *suite = suite_create("landing_generated");
    TCase *tcase = unit_case(suite, "generated");

    tcase_add_loop_test(tcase, hostile_address, 0, COUNT(seeds));
    tcase_add_loop_test(tcase, hostile_address_where_one_is_allowed, 0, COUNT(seeds));
    tcase_add_loop_test(tcase, ordinary_address, 0, COUNT(seeds));
    return suite;
}
