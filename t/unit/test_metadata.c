/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/metadata.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define ISSUER "https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/"
#define SSO "https://login.microsoftonline.com/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/saml2"
#define REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
#define POST "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
#define WSFED "http://docs.oasis-open.org/wsfed/federation/200706"

#define ROLE "<IDPSSODescriptor protocolSupportEnumeration=\"" ES_NS_PROTOCOL "\">"
#define SIGN_ON "<SingleSignOnService Binding=\"" REDIRECT "\" Location=\"" SSO "\"/>"
#define END "</IDPSSODescriptor></EntityDescriptor>"

/* Certificates in base64, made once: three that can be used, one too short, one not RSA. */
enum { FIRST, SECOND, THIRD, SHORT_RSA, ELLIPTIC, N_CERTIFICATES };
static char certificates[N_CERTIFICATES][4096];
static char thumbprints[N_CERTIFICATES][41];

static void make_certificate(int index, EVP_PKEY *key)
{
    X509 *x509 = X509_new();
    unsigned char *der = NULL, digest[20];
    int i, len;

    ASN1_INTEGER_set(X509_get_serialNumber(x509), index + 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x509), -3600); /* expired, and no less a key */
    X509_set_pubkey(x509, key);
    ck_assert_int_gt(X509_sign(x509, key, EVP_sha256()), 0);
    len = i2d_X509(x509, &der);
    ck_assert(len > 0 && 4 * (len + 2) / 3 < (int)sizeof certificates[0]);
    EVP_EncodeBlock((unsigned char *)certificates[index], der, len);
    ck_assert_int_eq(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha1(), NULL), 1);
    for (i = 0; i < 20; i++) {
        apr_snprintf(thumbprints[index] + 2 * i, 3, "%02X", digest[i]);
    }
    OPENSSL_free(der);
    X509_free(x509);
    EVP_PKEY_free(key);
}

static void make_certificates(void)
{
    make_certificate(FIRST, EVP_RSA_gen(2048));
    make_certificate(SECOND, EVP_RSA_gen(2048));
    make_certificate(THIRD, EVP_RSA_gen(2048));
    make_certificate(SHORT_RSA, EVP_RSA_gen(1024));
    make_certificate(ELLIPTIC, EVP_EC_gen("P-256"));
}

static const char *entity(const char *id)
{
    return apr_pstrcat(unit_pool, "<EntityDescriptor xmlns=\"" ES_NS_METADATA "\" entityID=\"", id, "\">", NULL);
}

static const char *key_info(const char *content)
{
    return apr_pstrcat(unit_pool, "<KeyInfo xmlns=\"" ES_NS_DSIG "\">", content, "</KeyInfo>", NULL);
}

static const char *x509(const char *certificate)
{
    return apr_pstrcat(unit_pool, "<X509Data><X509Certificate>", certificate, "</X509Certificate></X509Data>", NULL);
}

/* A KeyDescriptor; `use` is the attribute with its name, or "". */
static const char *key(const char *use, const char *certificate)
{
    return apr_pstrcat(unit_pool, "<KeyDescriptor ", use, ">", key_info(x509(certificate)), "</KeyDescriptor>", NULL);
}

static es_metadata_t *load(es_bytes_t document)
{
    es_metadata_t *metadata = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_metadata_load(&metadata, document, &why, unit_pool), ES_OK, why);
    return metadata;
}

static es_metadata_t *load_text(const char *text)
{
    return load(es_bytes_of(text));
}

/* A document whose role holds this besides its address. */
static es_metadata_t *load_role(const char *content)
{
    return load_text(apr_pstrcat(unit_pool, entity(ISSUER), ROLE, content, SIGN_ON END, NULL));
}

static void refuse(const char *text, es_rv_t expected, const char *part)
{
    es_metadata_t *metadata = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_metadata_load(&metadata, es_bytes_of(text), &why, unit_pool), expected, why);
    ck_assert_msg(strstr(why.text, part) != NULL, "\"%s\" does not say \"%s\"", why.text, part);
    ck_assert_ptr_null(metadata);
}

static void refuse_role(const char *content, es_rv_t expected, const char *part)
{
    refuse(apr_pstrcat(unit_pool, entity(ISSUER), ROLE, content, END, NULL), expected, part);
}

static void expect_keys(const es_metadata_t *metadata, const char *expected)
{
    ck_assert_str_eq(es_keys_thumbprints(metadata->keys, unit_pool), expected);
}

START_TEST(all_that_is_needed)
{
    es_metadata_t *metadata = load_role(key("use=\"signing\"", certificates[FIRST]));

    ck_assert_str_eq(metadata->issuer, ISSUER);
    ck_assert_str_eq(metadata->sso_url, SSO);
    ck_assert_ptr_null(metadata->slo_url);
    ck_assert_int_eq(metadata->n_skipped, 0);
    expect_keys(metadata, thumbprints[FIRST]);
}
END_TEST

START_TEST(several_keys_in_their_order)
{
    es_metadata_t *metadata = load_role(
        apr_pstrcat(unit_pool, key("use=\"signing\"", certificates[SECOND]), key("", certificates[FIRST]),
                    key("use=\"signing\"", certificates[SECOND]), key("use=\"signing\"", certificates[THIRD]), NULL));

    expect_keys(metadata,
                apr_pstrcat(unit_pool, thumbprints[SECOND], ", ", thumbprints[FIRST], ", ", thumbprints[THIRD], NULL));
    ck_assert_int_eq(metadata->n_skipped, 0);
}
END_TEST

START_TEST(keys_for_something_else)
{
    es_metadata_t *metadata =
        load_role(apr_pstrcat(unit_pool, key("use=\"encryption\"", certificates[SECOND]), key("", certificates[FIRST]),
                              key("use=\"Signing\"", certificates[THIRD]), key("use=\"\"", certificates[THIRD]), NULL));

    expect_keys(metadata, thumbprints[FIRST]);
}
END_TEST

START_TEST(keys_of_other_roles)
{
    const char *foreign = key("use=\"signing\"", certificates[SECOND]);
    es_metadata_t *metadata = load_text(apr_pstrcat(
        unit_pool, entity(ISSUER), "<Signature xmlns=\"" ES_NS_DSIG "\">", key_info(x509(certificates[THIRD])),
        "</Signature><RoleDescriptor xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
        "xsi:type=\"fed:SecurityTokenServiceType\" xmlns:fed=\"" WSFED "\" protocolSupportEnumeration=\"" WSFED "\">",
        foreign,
        "</RoleDescriptor><IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:1.1:protocol\">",
        foreign, SIGN_ON "</IDPSSODescriptor><IDPSSODescriptor>", foreign,
        "</IDPSSODescriptor><IDPSSODescriptor xmlns=\"urn:other\" protocolSupportEnumeration=\"" ES_NS_PROTOCOL "\">",
        foreign, "</IDPSSODescriptor><SPSSODescriptor protocolSupportEnumeration=\"" ES_NS_PROTOCOL "\">", foreign,
        "</SPSSODescriptor>" ROLE, "<Extensions>", foreign, "</Extensions>", key("", certificates[FIRST]), SIGN_ON END,
        NULL));

    expect_keys(metadata, thumbprints[FIRST]);
}
END_TEST

/* XML-DSig 4.5.4: the certificates of one X509Data are the key's and those it was issued by. */
START_TEST(chain_is_no_key)
{
    es_metadata_t *metadata = load_role(apr_pstrcat(
        unit_pool, "<KeyDescriptor>",
        key_info(apr_pstrcat(unit_pool, "<KeyName>k</KeyName><X509Data><X509SubjectName>CN=x</X509SubjectName>",
                             "<X509Certificate>", certificates[FIRST], "</X509Certificate><X509Certificate>",
                             certificates[SECOND], "</X509Certificate></X509Data>", x509(certificates[THIRD]), NULL)),
        "</KeyDescriptor>", NULL));

    expect_keys(metadata, apr_pstrcat(unit_pool, thumbprints[FIRST], ", ", thumbprints[THIRD], NULL));
}
END_TEST

START_TEST(unusable_certificates_are_counted)
{
    es_metadata_t *metadata = load_role(
        apr_pstrcat(unit_pool, key("", certificates[SHORT_RSA]), key("", certificates[ELLIPTIC]), key("", "AAAA"),
                    key("", "not base64!"), key("", ""), key("", "<b/>"), key("", certificates[FIRST]), NULL));

    expect_keys(metadata, thumbprints[FIRST]);
    ck_assert_int_eq(metadata->n_skipped, 6);
}
END_TEST

START_TEST(certificate_in_lines)
{
    char *wrapped = apr_pcalloc(unit_pool, 2 * sizeof certificates[0]), *out = wrapped;
    const char *in;

    for (in = certificates[FIRST]; *in; in++) {
        *out++ = *in;
        if ((in - certificates[FIRST]) % 64 == 63) {
            memcpy(out, "\r\n\t ", 4);
            out += 4;
        }
    }
    expect_keys(load_role(key("", apr_pstrcat(unit_pool, "\n    ", wrapped, "\n  ", NULL))), thumbprints[FIRST]);
}
END_TEST

START_TEST(no_usable_key)
{
    refuse_role(SIGN_ON, ES_METADATA_NO_KEY, "no usable signing certificate");
    refuse_role(apr_pstrcat(unit_pool, key("use=\"encryption\"", certificates[FIRST]), SIGN_ON, NULL),
                ES_METADATA_NO_KEY, "no usable signing certificate");
    refuse_role(apr_pstrcat(unit_pool, key("", certificates[SHORT_RSA]), SIGN_ON, NULL), ES_METADATA_NO_KEY,
                thumbprints[SHORT_RSA]);
    refuse_role(apr_pstrcat(unit_pool, key("", certificates[ELLIPTIC]), SIGN_ON, NULL), ES_METADATA_NO_KEY,
                thumbprints[ELLIPTIC]);
    refuse_role(apr_pstrcat(unit_pool, key("", "AAAA"), SIGN_ON, NULL), ES_METADATA_NO_KEY, "X.509");
    refuse_role(apr_pstrcat(unit_pool, key("", "<b/>"), SIGN_ON, NULL), ES_METADATA_NO_KEY, "other elements");
    refuse_role("<KeyDescriptor/>" SIGN_ON, ES_METADATA_NO_KEY, "no usable signing certificate");
    refuse_role(
        apr_pstrcat(unit_pool, "<KeyDescriptor>", key_info("<KeyName>x</KeyName>"), "</KeyDescriptor>" SIGN_ON, NULL),
        ES_METADATA_NO_KEY, "no usable signing certificate");
}
END_TEST

/* The first usable address, exactly as written. */
START_TEST(addresses)
{
    es_metadata_t *metadata = load_role(
        apr_pstrcat(unit_pool, key("", certificates[FIRST]),
                    "<SingleLogoutService Binding=\"" POST "\" Location=\"https://a.example/post\"/>"
                    "<SingleLogoutService Binding=\"" REDIRECT "\" Location=\"http://a.example/plain\"/>"
                    "<SingleLogoutService Binding=\"" REDIRECT "\" Location=\"https://A.example:443/out?a=b&amp;c=d\"/>"
                    "<SingleSignOnService Binding=\"" POST "\" Location=\"https://a.example/post\"/>"
                    "<SingleSignOnService Binding=\"" REDIRECT "\" Location=\"http://a.example/plain\"/>"
                    "<SingleSignOnService Binding=\"" REDIRECT "\" Location=\"https://me@a.example/user\"/>"
                    "<SingleSignOnService Binding=\"" REDIRECT "\" Location=\"https://a.example/#fragment\"/>"
                    "<SingleSignOnService Binding=\"" REDIRECT "\" Location=\"//a.example/relative\"/>"
                    "<SingleSignOnService Binding=\"" REDIRECT "\" Location=\"\"/>"
                    "<SingleSignOnService Binding=\"" REDIRECT "\"/>"
                    "<SingleSignOnService Location=\"https://a.example/none\"/>",
                    NULL));

    ck_assert_str_eq(metadata->sso_url, SSO);
    ck_assert_str_eq(metadata->slo_url, "https://A.example:443/out?a=b&c=d");
}
END_TEST

START_TEST(no_address)
{
    const char *with_key = key("", certificates[FIRST]);

    refuse_role(with_key, ES_METADATA_NO_ENDPOINT, "HTTP-Redirect");
    refuse_role(apr_pstrcat(unit_pool, with_key,
                            "<SingleSignOnService Binding=\"" REDIRECT "\" Location=\"http://a.example/\"/>"
                            "<SingleSignOnService Binding=\"" POST "\" Location=\"https://a.example/\"/>",
                            NULL),
                ES_METADATA_NO_ENDPOINT, "HTTP-Redirect");
    refuse_role(apr_pstrcat(unit_pool, with_key, "<x xmlns=\"urn:x\">", SIGN_ON, "</x>", NULL), ES_METADATA_NO_ENDPOINT,
                "HTTP-Redirect");
}
END_TEST

START_TEST(roles)
{
    const char *with_key = key("", certificates[FIRST]);
    const char *role = apr_pstrcat(unit_pool, with_key, SIGN_ON, NULL);

    refuse(apr_pstrcat(unit_pool, entity(ISSUER), "</EntityDescriptor>", NULL), ES_METADATA_NO_ROLE,
           "IDPSSODescriptor");
    refuse(apr_pstrcat(unit_pool, entity(ISSUER),
                       "<SPSSODescriptor protocolSupportEnumeration=\"" ES_NS_PROTOCOL "\"/>", "</EntityDescriptor>",
                       NULL),
           ES_METADATA_NO_ROLE, "IDPSSODescriptor");
    refuse(apr_pstrcat(unit_pool, entity(ISSUER), "<IDPSSODescriptor>", role, END, NULL), ES_METADATA_NO_ROLE,
           "IDPSSODescriptor");
    refuse(apr_pstrcat(unit_pool, entity(ISSUER),
                       "<IDPSSODescriptor protocolSupportEnumeration=\"" ES_NS_PROTOCOL "x x" ES_NS_PROTOCOL "\">",
                       role, END, NULL),
           ES_METADATA_NO_ROLE, "IDPSSODescriptor");
    refuse(apr_pstrcat(unit_pool, entity(ISSUER), ROLE, role, "</IDPSSODescriptor>" ROLE, role, END, NULL),
           ES_METADATA_INVALID, "two SAML 2.0");
    load_text(apr_pstrcat(
        unit_pool, entity(ISSUER),
        "<IDPSSODescriptor protocolSupportEnumeration=\" urn:oasis:names:tc:SAML:1.1:protocol \t" ES_NS_PROTOCOL " \">",
        role, END, NULL));
}
END_TEST

START_TEST(documents_that_are_none)
{
    static const unsigned char utf16[] = "\xff\xfe<\0a\0/\0>\0";
    es_metadata_t *metadata = NULL;
    es_why_t why = ES_WHY_INIT;

    refuse("", ES_METADATA_INVALID, "");
    refuse("<", ES_METADATA_INVALID, "");
    refuse("<!DOCTYPE html><html></html>", ES_METADATA_INVALID, "");
    refuse("{\"error\": \"not found\"}", ES_METADATA_INVALID, "");
    refuse("<html/>", ES_METADATA_INVALID, "document element is html");
    refuse("<EntityDescriptor entityID=\"x\"/>", ES_METADATA_INVALID, "document element is EntityDescriptor");
    refuse("<EntitiesDescriptor xmlns=\"" ES_NS_METADATA "\"/>", ES_METADATA_INVALID, "EntitiesDescriptor");
    refuse(apr_pstrcat(unit_pool, entity(ISSUER), ROLE, NULL), ES_METADATA_INVALID, "");
    refuse(apr_pstrcat(unit_pool, "<!DOCTYPE x [<!ENTITY a \"b\">]>", entity(ISSUER), "</EntityDescriptor>", NULL),
           ES_METADATA_INVALID, "");
    ck_assert_reason(es_metadata_load(&metadata, es_bytes(utf16, sizeof utf16 - 1), &why, unit_pool),
                     ES_METADATA_INVALID, why);
}
END_TEST

START_TEST(issuers)
{
    char *longest = apr_pcalloc(unit_pool, 1026);
    const char *rest = apr_pstrcat(unit_pool, ROLE, key("", certificates[FIRST]), SIGN_ON END, NULL);

    memset(longest, 'i', 1025);
    refuse(apr_pstrcat(unit_pool, entity(longest), rest, NULL), ES_METADATA_INVALID, "entityID");
    longest[1024] = '\0';
    ck_assert_str_eq(load_text(apr_pstrcat(unit_pool, entity(longest), rest, NULL))->issuer, longest);
    refuse(apr_pstrcat(unit_pool, entity(""), rest, NULL), ES_METADATA_INVALID, "entityID");
    refuse(apr_pstrcat(unit_pool, entity("a b"), rest, NULL), ES_METADATA_INVALID, "white space");
    refuse(apr_pstrcat(unit_pool, entity("a&#10;b"), rest, NULL), ES_METADATA_INVALID, "white space");
    refuse(apr_pstrcat(unit_pool, "<EntityDescriptor xmlns=\"" ES_NS_METADATA "\">", rest, NULL), ES_METADATA_INVALID,
           "entityID");
    ck_assert_str_eq(load_text(apr_pstrcat(unit_pool, entity("urn:a&amp;b"), rest, NULL))->issuer, "urn:a&b");
}
END_TEST

/* BOM, declaration, comments, line ends of Windows, extensions before and behind: passed over. */
START_TEST(dressing)
{
    es_metadata_t *metadata = load_text(apr_pstrcat(
        unit_pool, "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- ours -->\r\n<?x y?>",
        "<md:EntityDescriptor xmlns:md=\"" ES_NS_METADATA
        "\" ID=\"_1\" validUntil=\"2000-01-01T00:00:00Z\" entityID=\"" ISSUER
        "\">\r\n  <md:Extensions><x xmlns=\"urn:x\"/></md:Extensions>\r\n",
        "<md:IDPSSODescriptor protocolSupportEnumeration=\"" ES_NS_PROTOCOL "\">\r\n<!-- key -->\r\n<md:KeyDescriptor>",
        key_info(x509(certificates[FIRST])), "<md:EncryptionMethod Algorithm=\"x\"/></md:KeyDescriptor>\r\n",
        "<md:NameIDFormat>x</md:NameIDFormat><md:SingleSignOnService Binding=\"" REDIRECT "\" Location=\"" SSO
        "\"></md:SingleSignOnService></md:IDPSSODescriptor><md:Organization/></md:EntityDescriptor>\r\n<!-- end -->",
        NULL));

    ck_assert_str_eq(metadata->issuer, ISSUER);
    expect_keys(metadata, thumbprints[FIRST]);
}
END_TEST

/* With the BOM that Microsoft often puts first. */
START_TEST(one_mebibyte)
{
    const apr_size_t limit = 1024 * 1024;
    const char *start = apr_pstrcat(unit_pool, "\xef\xbb\xbf", entity(ISSUER), "<Extensions><x xmlns=\"urn:x\">", NULL);
    const char *end = apr_pstrcat(unit_pool, "</x></Extensions>" ROLE, key("", certificates[FIRST]), SIGN_ON END, NULL);
    const apr_size_t padding = limit - strlen(start) - strlen(end);
    char *text = apr_palloc(unit_pool, limit);
    apr_size_t i;

    memcpy(text, start, strlen(start));
    for (i = 0; i < padding; i++) {
        text[strlen(start) + i] = i % 1024 == 0 ? '\n' : 'x';
    }
    memcpy(text + limit - strlen(end), end, strlen(end));
    expect_keys(load(es_bytes(text, limit)), thumbprints[FIRST]);
}
END_TEST

/* What was read outlives the document. */
START_TEST(document_may_go)
{
    const char *text = apr_pstrcat(unit_pool, entity(ISSUER), ROLE, key("", certificates[FIRST]), SIGN_ON END, NULL);
    char *copy = apr_pstrdup(unit_pool, text);
    es_metadata_t *metadata = load(es_bytes_of(copy));

    memset(copy, 'x', strlen(copy));
    ck_assert_str_eq(metadata->issuer, ISSUER);
    ck_assert_str_eq(metadata->sso_url, SSO);
    expect_keys(metadata, thumbprints[FIRST]);
}
END_TEST

#define STS(tenant) "https://sts.windows.net/" tenant "/"
#define LOGIN(tenant) "https://login.microsoftonline.com/" tenant "/saml2"
static const struct {
    const char *file, *issuer, *address, *thumbprints;
} genuine[] = {
    { "appid-2019-bom", STS("70186da4-868e-4177-9155-949d9fd1af15"), LOGIN("70186da4-868e-4177-9155-949d9fd1af15"),
      "3059B1E91C186E4258CA2365D867BBD8ECB8C187" },
    { "appid-2021-before-rollover-reformatted", STS("2f277f1e-e5f1-4f62-b595-79c2d13afda4"),
      LOGIN("2f277f1e-e5f1-4f62-b595-79c2d13afda4"), "E4FA4C54F764E069D13E354074ADAAFFA8A71694" },
    { "tenant-2013-crlf-reformatted", STS("554fadfe-f04f-4975-90cb-ddc8b147aaa2"),
      "https://login.windows.net/554fadfe-f04f-4975-90cb-ddc8b147aaa2/saml2",
      "3464C5BDD2BE7F2B6112E2F08E9C0024E33D9FE0" },
    { "tenant-2018-two-certs", STS("682febe8-021b-4fde-ac09-e60085f05181"),
      LOGIN("682febe8-021b-4fde-ac09-e60085f05181"),
      "1528A6B85AC53680B4B095C69AFD779CD65C7837, D92E120951ACF1283D2D2E80A8B22AE83A56FA0F" },
    { "tenant-2018-two-certs-badsig", STS("682febe8-021b-4fde-ac09-e60085f05181"),
      LOGIN("682febe8-021b-4fde-ac09-e60085f05181"),
      "1528A6B85AC53680B4B095C69AFD779CD65C7837, D92E120951ACF1283D2D2E80A8B22AE83A56FA0F" },
    { "tenant-2019-three-certs-reformatted", STS("c2150111-3c44-4508-9f08-790cb4032a23"),
      LOGIN("c2150111-3c44-4508-9f08-790cb4032a23"),
      "37E942D27FBD0C02EAC21B876271D0EB719E0977, 1C1C65F6601EEA0C5ABC291CA0E5364C7B0335AD, "
      "33AA57ED11E8ADA2ECA6B7C97910A34B1B944617" },
    { "common-2017-three-certs", STS("{tenantid}"), LOGIN("common"),
      "6B740DD01652EECE2737E05DAE36C5D18FCB74C3, "
      "CF4DFDCDDB05BA2CE905F0552B54E7DB940760ED, "
      "D92E120951ACF1283D2D2E80A8B22AE83A56FA0F" },
    { "common-2017b-reformatted", STS("{tenantid}"), LOGIN("common"),
      "D8A55CBB3A8089D38BA9649AA25EF0805446098A, "
      "C78EFCC723A996C3351FB35793B4B1D7BC75BA97, "
      "D92E120951ACF1283D2D2E80A8B22AE83A56FA0F" },
};
#define N_GENUINE (int)(sizeof genuine / sizeof genuine[0])

START_TEST(genuine_documents)
{
    const char *path = unit_fixture(apr_pstrcat(unit_pool, "metadata/", genuine[_i].file, ".xml", NULL));
    es_metadata_t *metadata;

    if (!path) {
        return;
    }
    metadata = load(unit_file(path));
    ck_assert_str_eq(metadata->issuer, genuine[_i].issuer);
    ck_assert_str_eq(metadata->sso_url, genuine[_i].address);
    ck_assert_str_eq(metadata->slo_url, genuine[_i].address);
    ck_assert_int_eq(metadata->n_skipped, 0);
    expect_keys(metadata, genuine[_i].thumbprints);
}
END_TEST

/* Whose it is, and whether it is whose it was. */
START_TEST(successors)
{
    static const struct {
        const char *issuer, *tenant, *before;
        es_rv_t rv;
    } rows[] = {
        { ISSUER, NULL, NULL, ES_OK },
        { ISSUER, NULL, ISSUER, ES_OK },
        { ISSUER, "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34", ISSUER, ES_OK },
        { ISSUER, "7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34", NULL, ES_OK },
        { ISSUER, "contoso.com", NULL, ES_OK }, /* the issuer tells no domain */
        { ISSUER, "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f35", NULL, ES_METADATA_TENANT },
        { "https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34", "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34", NULL,
          ES_OK },
        { "https://sts.windows.net/07f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/", "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34",
          NULL, ES_METADATA_TENANT },
        { "https://sts.windows.net/{tenantid}/", "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34", NULL, ES_METADATA_TENANT },
        { "https://sts.windows.net/{tenantid}/", NULL, "https://sts.windows.net/{tenantid}/", ES_OK },
        { ISSUER, NULL, "https://sts.windows.net/{tenantid}/", ES_METADATA_ISSUER },
        { ISSUER, NULL, "https://STS.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/", ES_METADATA_ISSUER },
        { "", "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34", NULL, ES_METADATA_TENANT },
    };
    const es_metadata_t metadata = { .issuer = rows[_i].issuer };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_metadata_check(&metadata, rows[_i].tenant, rows[_i].before, &why, unit_pool), rows[_i].rv, why);
}
END_TEST
#define N_SUCCESSORS 13

Suite *suite_metadata(void)
{
    Suite *suite = suite_create("metadata");
    TCase *tcase = unit_case(suite, "metadata");

    tcase_add_unchecked_fixture(tcase, make_certificates, NULL);
    tcase_add_test(tcase, all_that_is_needed);
    tcase_add_test(tcase, several_keys_in_their_order);
    tcase_add_test(tcase, keys_for_something_else);
    tcase_add_test(tcase, keys_of_other_roles);
    tcase_add_test(tcase, chain_is_no_key);
    tcase_add_test(tcase, unusable_certificates_are_counted);
    tcase_add_test(tcase, certificate_in_lines);
    tcase_add_test(tcase, no_usable_key);
    tcase_add_test(tcase, addresses);
    tcase_add_test(tcase, no_address);
    tcase_add_test(tcase, roles);
    tcase_add_test(tcase, documents_that_are_none);
    tcase_add_test(tcase, issuers);
    tcase_add_test(tcase, dressing);
    tcase_add_test(tcase, one_mebibyte);
    tcase_add_test(tcase, document_may_go);
    tcase_add_loop_test(tcase, successors, 0, N_SUCCESSORS);

    tcase = unit_case(suite, "genuine");
    tcase_add_loop_test(tcase, genuine_documents, 0, N_GENUINE);
    return suite;
}
