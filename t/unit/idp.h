/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An identity provider in a hundred lines: fresh key, metadata, signed responses in Entra's shape, for tests of the
 * flow. What shapes are refused is the vectors' business; this one only says true things, about whatever the test tells
 * it.
 */
#ifndef IDP_H
#define IDP_H

#include "base/es.h"

#include <openssl/evp.h>

typedef struct idp_t idp_t;

#define IDP_ISSUER "https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/"

/* Makes an RSA-2048 key and a self-signed certificate; freed with the pool. */
idp_t *idp_make(apr_pool_t *pool);

/* The same, with a certificate of this name and validity. */
idp_t *idp_make_certificate(const char *name, apr_time_t not_before, apr_time_t not_after, apr_pool_t *pool);

/* What signs its responses, and whatever else a test has it sign. */
EVP_PKEY *idp_key(const idp_t *idp);

/* Its federation metadata. */
es_bytes_t idp_metadata(const idp_t *idp, apr_pool_t *pool);

/* The same of any issuer, with the certificates of several, in their order. */
es_bytes_t idp_document(const idp_t *const *idps, int count, const char *issuer, apr_pool_t *pool);

typedef struct {
    const char *reply_url, *audience;
    const char *request_id;             /* InResponseTo; NULL: unsolicited */
    const char *assertion_id;           /* NULL: a fresh one */
    const char *issuer;                 /* NULL: IDP_ISSUER */
    const char *attributes;             /* XML inside AttributeStatement */
    apr_time_t now;                     /* issued; valid from 5 minutes before to 60 minutes after */
    apr_time_t session_not_on_or_after; /* 0: none */
    apr_time_t authn_instant;           /* 0: now */
} idp_response_t;

/* The SAMLResponse field, assertion signed. */
const char *idp_response(const idp_t *idp, const idp_response_t *about, apr_pool_t *pool);

#endif
