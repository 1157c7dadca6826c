/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The signature of what we send by the HTTP-Redirect binding: it stands in the query, not in the XML (SAML bindings
 * 3.4.4.1).
 */
#ifndef ES_SIGN_H
#define ES_SIGN_H

#include "base/es.h"
#include "xml/pair.h"

/* `query` is SAMLRequest=… or SAMLResponse=…, then &RelayState=… where there is one, percent-encoded as it will be sent;
 * *signed_query is the same with SigAlg (RSA with SHA-256, all that Entra takes) and Signature behind it. These four are
 * all that the binding signs: other parameters go before or behind the whole. Any thread. ES_INTERNAL when OpenSSL has
 * no memory. */
es_rv_t es_sign_query(const char **signed_query, const char *query, const es_pair_t *pair, es_why_t *why,
                      apr_pool_t *pool);

#endif
