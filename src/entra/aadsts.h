/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Entra's error codes (Microsoft: "Microsoft Entra authentication and authorization error codes") and what to do about
 * them.
 */
#ifndef ES_AADSTS_H
#define ES_AADSTS_H

#include "base/es.h"

/* Advice for the code in a StatusMessage "AADSTSnnnnn: …" (ACSnnnnn of old), NULL where there is no code or none we
 * know (or no message: NULL). Entra puts the cause behind a general code ("AADSTS75006: … AADSTS90011: …"), so of
 * several the last one we know counts. *code = its number; the first number where we know none, 0 where there is none.
 * The advice is for the administrator, plain ASCII. */
const char *es_aadsts_find(long *code, const char *status_message);

#endif
