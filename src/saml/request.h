/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a sign-on sends, and our metadata. lasso writes the AuthnRequest once for each thing it can ask, and it is deflated
 * then; each request only changes its ID and IssueInstant.
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

/* What the requests of a connection say. */
typedef struct {
    const char *sso_url; /* Entra's; may carry a query of its own */
    const char *entity_id, *reply_url;
    const char *const
        *authn_contexts; /* classes to ask for, NULL-terminated; NULL: RequestedAuthnContext is not sent */
} es_request_conf_t;

/* What one sign-in asks for (SAML core 3.4.1). */
typedef enum {
    ES_REQUEST_PLAIN,
    ES_REQUEST_FRESH,   /* ForceAuthn: the user signs in anew, whatever session Entra has */
    ES_REQUEST_PASSIVE, /* IsPassive: Entra answers from its session, or with an error, and asks the user nothing */
    ES_REQUEST_MFA,     /* ForceAuthn, and multi-factor in RequestedAuthnContext in place of what is configured */
    ES_REQUEST_KINDS
} es_request_kind_t;
typedef struct {
    es_request_kind_t kind;
    const char *hints; /* more of the query, encoded, each field with '&' before it (policy/hint.h); NULL: none */
} es_request_ask_t;

/* The minimal request Entra wants (Microsoft, "Single sign-on SAML protocol"): ID, Version, IssueInstant, Destination,
 * AssertionConsumerServiceURL, Issuer; no NameIDPolicy, no Subject, no RequestedAuthnContext unless asked for, then with
 * Comparison exact, the only one Entra takes. It is written once for each kind. ES_INTERNAL: a text is empty or not
 * UTF-8 (metadata and connection have judged them), or lasso fails. */
es_rv_t es_request_make(es_request_t **request, const es_request_conf_t *conf, es_why_t *why, apr_pool_t *pool);

/* Signs every request from now on: for the time before the request is shared. */
void es_request_sign_with(es_request_t *request, const es_pair_t *pair);

/* "_" + 32 hex digits. */
const char *es_request_id_text(const es_request_id_t *id, apr_pool_t *pool);

/* Longer redirect addresses are a risk (AADSTS90015, and old proxies): hints that would make one are left out. */
#define ES_REQUEST_URL_MAX 2048

/* The redirect URL by SAML bindings 3.4.4.1: SAMLRequest deflated, then RelayState (left out when NULL), then SigAlg and
 * Signature where requests are signed, then the hints, which are no part of the message. `ask` NULL: the plain one. Any
 * thread; no lasso, no GLib. ES_INTERNAL: OpenSSL could not sign. */
es_rv_t es_request_url(const char **url, const es_request_t *request, const es_request_ask_t *ask,
                       const es_request_id_t *id, const char *relay_state, apr_time_t now, es_why_t *why,
                       apr_pool_t *pool);

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
