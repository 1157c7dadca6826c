/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Entra's messages of single logout, as they stand in a query, to https://app.example.com/saml/logout.
 */
#ifndef PARTING_H
#define PARTING_H

#include "signer.h"

#include "saml/query.h"

#define PARTING_NOW "2026-03-01T12:00:00Z"
#define PARTING_INDEX(index) "<p:SessionIndex>" index "</p:SessionIndex>"

/* `name` is SAMLRequest or SAMLResponse; `rest` is what stands in the root element's tag behind its usual attributes, and
 * behind that, prefix p being the protocol's. Issued at PARTING_NOW. Without signer: unsigned. */
es_query_t *parting_message(const signer_t *signer, const char *name, const char *id, const char *rest,
                            const char *relay_state);

#endif
