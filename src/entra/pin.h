/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EntraSAMLMetadataSigner: the one certificate that may have signed the metadata. A document carries the certificate it
 * is signed with (Microsoft, "Federation metadata"), so that its signature alone proves nothing; against a pinned
 * thumbprint it does, even where TLS or a proxy has been broken into.
 */
#ifndef ES_PIN_H
#define ES_PIN_H

#include "base/es.h"

/* The thumbprint in upper case without colons: SHA-1 or SHA-256 of the certificate, 40 or 64 hexadecimal digits, with or
 * without a colon between octets. ES_CONFIG_SIGNER. */
es_rv_t es_pin_read(const char **pin, const char *text, es_why_t *why, apr_pool_t *pool);

/* The octets of the document that its signature covers, proven to be the pinned certificate's: what is to be read from
 * then on, in place of the document (es_metadata_load).
 *   ES_METADATA_INVALID     not well-formed, or IDs that are not unique
 *   ES_METADATA_SIGNER      not signed, or signed with a certificate other than the pinned one
 *   ES_METADATA_SIGNATURE   the signature is not of the one accepted shape, or does not verify */
es_rv_t es_pin_verify(es_bytes_t *octets, es_bytes_t document, const char *pin, es_why_t *why, apr_pool_t *pool);

#endif
