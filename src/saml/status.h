/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Status of a response of either kind (SAML core 3.2.2.1).
 */
#ifndef ES_STATUS_H
#define ES_STATUS_H

#include "base/es.h"
#include "xml/xml.h"

#define ES_STATUS_SUCCESS "urn:oasis:names:tc:SAML:2.0:status:Success"

/* *failure = both levels of code and the message, as Entra sent them but on one line, of a long message beginning and
 * end: the AADSTS number stands in front, trace and correlation ID at the end. NULL for Success. Fails with `malformed`
 * where there is no single StatusCode. */
es_rv_t es_status_read(const char **failure, const xmlNode *status, es_rv_t malformed, es_why_t *why, apr_pool_t *pool);

#endif
