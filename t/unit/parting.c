/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parting.h"

#include "unit.h"

#include "base/codec.h"

#include <apr_strings.h>

#define SIGALG "http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256"

/* Without a gap, as a stranger writes it. */
static es_bytes_t deflated_of(es_bytes_t in)
{
    apr_size_t no_gap;

    return es_codec_deflate(&no_gap, in, 0, unit_pool);
}

es_query_t *parting_message(const signer_t *signer, const char *name, const char *id, const char *rest,
                            const char *relay_state)
{
    const int is_response = strcmp(name, "SAMLResponse") == 0;
    const char *element = is_response ? "LogoutResponse" : "LogoutRequest";
    const char *xml =
        apr_pstrcat(unit_pool, "<p:", element, " xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns=\"",
                    "urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"", id,
                    "\" Version=\"2.0\" IssueInstant=\"" PARTING_NOW "\" "
                    "Destination=\"https://app.example.com/saml/logout\"",
                    rest, "</p:", element, ">", NULL);
    const char *text = apr_pstrcat(
        unit_pool, name, "=",
        es_codec_url_encode(es_codec_base64_encode(deflated_of(es_bytes_of(xml)), unit_pool), unit_pool),
        relay_state ? "&RelayState=" : "", relay_state ? relay_state : "", signer ? "&SigAlg=" SIGALG : "", NULL);
    es_why_t why = ES_WHY_INIT;
    es_query_t *query = NULL;

    if (signer) {
        text = apr_pstrcat(unit_pool, text,
                           "&Signature=", es_codec_url_encode(signer_value(signer, text, unit_pool), unit_pool), NULL);
    }
    ck_assert_reason(es_query_read(&query, es_bytes_of(text), &why, unit_pool), ES_OK, why);
    return query;
}
