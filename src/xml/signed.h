/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What proof is made of, for its only two makers: dsig.c, which verifies, and decrypt.c, which opens what is encrypted
 * inside of proven octets.
 */
#ifndef ES_SIGNED_H
#define ES_SIGNED_H

#include "base/es.h"
#include "xml/dsig.h"

struct es_signed_t {
    es_bytes_t octets;
    const char *thumbprint;
};

#endif
