/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A person with a browser, as far as the flow can tell: what Entra posts for them, and the cookies they are left with.
 */
#ifndef PERSON_H
#define PERSON_H

#include "flow/flow.h"
#include "idp.h"

#define PERSON_ALICE                                                                                                   \
    "<Attribute Name=\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name\"><AttributeValue>"                  \
    "alice@example.com</AttributeValue></Attribute>"

/* The requests of a connection, which ask for nothing special. */
const es_request_t *person_request(const es_connection_t *connection);

/* What Entra answers to the request that a redirect carries. What `about` leaves out is true: reply URL, audience, request,
 * time; the attributes are Alice's. */
es_acs_form_t person_form(const es_flow_t *flow, const char *redirect, const idp_t *idp, idp_response_t about);

/* "name=value" of an answer's cookie; NULL where it sets none of that name. */
const char *person_cookie(const es_flow_t *flow, const es_answer_t *answer, const char *name);

#endif
