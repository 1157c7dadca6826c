/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What other modules' directives say, as far as it meets with ours.
 */
#ifndef MES_BESIDE_H
#define MES_BESIDE_H

#include "httpd/mes.h"

/* Lines of theirs that are read here too: watch.c says how. */
const char *mes_beside_valid_user(cmd_parms *cmd, void *location, const char *args);
const char *mes_beside_redirect(cmd_parms *cmd, void *location, const char *args);
const char *mes_beside_mellon(cmd_parms *cmd, void *location, const char *args);
const char *mes_beside_mellon_path(cmd_parms *cmd, void *location, const char *args);
/* Would another module judge the section's rules, or come before us in it? ES_CONFIG_PROVIDER, ES_CONFIG_SHIBBOLETH,
 * ES_CONFIG_MELLON, with the directive to blame. */
es_rv_t mes_beside_check_section(const ap_directive_t **at, const mes_location_t *section, const mes_server_t *conf,
                                 es_why_t *why);
/* Has another module one of the addresses of a host's endpoints? `around`: the main server, whose sections hold in the
 * host too. ES_CONFIG_CLASH. */
es_rv_t mes_beside_check_endpoints(const ap_directive_t **at, const mes_server_t *conf, const mes_server_t *around,
                                   es_why_t *why, apr_pool_t *pool);

#endif
