/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A request without TLS, for a page whose public address has it. Our cookies are Secure: where they do not come along
 * nobody is known, and a sign-on that starts here would lose its own. Such a request belongs to the public address. But
 * where TLS ends in front of httpd, every request comes without, and would be led back to where it came from for ever.
 *
 * Which of the two it is the configuration says: another host of this server has the same public address, and TLS (by
 * mod_ssl, or `ServerName https://…`), and this one has neither. No header of a proxy's is believed, since clients can
 * write it too. Should somebody in front end TLS for this host as well, the browser itself tells: it sends fetch metadata
 * and Secure cookies over TLS alone (W3C Fetch Metadata 2, RFC 6265bis 4.1.2.5), and the redirect gives it such a cookie.
 * Whoever makes these up is asked to sign in where he cannot.
 */
#include "httpd/mes.h"

#include <apr_hash.h>
#include <http_protocol.h>

void mes_plain_judge(server_rec *main_server, apr_pool_t *pconf)
{
    apr_hash_t *origins = apr_hash_make(pconf);
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        mes_server_t *conf = mes_conf_server(s);
        const mes_site_t *site = conf->slot ? es_slot_look(conf->slot) : NULL;
        apr_array_header_t *alike;

        if (!site) {
            continue;
        }
        alike = apr_hash_get(origins, site->connection->origin, APR_HASH_KEY_STRING);
        if (!alike) {
            alike = apr_array_make(pconf, 2, sizeof(server_rec *));
            apr_hash_set(origins, site->connection->origin, APR_HASH_KEY_STRING, alike);
        }
        APR_ARRAY_PUSH(alike, server_rec *) = s;
        conf->alike = alike;
    }
}

static int is_https(const char *scheme)
{
    return scheme && strcmp(scheme, "https") == 0;
}

/* By what it says: of a connection nobody knows but those who have one. Where SSLEngine says nothing, mod_ssl goes by the
 * protocol of the Listen line, and so does whatever else may do TLS there. */
static int has_tls(server_rec *server)
{
    const mes_tls_t tls = mes_conf_server(server)->tls;

    return is_https(server->server_scheme) || tls == MES_TLS_ON ||
           (tls == MES_TLS_UNSAID && is_https(ap_get_server_protocol(server)));
}

static int is_there_with_tls(const request_rec *r)
{
    const apr_array_header_t *alike = mes_conf_server(r->server)->alike;
    int i;

    for (i = 0; alike && i < alike->nelts; i++) {
        if (has_tls(APR_ARRAY_IDX(alike, i, server_rec *))) {
            return 1;
        }
    }
    return 0;
}

int mes_plain_move(request_rec *r, const mes_site_t *site)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_flow_t flow;

    if (is_https(ap_http_scheme(r)) || !is_there_with_tls(r) || apr_table_get(r->headers_in, "Sec-Fetch-Mode")) {
        return DECLINED;
    }
    mes_request_flow(&flow, r, site);
    if (es_signon_has_tls(&flow)) {
        return DECLINED;
    }
    if (es_signon_move(&answer, &flow, mes_request_landing(r), &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_AGAIN);
    }
    mes_io_trace(r, "moved to TLS", answer.location);
    return mes_io_redirect(r, &answer);
}
