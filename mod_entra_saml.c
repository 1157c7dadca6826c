/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mod_entra_saml: Microsoft Entra ID sign-on for Apache httpd 2.4. This file is the module's table of contents: what
 * starts in which order, and which hook stands where for which reason. It knows nothing of SAML.
 */
#include "httpd/mes.h"

#include "db/dbd.h"
#include "xml/dsig.h"
#include "xml/xml.h"

#include <apr_optional_hooks.h>
#include <curl/curl.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_status.h>

/* The ledger. httpd reads the configuration twice at start and once at every restart, unloads the libraries in between
 * (but not this module: -z nodelete) and GObject never. So each pass starts them again, none is ever shut down, and
 * nobody remembers in a static that he has been here.
 *   pre_config    the libraries: XML, then digests, then requests, then signatures last, since lasso starts xmlsec
 *                 as well and would take the error callback away; drivers of databases; the directives of the
 *                 configuration need them (Require claim is compiled when it is read), and so do expressions and log
 *                 formats
 *   check_config  the configuration judged, sites made; the last hook of `httpd -t`
 *   post_config   key file and segment; not in the pass before the real one */
static int start_libraries(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    es_why_t why = ES_WHY_INIT;

    (void)plog;
    (void)ptemp;
    curl_global_init(CURL_GLOBAL_DEFAULT); /* while there is but one thread */
    es_xml_init();
    if (es_crypto_init(&why) != ES_OK || es_request_init(&why) != ES_OK || es_signoff_init(&why) != ES_OK ||
        es_dsig_init(&why) != ES_OK || es_dbd_init(&why, pconf) != ES_OK) {
        mes_io_config_error(&why, NULL);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_pre_config(start_libraries, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_config(mes_expression_register_log, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_expr_lookup(mes_expression_find, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(mes_judge_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(mes_state_open, NULL, NULL, APR_HOOK_MIDDLE);

    /* Before mod_watchdog starts its threads, one of which does the same from then on. */
    ap_hook_child_init(mes_adopt_begin, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Before there are requests. */
    ap_hook_child_init(mes_accounts_begin, NULL, NULL, APR_HOOK_MIDDLE);

    /* Before any hook can read a header that looks like ours; `RequestHeader … early` of mod_headers comes after. */
    ap_hook_post_read_request(mes_guard_headers, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(mes_cookies_hide, NULL, NULL, APR_HOOK_REALLY_FIRST);

    /* The endpoints: before mod_proxy, mod_rewrite and mod_alias, which all stand at APR_HOOK_FIRST or later. */
    ap_hook_pre_translate_name(mes_endpoint_protect, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(mes_endpoint_claim, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(mes_endpoint_map, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_type_checker(mes_endpoint_type, NULL, NULL, APR_HOOK_REALLY_FIRST);

    /* Resume before every other access checker: the rules then see the user, and need to be judged only once. Judge
     * and the two that admit hear the rest of their own hook, so they stand before it. Sign-on comes when the rules need a
     * user and there is none; in our sections nobody else is asked who it is, so it stands before every other. All per
     * configuration, as httpd's own: one verdict for requests that share a section. */
    ap_hook_check_access(mes_gate_resume, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_access_ex(mes_gate_judge, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_access_ex(mes_preflight_admit, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_access_ex(mes_endpoint_admit, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authn(mes_gate_signon, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    /* The first hook behind authorization, whether httpd asked the rules or not. */
    ap_hook_type_checker(mes_gate_pass, NULL, NULL, APR_HOOK_REALLY_FIRST);
    mes_authz_register(pool);
    mes_accountauthz_register(pool);

    /* The environment in fixups, which always runs, also where httpd takes over the verdict of an outer request; first,
     * so that rewrite rules and RequestHeader see it. */
    ap_hook_fixups(mes_export_environment, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(mes_cookies_settle, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* The last hook before the handler, after all fixups. */
    ap_hook_insert_filter(mes_gate_follow, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_filter(mes_export_settle, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_filter(mes_cookies_insert, NULL, NULL, APR_HOOK_REALLY_FIRST);

    /* Cache-Control after mod_headers, which inserts its filter at APR_HOOK_LAST; error answers have a hook of their
     * own. */
    mes_guard_register();
    ap_hook_insert_filter(mes_guard_insert, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(mes_guard_insert, NULL, NULL, APR_HOOK_REALLY_LAST);

    /* A section in mod_status, which may be loaded before us, after us, or not at all. */
    APR_OPTIONAL_HOOK(ap, status_hook, mes_status_show, NULL, NULL, APR_HOOK_MIDDLE);

    /* A preflight reaches no handler by another method; for an endpoint the mark alone counts, so that SetHandler cannot
     * take it. Both before any handler. */
    ap_hook_handler(mes_preflight_hold, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(mes_endpoint_handle, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

/* The one symbol this module exports. */
module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) entra_saml_module = {
    STANDARD20_MODULE_STUFF, mes_conf_make_location,      mes_conf_merge_location,
    mes_conf_make_server,    mes_conf_merge_server,       mes_directives,
    register_hooks,          AP_MODULE_FLAG_ALWAYS_MERGE, /* a virtual host has a site and a ServerName of its own,
                                                             whatever else it says */
};
