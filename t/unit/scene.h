/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What tests of the flow share: a site, a store, a clock, and a browser that keeps cookies as the answers set them.
 */
#ifndef SCENE_H
#define SCENE_H

#include "idp.h"
#include "unit.h"

#include "flow/flow.h"
#include "session/pending.h"

#define SECONDS(n) apr_time_from_sec(n)
#define LIFETIME SECONDS(8 * 3600)
#define IDLE SECONDS(3600)
#define ALICE                                                                                                          \
    "<Attribute Name=\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name\"><AttributeValue>alice@example.com" \
    "</AttributeValue></Attribute>"

extern idp_t *scene_idp;
extern es_site_t scene_site;
extern es_flow_t scene_flow;
extern es_seal_key_t scene_key;
extern char *scene_session_cookie, *scene_binding_cookie; /* "name=value" or NULL */

/* The fixture: everything new. */
void scene_open(void);
/* Another store, of that size. */
void scene_use_memory(apr_size_t size);

/* What the browser keeps of an answer. */
void scene_keep_cookies(const es_answer_t *answer);
/* On our own pages the browser sends both cookies, with Entra's cross-site POST only the binding one. */
void scene_send_cookies(int same_site);

const char *scene_query_value(const char *url, const char *name);
/* The pending sign-in of a redirect. */
const es_pending_t *scene_pending(const char *redirect);

/* Entra's answer to the request that a redirect carries; what is not said is right. */
es_acs_form_t scene_entra(const char *redirect, idp_response_t about);
/* What Entra posts when it was asked for nothing. */
es_acs_form_t scene_launch(const char *relay_state, idp_response_t about);
/* An error of Entra, as the answer to a redirect or (NULL) to none. */
es_acs_form_t scene_error(const char *redirect, const char *message);

/* The steps of the story, with the cookies that belong to them. */
const char *scene_start(const char *landing);
const char *scene_start_asking(es_request_kind_t kind, const char *landing);
es_rv_t scene_post(es_answer_t *answer, es_acs_report_t *report, const es_acs_form_t *form, es_why_t *why);
es_rv_t scene_resume(es_session_t *session);

#endif
