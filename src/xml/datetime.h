/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * xs:dateTime as SAML uses it (SAML core 1.3.3): in UTC, with Z.
 */
#ifndef ES_DATETIME_H
#define ES_DATETIME_H

#include "base/es.h"

/* YYYY-MM-DDThh:mm:ss, up to 9 decimals, Z; nothing before, between or behind. Years 2000 to 9999: SAML 2.0 is of 2005,
 * and 0 is free to mean "absent". Decimals below a microsecond are cut. `what` names the attribute in the sentence; a
 * text of NULL is an absent one. ES_TIME_MALFORMED. */
es_rv_t es_datetime_read(apr_time_t *out, const char *text, const char *what, es_why_t *why);

/* YYYY-MM-DDThh:mm:ssZ, the fraction cut off: never in the future. */
#define ES_DATETIME_LEN (sizeof "2021-04-09T12:53:30Z")
const char *es_datetime_write(char text[ES_DATETIME_LEN], apr_time_t time);

#endif
