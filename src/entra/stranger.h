/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The commonest mistake in setting an application up: the tenant's metadata, which does not hold the application's own
 * signing certificate, in place of the application's (?appid=).
 */
#ifndef ES_STRANGER_H
#define ES_STRANGER_H

#include "base/es.h"
#include "xml/key.h"

/* What to do about a response that is signed by none of `keys`. `sentence` is that of ES_SIGNATURE_KEY_UNKNOWN, with the
 * subject of the response's certificate in parentheses. NULL where the reason's own remedy is all there is to say. */
const char *es_stranger_advice(const es_keys_t *keys, const char *sentence);

#endif
