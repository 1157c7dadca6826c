/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "signer.h"
#include "xml/dsig.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/xmlsec.h>

#define BEFORE "<a xmlns=\"u:a\" xmlns:unused=\"u:x\" ID=\"_1\" z=\"1\" b=\"2\"><b>R&amp;D</b>"
#define AFTER "<c/></a>"
/* Exclusive canonical XML of the same without its signature. */
#define CANONICAL "<a xmlns=\"u:a\" ID=\"_1\" b=\"2\" z=\"1\"><b>R&amp;D</b><c></c></a>"
#define DOCUMENT BEFORE SIGNER_SIGNATURE("_1") AFTER

static const signer_t *signer;
static es_keys_t *keys;

static es_keys_t *trusting(const signer_t *trusted, apr_pool_t *pool)
{
    es_keys_t *made = es_keys_make(pool);
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_keys_add(made, trusted->certificate, &why), ES_OK, why);
    return made;
}

static void make_keys(void)
{
    signer = signer_make(2048, 30, unit_pool);
    keys = trusting(signer, unit_pool);
}

static const signer_t *make_foreign(void)
{
    return signer_make(2048, 30, unit_pool);
}

static xmlNodePtr parse(es_bytes_t octets)
{
    es_why_t why = ES_WHY_INIT;
    xmlDocPtr doc = NULL;

    ck_assert_reason(es_xml_load(&doc, octets, ES_XML_MESSAGE, &why, unit_pool), ES_OK, why);
    return xmlDocGetRootElement(doc);
}

/* With what has to be changed after signing: every OLD becomes NEW. */
static es_bytes_t replaced(es_bytes_t octets, const char *old, const char *new)
{
    const char *text = (const char *)octets.data, *found;
    const char *made = "";

    text = apr_pstrmemdup(unit_pool, text, octets.len);
    ck_assert_msg(strstr(text, old) != NULL, "%s is not there", old);
    while ((found = strstr(text, old)) != NULL) {
        made = apr_pstrcat(unit_pool, made, apr_pstrmemdup(unit_pool, text, (apr_size_t)(found - text)), new, NULL);
        text = found + strlen(old);
    }
    return es_bytes_of(apr_pstrcat(unit_pool, made, text, NULL));
}

static const es_signed_t *verified_by(xmlNodePtr element, const es_keys_t *trusted)
{
    es_why_t why = ES_WHY_INIT;
    const es_signed_t *proof = NULL;

    ck_assert_reason(es_dsig_verify(&proof, element, trusted, &why, unit_pool), ES_OK, why);
    return proof;
}

static const es_signed_t *verified(xmlNodePtr element)
{
    return verified_by(element, keys);
}

static const char *refused_by(xmlNodePtr element, const es_keys_t *trusted, es_rv_t rv)
{
    es_why_t why = ES_WHY_INIT;
    const es_signed_t *proof = NULL;

    ck_assert_reason(es_dsig_verify(&proof, element, trusted, &why, unit_pool), rv, why);
    ck_assert_ptr_null(proof);
    return apr_pstrdup(unit_pool, why.text);
}

static const char *refused(xmlNodePtr element, es_rv_t rv)
{
    return refused_by(element, keys, rv);
}

static void template_refused(const char *text, es_rv_t rv)
{
    refused(parse(es_bytes_of(text)), rv);
}

static void is_canonical(const es_signed_t *proof)
{
    const es_bytes_t octets = es_signed_octets(proof);

    ck_assert_uint_eq(octets.len, strlen(CANONICAL));
    ck_assert_mem_eq(octets.data, CANONICAL, octets.len);
}

START_TEST(proof)
{
    const es_signed_t *made = verified(parse(signer_sign(signer, DOCUMENT, unit_pool)));

    is_canonical(made);
    ck_assert_str_eq(es_signed_thumbprint(made), es_keys_at(keys, 0)->thumbprint);
}
END_TEST

/* The proof is what was digested; what becomes of the document is no longer of interest. */
START_TEST(proof_outlives_document)
{
    xmlNodePtr root = parse(signer_sign(signer, DOCUMENT, unit_pool));
    const es_signed_t *made = verified(root);

    xmlNodeSetContent(es_xml_first(root), BAD_CAST "changed");
    xmlSetProp(root, BAD_CAST "ID", BAD_CAST "_2");
    is_canonical(made);
}
END_TEST

START_TEST(algorithms)
{
    static const char *const texts[] = {
        BEFORE SIGNER_TEMPLATE("#_1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
                               "http://www.w3.org/2001/04/xmldsig-more#sha384", "") AFTER,
        BEFORE SIGNER_TEMPLATE("#_1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
                               "http://www.w3.org/2001/04/xmlenc#sha512", "") AFTER,
        BEFORE SIGNER_TEMPLATE("#_1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", SIGNER_SHA256, "") AFTER,
    };
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        is_canonical(verified(parse(signer_sign(signer, texts[i], unit_pool))));
    }
}
END_TEST

START_TEST(below_the_root)
{
    xmlNodePtr root = parse(signer_sign(signer, "<r xmlns:q=\"u:q\">" DOCUMENT "</r>", unit_pool));

    is_canonical(verified(es_xml_first(root)));
    refused(root, ES_SIGNATURE_MISSING);
}
END_TEST

START_TEST(twice)
{
    xmlNodePtr root = parse(signer_sign(signer, DOCUMENT, unit_pool));

    is_canonical(verified(root));
    is_canonical(verified(root));
}
END_TEST

START_TEST(missing)
{
    template_refused("<a ID=\"_1\"/>", ES_SIGNATURE_MISSING);
    template_refused("<a ID=\"_1\"><Signature/></a>", ES_SIGNATURE_MISSING);
    template_refused("<a ID=\"_1\"><b>" SIGNER_SIGNATURE("_1") "</b></a>", ES_SIGNATURE_MISSING);
}
END_TEST

START_TEST(id)
{
    template_refused("<a>" SIGNER_SIGNATURE("_1") "</a>", ES_ID_MISSING);
    template_refused("<a ID=\"\">" SIGNER_SIGNATURE("") "</a>", ES_ID_MISSING);
    template_refused("<a Id=\"_1\">" SIGNER_SIGNATURE("_1") "</a>", ES_ID_MISSING);
    template_refused("<a xml:id=\"_1\">" SIGNER_SIGNATURE("_1") "</a>", ES_ID_MISSING);
    template_refused("<a ID=\"1\">" SIGNER_SIGNATURE("1") "</a>", ES_ID_MISSING);
    template_refused("<a ID=\"_1 \">" SIGNER_SIGNATURE("_1 ") "</a>", ES_ID_MISSING);
    template_refused("<a ID=\"x')|id('y\">" SIGNER_SIGNATURE("x')|id('y") "</a>", ES_ID_MISSING);
}
END_TEST

/* libxml2 has registered an xml:id while parsing; without es_dsig_check_ids the Reference would mean that element. */
START_TEST(id_of_another)
{
    es_bytes_t octets = signer_sign(signer, DOCUMENT, unit_pool);

    refused(parse(replaced(octets, "<b>", "<b xml:id=\"_1\">")), ES_ID_DUPLICATE);
}
END_TEST

START_TEST(shape)
{
    es_bytes_t octets = signer_sign(signer, DOCUMENT, unit_pool);

    template_refused(BEFORE SIGNER_SIGNATURE("_1") SIGNER_SIGNATURE("_1") AFTER, ES_SIGNATURE_SHAPE);
    refused(parse(replaced(octets, "</ds:SignatureValue>", "</ds:SignatureValue><ds:Object/>")), ES_SIGNATURE_SHAPE);
    refused(parse(replaced(octets, "<ds:SignatureValue>", "<ds:SignedInfo/><ds:SignatureValue>")), ES_SIGNATURE_SHAPE);
    refused(parse(replaced(octets, "</ds:SignatureValue>", "<x/></ds:SignatureValue>")), ES_SIGNATURE_SHAPE);
    refused(parse(replaced(octets, "</ds:Reference>", "</ds:Reference><ds:Reference/>")), ES_SIGNATURE_SHAPE);
    refused(parse(replaced(octets, "<ds:DigestValue>", "<ds:DigestValue/><ds:DigestValue>")), ES_SIGNATURE_SHAPE);
    refused(parse(replaced(octets, "<ds:Reference ", "<ds:Reference xmlns:x=\"u:x\" x:URI=\"#_2\" ")),
            ES_SIGNATURE_SHAPE);
    refused(parse(replaced(octets, "<ds:DigestMethod ", "<ds:DigestMethod xmlns:x=\"u:x\" x:Algorithm=\"y\" ")),
            ES_SIGNATURE_SHAPE);
    refused(parse(replaced(replaced(octets, "<ds:SignatureValue>", "<ds:V>"), "</ds:SignatureValue>", "</ds:V>")),
            ES_SIGNATURE_SHAPE);
    template_refused(BEFORE "<ds:Signature xmlns:ds=\"" ES_NS_DSIG "\"/>" AFTER, ES_SIGNATURE_SHAPE);
    template_refused(BEFORE "<ds:Signature xmlns:ds=\"" ES_NS_DSIG
                            "\"><ds:SignedInfo/><ds:SignatureValue/></ds:Signature>" AFTER,
                     ES_SIGNATURE_SHAPE);
}
END_TEST

START_TEST(reference)
{
    static const char *const uris[] = { "\"\"",
                                        "\"_1\"",
                                        "\"#\"",
                                        "\"#_2\"",
                                        "\"#_1 \"",
                                        "\"#_10\"",
                                        "\"##_1\"",
                                        "\"#%5F1\"",
                                        "\"#xpointer(/)\"",
                                        "\"#xpointer(id('_1'))\"",
                                        "\"http://127.0.0.1:1/#_1\"" };
    es_bytes_t octets = signer_sign(signer, DOCUMENT, unit_pool);
    size_t i;

    for (i = 0; i < sizeof uris / sizeof *uris; i++) {
        refused(parse(replaced(octets, "\"#_1\"", uris[i])), ES_SIGNATURE_REFERENCE);
    }
    refused(parse(replaced(octets, " URI=\"#_1\"", "")), ES_SIGNATURE_REFERENCE);
}
END_TEST

START_TEST(methods)
{
    es_bytes_t octets = signer_sign(signer, DOCUMENT, unit_pool);
    const char *c14n = "<ds:CanonicalizationMethod Algorithm=\"" SIGNER_EXC_C14N "\"/>";
    const char *enveloped = "<ds:Transform Algorithm=\"" SIGNER_ENVELOPED "\"/>";
    const char *exclusive = "<ds:Transform Algorithm=\"" SIGNER_EXC_C14N "\"/>";

    refused(parse(replaced(octets, c14n, "<ds:CanonicalizationMethod/>")), ES_SIGNATURE_C14N);
    refused(parse(replaced(octets, c14n, "<ds:CanonicalizationMethod Algorithm=\"" SIGNER_EXC_C14N "WithComments\"/>")),
            ES_SIGNATURE_C14N);
    refused(parse(replaced(octets, c14n,
                           "<ds:CanonicalizationMethod Algorithm=\"" SIGNER_EXC_C14N
                           "\"><x/></ds:CanonicalizationMethod>")),
            ES_SIGNATURE_C14N);
    refused(parse(replaced(octets, enveloped, "")), ES_SIGNATURE_TRANSFORM);
    refused(parse(replaced(octets, exclusive, "")), ES_SIGNATURE_TRANSFORM);
    refused(parse(replaced(octets, exclusive, enveloped)), ES_SIGNATURE_TRANSFORM);
    refused(parse(replaced(octets, enveloped, exclusive)), ES_SIGNATURE_TRANSFORM);
    refused(parse(replaced(octets, exclusive, apr_pstrcat(unit_pool, exclusive, exclusive, NULL))),
            ES_SIGNATURE_TRANSFORM);
    refused(parse(replaced(octets, SIGNER_RSA_SHA256, "http://www.w3.org/2000/09/xmldsig#rsa-sha1")),
            ES_SIGNATURE_ALGORITHM);
    refused(parse(replaced(octets, SIGNER_RSA_SHA256, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")),
            ES_SIGNATURE_ALGORITHM);
    refused(parse(replaced(octets, SIGNER_SHA256, "http://www.w3.org/2000/09/xmldsig#sha1")), ES_DIGEST_ALGORITHM);
}
END_TEST

START_TEST(altered)
{
    es_bytes_t octets = signer_sign(signer, DOCUMENT, unit_pool);

    ck_assert_ptr_nonnull(strstr(refused(parse(replaced(octets, "R&amp;D", "X")), ES_SIGNATURE_DIGEST), "digest of a"));
    refused(parse(replaced(octets, "<c/>", "")), ES_SIGNATURE_DIGEST);
    refused(parse(replaced(octets, "<c/>", "<c/> ")), ES_SIGNATURE_DIGEST);
    refused(parse(replaced(octets, " b=\"2\"", "")), ES_SIGNATURE_DIGEST);
    refused(parse(replaced(octets, "<c/>", "<c xmlns=\"u:other\"/>")), ES_SIGNATURE_DIGEST);
    refused(parse(replaced(octets, "<c/>", "<c xmlns:x=\"relative\"/>")), ES_SIGNATURE_DIGEST);
    refused(parse(replaced(octets, "<ds:DigestValue>", "<ds:DigestValue>AAAA")), ES_SIGNATURE_DIGEST);
    /* outside of what is signed: the order of attributes, an unused prefix */
    is_canonical(verified(parse(replaced(octets, " z=\"1\" b=\"2\"", " b=\"2\" z=\"1\" xmlns:n=\"u:n\""))));
}
END_TEST

START_TEST(keys_and_values)
{
    const signer_t *foreign = make_foreign();
    const char *named = apr_pstrcat(unit_pool, "</ds:SignatureValue>", signer_key_info(signer, unit_pool), NULL);
    const char *other = apr_pstrcat(unit_pool, "</ds:SignatureValue>", signer_key_info(foreign, unit_pool), NULL);
    es_bytes_t octets = signer_sign(foreign, DOCUMENT, unit_pool);
    const char *sentence;

    refused(parse(octets), ES_SIGNATURE_KEY_UNKNOWN);
    sentence = refused(parse(replaced(octets, "</ds:SignatureValue>", other)), ES_SIGNATURE_KEY_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(sentence, es_keys_thumbprint(foreign->certificate, unit_pool)));
    ck_assert_ptr_nonnull(strstr(sentence, es_keys_at(keys, 0)->thumbprint));
    sentence = refused(parse(replaced(octets, "</ds:SignatureValue>", named)), ES_SIGNATURE_VALUE);
    ck_assert_ptr_nonnull(strstr(sentence, es_keys_at(keys, 0)->thumbprint));
    refused_by(parse(octets), es_keys_make(unit_pool), ES_SIGNATURE_KEY_UNKNOWN);
}
END_TEST

/* The right one of several keys, in whatever place and whatever KeyInfo says. */
START_TEST(several_keys)
{
    const signer_t *signers[] = { signer, make_foreign(), make_foreign() };
    es_keys_t *trusted = es_keys_make(unit_pool);
    const char *misnamed;
    es_bytes_t octets;
    es_why_t why = ES_WHY_INIT;
    int i;

    for (i = 0; i < 3; i++) {
        ck_assert_reason(es_keys_add(trusted, signers[i]->certificate, &why), ES_OK, why);
    }
    for (i = 0; i < 3; i++) {
        octets = signer_sign(signers[i], DOCUMENT, unit_pool);
        ck_assert_str_eq(es_signed_thumbprint(verified_by(parse(octets), trusted)), es_keys_at(trusted, i)->thumbprint);
        misnamed =
            apr_pstrcat(unit_pool, "</ds:SignatureValue>", signer_key_info(signers[(i + 1) % 3], unit_pool), NULL);
        octets = replaced(octets, "</ds:SignatureValue>", misnamed);
        ck_assert_str_eq(es_signed_thumbprint(verified_by(parse(octets), trusted)), es_keys_at(trusted, i)->thumbprint);
    }
}
END_TEST

START_TEST(silence)
{
    FILE *caught = tmpfile();
    int saved = dup(STDERR_FILENO);
    es_bytes_t octets = signer_sign(signer, DOCUMENT, unit_pool);

    fflush(stderr);
    dup2(fileno(caught), STDERR_FILENO);
    refused(parse(replaced(octets, "R&amp;D", "X")), ES_SIGNATURE_DIGEST);
    refused(parse(replaced(octets, "<c/>", "<c xmlns:x=\"relative\"/>")), ES_SIGNATURE_DIGEST);
    refused(parse(replaced(octets, "<ds:SignatureValue>", "<ds:SignatureValue>AAAA")), ES_SIGNATURE_KEY_UNKNOWN);
    refused(parse(signer_sign(make_foreign(), DOCUMENT, unit_pool)), ES_SIGNATURE_KEY_UNKNOWN);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    fseek(caught, 0, SEEK_END);
    ck_assert_int_eq(ftell(caught), 0);
    fclose(caught);
}
END_TEST

/* mod_ssl reads the same queue of the same thread: what is there stays, nothing is added. */
START_TEST(openssl_errors)
{
    es_bytes_t octets = signer_sign(make_foreign(), DOCUMENT, unit_pool);
    unsigned long before;

    ERR_clear_error();
    refused(parse(octets), ES_SIGNATURE_KEY_UNKNOWN);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_USER, 1);
    before = ERR_peek_last_error();
    refused(parse(octets), ES_SIGNATURE_KEY_UNKNOWN);
    ck_assert_uint_eq(ERR_peek_last_error(), before);
    ERR_clear_error();
}
END_TEST

/* One set of keys, many threads: run under the thread sanitizer, too. */
static void *verify_often(void *octets)
{
    es_why_t why = ES_WHY_INIT;
    const es_signed_t *made;
    apr_pool_t *pool;
    xmlDocPtr doc;
    es_rv_t rv = ES_OK;
    int i;

    for (i = 0; rv == ES_OK && i < 50; i++) {
        apr_pool_create(&pool, NULL);
        rv = es_xml_load(&doc, *(es_bytes_t *)octets, ES_XML_MESSAGE, &why, pool);
        if (rv == ES_OK) {
            rv = es_dsig_verify(&made, xmlDocGetRootElement(doc), keys, &why, pool);
        }
        apr_pool_destroy(pool);
    }
    return rv == ES_OK ? octets : NULL;
}

START_TEST(threads)
{
    es_bytes_t octets = signer_sign(signer, DOCUMENT, unit_pool);
    pthread_t thread[4];
    void *result;
    int i;

    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, verify_often, &octets), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(thread[i], &result);
        ck_assert_ptr_eq(result, &octets);
    }
}
END_TEST

START_TEST(ids)
{
    static const char *const equal[] = { "<a ID='x'><b ID='x'/></a>",
                                         "<a ID='x'><b Id='x'/></a>",
                                         "<a id='x'><b xml:id='x'/></a>",
                                         "<a iD='x' ID='x'/>",
                                         "<a><b ID='x'/><c xmlns:p='u:p' p:Id='x'/></a>",
                                         "<a ID=''><b ID=''/></a>" };
    static const char *const different[] = { "<a/>", "<a ID='x'/>", "<a ID='x'><b Id='y'/><b id='X'/></a>",
                                             "<a ID='x'><b SessionIndex='x' InResponseTo='x'/></a>" };
    es_why_t why = ES_WHY_INIT;
    size_t i;

    for (i = 0; i < sizeof equal / sizeof *equal; i++) {
        why.rv = ES_OK;
        ck_assert_reason(es_dsig_check_ids(parse(es_bytes_of(equal[i]))->doc, &why, unit_pool), ES_ID_DUPLICATE, why);
    }
    for (i = 0; i < sizeof different / sizeof *different; i++) {
        why.rv = ES_OK;
        ck_assert_reason(es_dsig_check_ids(parse(es_bytes_of(different[i]))->doc, &why, unit_pool), ES_OK, why);
    }
}
END_TEST

/* httpd runs its configuration twice and more, and another module may shut xmlsec down in between. */
START_TEST(again)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_dsig_init(&why), ES_OK, why);
    is_canonical(verified(parse(signer_sign(signer, DOCUMENT, unit_pool))));
    xmlSecOpenSSLShutdown();
    xmlSecShutdown();
    ck_assert_reason(es_dsig_init(&why), ES_OK, why);
    is_canonical(verified(parse(signer_sign(signer, DOCUMENT, unit_pool))));
}
END_TEST

Suite *suite_dsig(void)
{
    Suite *suite = suite_create("dsig");
    TCase *tcase = unit_case(suite, "verify");

    tcase_add_checked_fixture(tcase, make_keys, NULL);
    tcase_add_test(tcase, proof);
    tcase_add_test(tcase, proof_outlives_document);
    tcase_add_test(tcase, algorithms);
    tcase_add_test(tcase, below_the_root);
    tcase_add_test(tcase, twice);
    tcase_add_test(tcase, missing);
    tcase_add_test(tcase, id);
    tcase_add_test(tcase, id_of_another);
    tcase_add_test(tcase, shape);
    tcase_add_test(tcase, reference);
    tcase_add_test(tcase, methods);
    tcase_add_test(tcase, altered);
    tcase_add_test(tcase, keys_and_values);
    tcase_add_test(tcase, several_keys);
    tcase_add_test(tcase, silence);
    tcase_add_test(tcase, openssl_errors);
    tcase_add_test(tcase, threads);
    tcase_add_test(tcase, ids);
    tcase_add_test(tcase, again);
    return suite;
}
