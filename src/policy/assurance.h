/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How, and how lately, a user has signed in at Entra: what `Require entra-mfa` and `Require entra-authn-age` ask.
 */
#ifndef ES_ASSURANCE_H
#define ES_ASSURANCE_H

#include "session/session.h"

/* Entra says how a user signed in by the claim authnmethodsreferences alone, one value for each method and this one where
 * there was more than one factor (Microsoft: "SAML token claims reference"). AuthnContextClassRef tells nothing: genuine
 * responses have the class Password after two factors too. A method such as x509 may stand for two factors or for one,
 * and wiaormultiauthn, which federated directories know, for neither for certain: they do not count. */
#define ES_ASSURANCE_MFA "http://schemas.microsoft.com/claims/multipleauthn"

/* Has he signed in with more than one factor? `claim` is the number of authnmethodsreferences. 0 where the claim is
 * absent. Allocates nothing. */
int es_assurance_is_mfa(const es_session_t *session, unsigned claim);
/* Has he signed in at most so long ago? By AuthnInstant, which is when he last proved who he is: weeks before the session
 * began, when Entra asked him nothing. */
int es_assurance_is_recent(const es_session_t *session, apr_time_t now, apr_interval_time_t most);

/* What was found, for the log; the methods themselves are not told. */
const char *es_assurance_explain_mfa(const es_session_t *session, unsigned claim, apr_pool_t *pool);
const char *es_assurance_explain_age(const es_session_t *session, apr_time_t now, apr_pool_t *pool);

#endif
