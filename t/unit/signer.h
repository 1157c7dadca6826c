/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys, certificates and signatures for the tests of what verifies them. A document is text with SIGNER_SIGNATURE(id)
 * where its signature goes.
 */
#ifndef SIGNER_H
#define SIGNER_H

#include "base/es.h"

#include "xml/pair.h"

#include <openssl/evp.h>

#define SIGNER_EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define SIGNER_ENVELOPED "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
#define SIGNER_RSA_SHA256 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
#define SIGNER_SHA256 "http://www.w3.org/2001/04/xmlenc#sha256"

/* A whole signature template: what is signed, how it is named, and what follows SignatureValue. */
#define SIGNER_TEMPLATE(uri, method, digest, rest)                                                                     \
    "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod "         \
    "Algorithm=\"" SIGNER_EXC_C14N "\"/><ds:SignatureMethod Algorithm=\"" method "\"/><ds:Reference URI=\"" uri        \
    "\"><ds:Transforms><ds:Transform Algorithm=\"" SIGNER_ENVELOPED "\"/><ds:Transform Algorithm=\"" SIGNER_EXC_C14N   \
    "\"/></ds:Transforms><ds:DigestMethod Algorithm=\"" digest                                                         \
    "\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/>" rest "</ds:Signature>"
#define SIGNER_SIGNATURE(id) SIGNER_TEMPLATE("#" id, SIGNER_RSA_SHA256, SIGNER_SHA256, "")

typedef struct {
    EVP_PKEY *key;
    es_bytes_t certificate; /* DER, self-signed; its validity begins and ends as asked */
} signer_t;

/* An RSA key of so many bits with a certificate valid from now for so many days (negative: long over). */
signer_t *signer_make(int bits, int days, apr_pool_t *pool);

/* A certificate for any other kind of key; takes the key. */
signer_t *signer_adopt(EVP_PKEY *key, apr_pool_t *pool);

/* The document with its signatures made, the last in document order first. The elements are found by their ID. */
es_bytes_t signer_sign(const signer_t *signer, const char *text, apr_pool_t *pool);

/* The signature of a text alone, by RSA and SHA-256, in base64. */
const char *signer_value(const signer_t *signer, const char *text, apr_pool_t *pool);

/* A KeyInfo that names the signer's certificate. */
const char *signer_key_info(const signer_t *signer, apr_pool_t *pool);

/* Certificate and private key as an administrator's files have them; the key encrypted where there is a passphrase. */
es_bytes_t signer_certificate_pem(const signer_t *signer, apr_pool_t *pool);
es_bytes_t signer_key_pem(const signer_t *signer, const char *passphrase, apr_pool_t *pool);

/* The signer as a pair of ours. */
const es_pair_t *signer_pair(const signer_t *signer, apr_pool_t *pool);

#endif
