/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "idp.h"

#include "base/codec.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <check.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>

struct idp_t {
    EVP_PKEY *key;
    const char *certificate; /* base64 of the DER */
};

static apr_status_t free_key(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

static const char *self_sign(EVP_PKEY *key, const char *common_name, apr_time_t not_before, apr_time_t not_after,
                             apr_pool_t *pool)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    unsigned char *der = NULL;
    const char *text;
    int len;

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)apr_time_sec(not_before));
    ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)apr_time_sec(not_after));
    X509_set_pubkey(certificate, key);
    ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    len = i2d_X509(certificate, &der);
    ck_assert_int_gt(len, 0);
    text = es_codec_base64_encode(es_bytes(der, (apr_size_t)len), pool);
    OPENSSL_free(der);
    X509_free(certificate);
    return text;
}

idp_t *idp_make(apr_pool_t *pool)
{
    return idp_make_certificate("Test", apr_time_now(), apr_time_now() + apr_time_from_sec(86400), pool);
}

idp_t *idp_make_certificate(const char *name, apr_time_t not_before, apr_time_t not_after, apr_pool_t *pool)
{
    idp_t *idp = apr_pcalloc(pool, sizeof *idp);

    idp->key = EVP_RSA_gen(2048);
    ck_assert_ptr_nonnull(idp->key);
    apr_pool_cleanup_register(pool, idp->key, free_key, apr_pool_cleanup_null);
    idp->certificate = self_sign(idp->key, name, not_before, not_after, pool);
    return idp;
}

EVP_PKEY *idp_key(const idp_t *idp)
{
    return idp->key;
}

static const char *key_info(const idp_t *idp, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "<KeyInfo xmlns=\"" ES_NS_DSIG "\"><X509Data><X509Certificate>", idp->certificate,
                       "</X509Certificate></X509Data></KeyInfo>", NULL);
}

es_bytes_t idp_document(const idp_t *const *idps, int count, const char *issuer, apr_pool_t *pool)
{
    const char *keys = "";
    int i;

    for (i = 0; i < count; i++) {
        keys = apr_pstrcat(pool, keys, "<KeyDescriptor use=\"signing\">", key_info(idps[i], pool), "</KeyDescriptor>",
                           NULL);
    }
    return es_bytes_of(
        apr_pstrcat(pool, "<EntityDescriptor xmlns=\"" ES_NS_METADATA "\" entityID=\"", issuer,
                    "\"><IDPSSODescriptor protocolSupportEnumeration=\"" ES_NS_PROTOCOL "\">", keys,
                    "<SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" "
                    "Location=\"https://login.example.com/tenant/saml2\"/></IDPSSODescriptor></EntityDescriptor>",
                    NULL));
}

es_bytes_t idp_metadata(const idp_t *idp, apr_pool_t *pool)
{
    return idp_document(&idp, 1, IDP_ISSUER, pool);
}

static const char *instant(apr_time_t time, apr_pool_t *pool)
{
    apr_time_exp_t at;

    apr_time_exp_gmt(&at, time);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", at.tm_year + 1900, at.tm_mon + 1, at.tm_mday,
                        at.tm_hour, at.tm_min, at.tm_sec, at.tm_usec / 1000);
}

static const char *attribute(const char *name, const char *value, apr_pool_t *pool)
{
    return value ? apr_psprintf(pool, " %s=\"%s\"", name, value) : "";
}

static const char *signature_template(const idp_t *idp, const char *reference, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "<Signature xmlns=\"" ES_NS_DSIG "\"><SignedInfo><CanonicalizationMethod "
                        "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><SignatureMethod "
                        "Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><Reference "
                        "URI=\"#%s\"><Transforms><Transform "
                        "Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/><Transform "
                        "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></Transforms><DigestMethod "
                        "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><DigestValue/></Reference></SignedInfo>"
                        "<SignatureValue/>%s</Signature>",
                        reference, key_info(idp, pool));
}

static const char *response_xml(const idp_t *idp, const idp_response_t *about, const char *id, apr_pool_t *pool)
{
    const char *issuer = about->issuer ? about->issuer : IDP_ISSUER;
    const apr_time_t hour = apr_time_from_sec(3600);
    const char *answers = attribute("InResponseTo", about->request_id, pool);
    const char *now = instant(about->now, pool);
    const char *until = instant(about->now + hour, pool);
    const char *ends =
        attribute("SessionNotOnOrAfter",
                  about->session_not_on_or_after ? instant(about->session_not_on_or_after, pool) : NULL, pool);

    return apr_pstrcat(
        pool, "<samlp:Response ID=\"_r", id, "\" Version=\"2.0\" IssueInstant=\"", now, "\" Destination=\"",
        about->reply_url, "\"", answers, " xmlns:samlp=\"" ES_NS_PROTOCOL "\"><Issuer xmlns=\"" ES_NS_ASSERTION "\">",
        issuer,
        "</Issuer><samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>"
        "</samlp:Status><Assertion ID=\"",
        id, "\" IssueInstant=\"", now, "\" Version=\"2.0\" xmlns=\"" ES_NS_ASSERTION "\"><Issuer>", issuer, "</Issuer>",
        signature_template(idp, id, pool),
        "<Subject><NameID Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">alice@example.com</NameID>"
        "<SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><SubjectConfirmationData",
        answers, " NotOnOrAfter=\"", until, "\" Recipient=\"", about->reply_url,
        "\"/></SubjectConfirmation></Subject><Conditions NotBefore=\"", instant(about->now - hour / 12, pool),
        "\" NotOnOrAfter=\"", until, "\"><AudienceRestriction><Audience>", about->audience,
        "</Audience></AudienceRestriction></Conditions><AttributeStatement>", about->attributes,
        "</AttributeStatement><AuthnStatement AuthnInstant=\"",
        about->authn_instant ? instant(about->authn_instant, pool) : now, "\" SessionIndex=\"", id, "\"", ends,
        "><AuthnContext><AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</AuthnContextClassRef>"
        "</AuthnContext></AuthnStatement></Assertion></samlp:Response>",
        NULL);
}

const char *idp_response(const idp_t *idp, const idp_response_t *about, apr_pool_t *pool)
{
    static int issued;
    const char *id = about->assertion_id ? about->assertion_id : apr_psprintf(pool, "_assertion-%d", ++issued);
    const xmlChar *ids[] = { (const xmlChar *)"ID", NULL };
    const char *text = response_xml(idp, about, id, pool);
    xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET);
    xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);
    xmlChar *signed_text;
    const char *field;
    int len;

    ck_assert_ptr_nonnull(doc);
    xmlSecAddIDs(doc, xmlDocGetRootElement(doc), ids);
    EVP_PKEY_up_ref(idp->key);
    context->signKey = xmlSecKeyCreate();
    ck_assert_int_eq(xmlSecKeySetValue(context->signKey, xmlSecOpenSSLEvpKeyAdopt(idp->key)), 0);
    ck_assert_int_eq(
        xmlSecDSigCtxSign(context, xmlSecFindNode(xmlDocGetRootElement(doc), xmlSecNodeSignature, xmlSecDSigNs)), 0);
    xmlDocDumpMemory(doc, &signed_text, &len);
    field = es_codec_base64_encode(es_bytes(signed_text, (apr_size_t)len), pool);
    xmlFree(signed_text);
    xmlSecDSigCtxDestroy(context);
    xmlFreeDoc(doc);
    return field;
}
