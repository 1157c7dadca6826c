/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * GUIDs as Entra writes them: tenants, applications, objects.
 */
#ifndef ES_GUID_H
#define ES_GUID_H

#include "base/es.h"

#define ES_GUID_LEN 36

/* 8-4-4-4-12 hexadecimal digits, without braces (RFC 9562 section 4). The same GUID in lower case; NULL where it is
 * none. */
const char *es_guid_read(const char *text, apr_pool_t *pool);

#endif
