/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Everything we send; the only caller of lasso. lasso writes the AuthnRequest once at start, and it is deflated then;
 * each request only changes its ID and IssueInstant.
 */
#ifndef ES_REQUEST_H
#define ES_REQUEST_H

#include "base/es.h"
#include "xml/pair.h"

/* An AuthnRequest written once: immutable, shared by all threads. */
typedef struct es_request_t es_request_t;

/* Random octets; on the wire "_" and 32 hex digits, since an ID must not start with a digit. */
#define ES_REQUEST_ID_LEN 16
typedef struct {
    unsigned char octet[ES_REQUEST_ID_LEN];
} es_request_id_t;

/* Once per configuration pass (lasso's and GObject's own state). lasso starts xmlsec anew and installs an error callback
 * of its own: es_dsig_init comes after. */
es_rv_t es_request_init(es_why_t *why);

/* The minimal request Entra wants (Microsoft, "Single sign-on SAML protocol"): ID, Version, IssueInstant, Destination,
 * AssertionConsumerServiceURL, Issuer; no NameIDPolicy, no RequestedAuthnContext, no Subject. sso_url may carry a query
 * of its own. ES_INTERNAL: a text is empty or not UTF-8 (metadata and connection have judged them), or lasso fails. */
es_rv_t es_request_make(es_request_t **request, const char *sso_url, const char *entity_id, const char *reply_url,
                        es_why_t *why, apr_pool_t *pool);

/* Signs every request from now on: for the time before the request is shared. */
void es_request_sign_with(es_request_t *request, const es_pair_t *pair);

/* "_" + 32 hex digits. */
const char *es_request_id_text(const es_request_id_t *id, apr_pool_t *pool);

/* The redirect URL by SAML bindings 3.4.4.1: SAMLRequest deflated, then RelayState (left out when NULL), then SigAlg and
 * Signature where requests are signed. Whatever is appended to it stands outside of the signature. Any thread; no lasso,
 * no GLib. ES_INTERNAL: OpenSSL could not sign. */
es_rv_t es_request_url(const char **url, const es_request_t *request, const es_request_id_t *id,
                       const char *relay_state, apr_time_t now, es_why_t *why, apr_pool_t *pool);

/* What SP metadata tells of us. All certificates that sign, and all that may be encrypted for, are told, so that one of
 * each can take over from another; NULL where none is used. */
typedef struct {
    const char *entity_id, *reply_url, *logout_url;
    const es_pair_t *const *signing;
    const es_pair_t *const *decryption;
} es_request_sp_t;

/* SP metadata (SAML metadata 2.4.4) for Entra's "Upload metadata file". ES_INTERNAL as above. */
es_rv_t es_request_metadata(const char **xml, const es_request_sp_t *sp, es_why_t *why, apr_pool_t *pool);

#endif
