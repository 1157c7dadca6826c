/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a link to the sign-in may tell Entra about the user beforehand: who it will be (login_hint), and from which
 * domain (whr, "Home Realm Discovery policy"). Both only spare the user a question; neither decides anything.
 */
#ifndef ES_HINT_H
#define ES_HINT_H

#include "base/es.h"

/* *query = the hints as more of Entra's query, percent-encoded, each with '&' before it; NULL without any. `login_hint` is
 * a user principal name or mail address (also a guest's, with #EXT#), `whr` a domain; NULL where absent.
 * ES_HINT_REFUSED: anything else, or too long to be one. */
es_rv_t es_hint_read(const char **query, const char *login_hint, const char *whr, es_why_t *why, apr_pool_t *pool);

#endif
