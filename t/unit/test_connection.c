/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/codec.h"
#include "base/crypto.h"
#include "entra/connection.h"

#include <apr_strings.h>

#define ISSUER "https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/"

static const es_metadata_t metadata = { .issuer = ISSUER, .sso_url = "https://login.example.com/saml2" };
static es_connection_conf_t conf;

static void reset(void)
{
    memset(&conf, 0, sizeof conf);
    conf.server_name = "app.example.com";
}

static const es_connection_t *make(void)
{
    es_connection_t *connection = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_connection_make(&connection, &conf, &metadata, &why, unit_pool), ES_OK, why);
    return connection;
}

static void refuse(es_rv_t expected, const char *part)
{
    es_connection_t *connection = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_connection_make(&connection, &conf, &metadata, &why, unit_pool), expected, why);
    ck_assert_msg(strstr(why.text, part) != NULL, "\"%s\" does not say \"%s\"", why.text, part);
    ck_assert_ptr_null(connection);
}

START_TEST(defaults)
{
    const es_connection_t *connection = make();

    ck_assert_str_eq(connection->issuer, ISSUER);
    ck_assert_str_eq(connection->origin, "https://app.example.com");
    ck_assert_str_eq(connection->entity_id, "https://app.example.com/saml/metadata");
    ck_assert_str_eq(connection->reply_url, "https://app.example.com/saml/acs");
    ck_assert_str_eq(connection->reply_path, "/saml/acs");
    ck_assert_str_eq(connection->login_url, "https://app.example.com/saml/login");
    ck_assert_str_eq(connection->login_path, "/saml/login");
    ck_assert_str_eq(connection->logout_url, "https://app.example.com/saml/logout");
    ck_assert_str_eq(connection->logout_path, "/saml/logout");
    ck_assert_str_eq(connection->metadata_url, "https://app.example.com/saml/metadata");
    ck_assert_str_eq(connection->metadata_path, "/saml/metadata");
    ck_assert_str_eq(connection->default_page, "/");
    ck_assert_int_eq(connection->skew, apr_time_from_sec(180));
    ck_assert_str_eq(connection->remote_user[0], "name");
    ck_assert_str_eq(connection->remote_user[1], "nameid");
    ck_assert_ptr_null(connection->remote_user[2]);
    ck_assert_ptr_eq(connection->metadata, &metadata);
}
END_TEST

/* printf '%s\0%s' "$ISSUER" https://app.example.com/saml/metadata | sha256sum */
/* Before the first metadata is fetched: what can be judged is judged, and nothing is guessed. */
START_TEST(without_metadata)
{
    static const es_connection_id_t none;
    es_connection_t *connection = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_connection_make(&connection, &conf, NULL, &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(connection->reply_path, "/saml/acs");
    ck_assert_str_eq(connection->entity_id, "https://app.example.com/saml/metadata");
    ck_assert_str_eq(connection->tag, "-");
    ck_assert_ptr_null(connection->issuer);
    ck_assert_ptr_null(connection->metadata);
    ck_assert_ptr_null(connection->session_cookie);
    ck_assert_ptr_null(connection->binding_cookie);
    ck_assert_mem_eq(&connection->id, &none, sizeof none);
    conf.path = "saml";
    ck_assert_reason(es_connection_make(&connection, &conf, NULL, &why, unit_pool), ES_CONFIG_PATH, why);
}
END_TEST

START_TEST(identity)
{
    const es_connection_t *connection = make();
    const char *joined = ISSUER "\0https://app.example.com/saml/metadata";
    const es_hash_t hash = es_crypto_sha256(es_bytes(joined, sizeof ISSUER + strlen(connection->entity_id)));
    const char *tag = apr_pstrndup(unit_pool, es_codec_hex(es_bytes(hash.octet, 16), unit_pool), 8);

    ck_assert_mem_eq(connection->id.octet, hash.octet, ES_CONNECTION_LEN);
    ck_assert_str_eq(tag, "7358846b");
    ck_assert_str_eq(connection->tag, tag);
    ck_assert_str_eq(connection->session_cookie, "__Host-entra-session-7358846b");
    ck_assert_str_eq(connection->binding_cookie, "__Host-entra-signin-7358846b");
}
END_TEST

/* The identity is issuer and entity ID, and nothing else. */
START_TEST(identity_of_another)
{
    const es_connection_t *first = make(), *second;
    es_metadata_t other = metadata;
    es_connection_t *third = NULL;
    es_why_t why = ES_WHY_INIT;

    conf.reply_url = "/other/acs";
    conf.default_page = "/x";
    conf.skew = apr_time_from_sec(1);
    ck_assert_mem_eq(make()->id.octet, first->id.octet, ES_CONNECTION_LEN);
    conf.entity_id = "https://app.example.com/saml/metadat";
    second = make();
    ck_assert_mem_ne(second->id.octet, first->id.octet, ES_CONNECTION_LEN);
    /* the same octets, cut in another place */
    other.issuer = ISSUER "h";
    conf.entity_id = "ttps://app.example.com/saml/metadata";
    ck_assert_reason(es_connection_make(&third, &conf, &other, &why, unit_pool), ES_OK, why);
    ck_assert_mem_ne(third->id.octet, first->id.octet, ES_CONNECTION_LEN);
}
END_TEST

START_TEST(server_port)
{
    conf.server_port = 8443;
    ck_assert_str_eq(make()->origin, "https://app.example.com:8443");
    ck_assert_str_eq(make()->reply_url, "https://app.example.com:8443/saml/acs");
    ck_assert_str_eq(make()->reply_path, "/saml/acs");
}
END_TEST

static const struct {
    const char *base_url, *origin;
} bases[] = {
    { "https://app.example.com", "https://app.example.com" },
    { "https://app.example.com/", "https://app.example.com" },
    { "HTTPS://App.Example.COM", "https://app.example.com" },
    { "https://app.example.com:443", "https://app.example.com:443" },
    { "https://app.example.com:8443/", "https://app.example.com:8443" },
    { "https://192.0.2.1", "https://192.0.2.1" },
    { "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443" },
};

START_TEST(base_url)
{
    conf.server_name = "other.example.com";
    conf.server_port = 4711;
    conf.base_url = bases[_i].base_url;
    ck_assert_str_eq(make()->origin, bases[_i].origin);
    ck_assert_str_eq(make()->login_url, apr_pstrcat(unit_pool, bases[_i].origin, "/saml/login", NULL));
    conf.base_url = NULL;
}
END_TEST

static const char *const bad_bases[] = {
    "",
    "app.example.com",
    "/",
    "//app.example.com",
    "http://app.example.com",
    "ftp://app.example.com",
    "https:",
    "https://",
    "https:///x",
    "https:app.example.com",
    "https://app.example.com/saml",
    "https://app.example.com//",
    "https://app.example.com?",
    "https://app.example.com/?a=b",
    "https://app.example.com#x",
    "https://me@app.example.com",
    "https://me:secret@app.example.com",
    "https://app.example.com:0",
    "https://app.example.com:65536",
    "https://app.example.com:x",
    "https://app example.com",
    "https://app.example.com\\",
    "https://\xc3\xa9.example.com",
};

START_TEST(bad_base_url)
{
    conf.base_url = bad_bases[_i];
    refuse(ES_CONFIG_BASE_URL, "base URL");
}
END_TEST

START_TEST(no_base_url)
{
    conf.server_name = NULL;
    refuse(ES_CONFIG_BASE_URL, "neither EntraSAMLBaseURL nor ServerName");
    conf.server_name = "";
    refuse(ES_CONFIG_BASE_URL, "neither EntraSAMLBaseURL nor ServerName");
    conf.server_name = "app.example.com/x";
    refuse(ES_CONFIG_BASE_URL, "base URL");
    conf.server_name = "user@app.example.com";
    refuse(ES_CONFIG_BASE_URL, "base URL");
}
END_TEST

START_TEST(path)
{
    const es_connection_t *connection;

    conf.path = "/auth/Entra-1.x";
    connection = make();
    ck_assert_str_eq(connection->reply_path, "/auth/Entra-1.x/acs");
    ck_assert_str_eq(connection->login_path, "/auth/Entra-1.x/login");
    ck_assert_str_eq(connection->logout_url, "https://app.example.com/auth/Entra-1.x/logout");
    ck_assert_str_eq(connection->entity_id, "https://app.example.com/auth/Entra-1.x/metadata");
}
END_TEST

static const char *const bad_paths[] = {
    "",       "/",     "saml",      "//saml",  "/saml/",         "/saml//x",  "/saml?", "/saml?a",
    "/saml#", "/a b",  "/a\tb",     "/./saml", "/saml/..",       "/%2e%2e/x", "/a%2fb", "/a%20b",
    "/a%41b", "/a\\b", "/\xc3\xa9", "/saml\n", "https://x/saml", "/a%",       "/a\x7f",
};

START_TEST(bad_path)
{
    conf.path = bad_paths[_i];
    refuse(ES_CONFIG_PATH, "of the endpoints");
}
END_TEST

/* Kept octet by octet: Entra compares it so. */
static const struct {
    const char *base_url, *reply_url, *expected_url, *expected_path;
} replies[] = {
    { NULL, "/Shibboleth.sso/SAML2/POST", "https://app.example.com/Shibboleth.sso/SAML2/POST",
      "/Shibboleth.sso/SAML2/POST" },
    { NULL, "/acs", "https://app.example.com/acs", "/acs" },
    { NULL, "/saml/", "https://app.example.com/saml/", "/saml/" },
    { NULL, "https://app.example.com/saml2/idpresponse", "https://app.example.com/saml2/idpresponse",
      "/saml2/idpresponse" },
    { NULL, "https://app.example.com:443/saml/acs", "https://app.example.com:443/saml/acs", "/saml/acs" },
    { NULL, "https://APP.Example.com/saml/Acs", "https://APP.Example.com/saml/Acs", "/saml/Acs" },
    { "https://app.example.com:443", "https://app.example.com/acs", "https://app.example.com/acs", "/acs" },
    { "https://app.example.com:443", "/acs", "https://app.example.com:443/acs", "/acs" },
    { "https://app.example.com:8443", "https://app.example.com:8443/acs", "https://app.example.com:8443/acs", "/acs" },
};

START_TEST(reply_url)
{
    const es_connection_t *connection;

    conf.base_url = replies[_i].base_url;
    conf.reply_url = replies[_i].reply_url;
    connection = make();
    ck_assert_str_eq(connection->reply_url, replies[_i].expected_url);
    ck_assert_str_eq(connection->reply_path, replies[_i].expected_path);
}
END_TEST

static const char *const bad_replies[] = {
    "",
    "acs",
    "/",
    "//app.example.com/acs",
    "/saml//acs",
    "/saml/../acs",
    "/saml/acs?x=y",
    "/saml/acs#x",
    "/saml/a cs",
    "/saml/%61cs",
    "/saml/acs\n",
    "http://app.example.com/saml/acs",
    "https://app.example.com",
    "https://app.example.com/",
    "https://app.example.com:8443/saml/acs",
    "https://other.example.com/saml/acs",
    "https://app.example.com.evil.example/saml/acs",
    "https://me@app.example.com/saml/acs",
    "https://app.example.com@evil.example/saml/acs",
    "https://app.example.com/saml/acs?x",
    "https://app.example.com/saml/acs#x",
    "https://app.example.com/saml/%61cs",
    "https://app.example.com/saml/a cs",
    "https:///saml/acs",
    "https:/saml/acs",
    "/acs!",
    "/acs$",
    "/acs'",
    "/acs(",
    "/acs)",
    "/acs,",
    "https://app.example.com/acs;x",
};

START_TEST(bad_reply_url)
{
    conf.reply_url = bad_replies[_i];
    refuse(ES_CONFIG_REPLY_URL, "reply URL");
}
END_TEST

START_TEST(reply_url_length)
{
    char *longest = apr_pcalloc(unit_pool, 258);

    memset(longest, 'a', 257);
    memcpy(longest, "https://app.example.com/", strlen("https://app.example.com/"));
    conf.reply_url = longest;
    refuse(ES_CONFIG_REPLY_URL, "256");
    longest[256] = '\0';
    ck_assert_str_eq(make()->reply_url, longest);
}
END_TEST

/* An opaque string: nothing is normalised, no URL rule applies. */
static const char *const entity_ids[] = {
    "https://x.s.cequence.cloud:443/saml/metadata",
    "https://cert-manager.com/shibboleth",
    "urn:amazon:cognito:sp:us-east-1_rlgU6e3y5",
    "2f0e7d1c-53a6-4f1b-9d52-0c1b8a7e6d54",
    "spn:2f0e7d1c-53a6-4f1b-9d52-0c1b8a7e6d54",
    "HTTPS://App.Example.COM/%7ex/../#?",
    "http://plain.example.com/",
    "x",
    "\xc3\xa9\xf0\x9f\x98\x80",
    "<&\"'>",
};

START_TEST(entity_id)
{
    conf.entity_id = entity_ids[_i];
    ck_assert_str_eq(make()->entity_id, entity_ids[_i]);
}
END_TEST

START_TEST(bad_entity_id)
{
    static const char *const bad[] = { "",     " ",    "a b",          "a\tb",         "a\n",      "\x01",    "a\x7f",
                                       "\xc3", "\xff", "\xed\xa0\x80", "\xef\xbf\xbf", "\xc2\x85", "\xc0\xaf" };
    char *longest = apr_pcalloc(unit_pool, 1026);
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        conf.entity_id = bad[i];
        refuse(ES_CONFIG_ENTITY_ID, "entity ID");
    }
    memset(longest, 'e', 1025);
    conf.entity_id = longest;
    refuse(ES_CONFIG_ENTITY_ID, "1024");
    longest[1024] = '\0';
    ck_assert_str_eq(make()->entity_id, longest);
}
END_TEST

START_TEST(default_page)
{
    static const char *const good[] = { "/", "/start", "/start/", "/a?b=c&d=%20", "/a//b", "/%c3%a9", "/a%20b?x" };
    char *longest = apr_pcalloc(unit_pool, 514);
    size_t i;

    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        conf.default_page = good[i];
        ck_assert_str_eq(make()->default_page, good[i]);
    }
    memset(longest, 'p', 513);
    longest[0] = '/';
    conf.default_page = longest;
    refuse(ES_CONFIG_PATH, "default page");
    longest[512] = '\0';
    ck_assert_str_eq(make()->default_page, longest);
}
END_TEST

START_TEST(bad_default_page)
{
    static const char *const bad[] = { "",     "start", "//evil.example/", "https://app.example.com/", "/a#b",
                                       "/a b", "/a\n",  "/../x",           "/\\evil.example",          "/\t",
                                       "?a" };
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        conf.default_page = bad[i];
        refuse(ES_CONFIG_PATH, "default page");
    }
}
END_TEST

START_TEST(skew)
{
    conf.skew = 1;
    ck_assert_int_eq(make()->skew, 1);
    conf.skew = apr_time_from_sec(300);
    ck_assert_int_eq(make()->skew, apr_time_from_sec(300));
    conf.skew = apr_time_from_sec(300) + 1;
    refuse(ES_CONFIG_TIME, "EntraSAMLClockSkew");
    conf.skew = -1;
    refuse(ES_CONFIG_TIME, "EntraSAMLClockSkew");
}
END_TEST

START_TEST(remote_user)
{
    static const char *const good[] = { "upn", "emailaddress", "a_1", NULL };
    static const char *const none[] = { NULL };
    const char *bad[] = { "name", NULL, NULL };
    static const char *const names[] = { "", "Name", "1a", "_a", "a-b", "a b", "http://x/name", "n\xc3\xa9" };
    char *longer = apr_pcalloc(unit_pool, 66);
    size_t i;

    conf.remote_user = good;
    ck_assert_str_eq(make()->remote_user[0], "upn");
    ck_assert_str_eq(make()->remote_user[2], "a_1");
    conf.remote_user = none;
    refuse(ES_CONFIG_CLAIM, "names no claim");
    conf.remote_user = bad;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        bad[1] = names[i];
        refuse(ES_CONFIG_CLAIM, "short name");
    }
    memset(longer, 'a', 65);
    bad[1] = longer;
    refuse(ES_CONFIG_CLAIM, "short name");
    longer[64] = '\0';
    make();
}
END_TEST

START_TEST(clash_of_endpoints)
{
    static const char *const bad[] = { "/saml/login", "/saml/logout", "/saml/metadata",
                                       "https://app.example.com/saml/login" };
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        conf.reply_url = bad[i];
        refuse(ES_CONFIG_CLASH, "reply URL and ");
    }
    conf.reply_url = "/saml/login/";
    make();
    conf.path = "/other";
    conf.reply_url = "/saml/login";
    make();
}
END_TEST

START_TEST(clash_with_default_page)
{
    static const char *const bad[] = { "/saml/login", "/saml/logout?x", "/saml/metadata", "/saml/acs" };
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        conf.default_page = bad[i];
        refuse(ES_CONFIG_CLASH, "default page");
    }
    conf.reply_url = "/start";
    conf.default_page = "/start";
    refuse(ES_CONFIG_CLASH, "default page");
    conf.default_page = "/saml/acs";
    make();
}
END_TEST

#define LOOP(tcase, test, list) tcase_add_loop_test(tcase, test, 0, (int)(sizeof list / sizeof list[0]))

#define TENANT "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
#define COMMON "https://sts.windows.net/{tenantid}/"

static const char *const one_tenant[] = { "7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34", NULL };

/* Entra can be told to append the application's ID to the issuer; in what form, no document says. */
START_TEST(issuer_by_directive)
{
    const es_connection_t *plain = make(), *said;

    conf.issuer = ISSUER "c1d2e3f4-0a1b-4c2d-8e3f-405162738495";
    said = make();
    ck_assert_str_eq(said->issuer, conf.issuer);
    ck_assert_ptr_eq(said->metadata, &metadata);
    ck_assert(memcmp(&said->id, &plain->id, sizeof said->id) != 0);
    conf.issuer = "urn:x:y";
    ck_assert_str_eq(make()->issuer, "urn:x:y");
    conf.issuer = "";
    refuse(ES_CONFIG_ISSUER, "empty");
    conf.issuer = "a b";
    refuse(ES_CONFIG_ISSUER, "a b");
    conf.issuer = memset(apr_pcalloc(unit_pool, 1026), 'i', 1025);
    refuse(ES_CONFIG_ISSUER, "1024");
}
END_TEST

START_TEST(further_audiences)
{
    const char *list[] = { "urn:amazon:cognito:sp:eu-west-1_AbC", "https://x.example:443/saml/metadata",
                           "spn:c1d2e3f4-0a1b-4c2d-8e3f-405162738495", NULL };

    ck_assert_ptr_null(make()->audiences);
    conf.audiences = list;
    ck_assert_str_eq(make()->audiences[0], "urn:amazon:cognito:sp:eu-west-1_AbC");
    ck_assert_str_eq(make()->audiences[1], "https://x.example:443/saml/metadata");
    ck_assert_str_eq(make()->audiences[2], "spn:c1d2e3f4-0a1b-4c2d-8e3f-405162738495");
    ck_assert_ptr_null(make()->audiences[3]);
    list[1] = "";
    refuse(ES_CONFIG_AUDIENCE, "empty");
    list[1] = "a\tb";
    refuse(ES_CONFIG_AUDIENCE, "white space");
}
END_TEST

START_TEST(tenants)
{
    static const char *const wrong[] = { TENANT, "contoso.com", NULL };

    ck_assert_ptr_null(make()->tenants);
    conf.tenants = one_tenant;
    ck_assert_str_eq(make()->tenants[0], TENANT);
    ck_assert_ptr_null(make()->tenants[1]);
    conf.tenants = wrong;
    refuse(ES_CONFIG_TENANTS, "contoso.com");
}
END_TEST

static es_rv_t make_common(es_connection_t **connection, const char *issuer, es_why_t *why)
{
    es_metadata_t *common = apr_pmemdup(unit_pool, &metadata, sizeof metadata);

    common->issuer = issuer;
    *why = ES_WHY_INIT;
    return es_connection_make(connection, &conf, common, why, unit_pool);
}

START_TEST(the_document_of_all_tenants)
{
    es_connection_t *connection = NULL, *other;
    es_why_t why;

    ck_assert_reason(make_common(&connection, COMMON, &why), ES_METADATA_COMMON, why);
    ck_assert_reason(make_common(&connection, "https://sts.windows.net/{tenant}/", &why), ES_METADATA_COMMON, why);
    conf.issuer = ISSUER; /* says what is expected, and not who signs: every tenant does */
    ck_assert_reason(make_common(&connection, COMMON, &why), ES_METADATA_COMMON, why);
    conf.issuer = COMMON; /* a tenant's document, and the issuer of all */
    ck_assert_reason(make_common(&connection, ISSUER, &why), ES_METADATA_COMMON, why);
    ck_assert_ptr_null(connection);
    conf.issuer = NULL;
    conf.tenants = one_tenant;
    ck_assert_reason(make_common(&connection, COMMON, &why), ES_OK, why);
    ck_assert_str_eq(connection->issuer, COMMON);
    /* whoever is admitted: the connection is the application's, and stays the same */
    conf.tenants = (const char *const[]){ TENANT, "2f277f1e-e5f1-4f62-b595-79c2d13afda4", NULL };
    ck_assert_reason(make_common(&other, COMMON, &why), ES_OK, why);
    ck_assert(memcmp(&connection->id, &other->id, sizeof other->id) == 0);
}
END_TEST

Suite *suite_connection(void)
{
    Suite *suite = suite_create("connection");
    TCase *tcase = unit_case(suite, "connection");

    tcase_add_checked_fixture(tcase, reset, NULL);
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, without_metadata);
    tcase_add_test(tcase, identity);
    tcase_add_test(tcase, identity_of_another);
    tcase_add_test(tcase, server_port);
    LOOP(tcase, base_url, bases);
    LOOP(tcase, bad_base_url, bad_bases);
    tcase_add_test(tcase, no_base_url);
    tcase_add_test(tcase, path);
    LOOP(tcase, bad_path, bad_paths);
    LOOP(tcase, reply_url, replies);
    LOOP(tcase, bad_reply_url, bad_replies);
    tcase_add_test(tcase, reply_url_length);
    LOOP(tcase, entity_id, entity_ids);
    tcase_add_test(tcase, bad_entity_id);
    tcase_add_test(tcase, default_page);
    tcase_add_test(tcase, bad_default_page);
    tcase_add_test(tcase, skew);
    tcase_add_test(tcase, remote_user);
    tcase_add_test(tcase, clash_of_endpoints);
    tcase_add_test(tcase, clash_with_default_page);
    tcase_add_test(tcase, issuer_by_directive);
    tcase_add_test(tcase, further_audiences);
    tcase_add_test(tcase, tenants);
    tcase_add_test(tcase, the_document_of_all_tenants);
    return suite;
}
