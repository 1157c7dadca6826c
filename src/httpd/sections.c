/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sections, judged: what AuthType and Require lines say together with the host they stand in.
 */
#include "httpd/beside.h"

static es_rv_t check_section(const ap_directive_t **at, const mes_location_t *section, const mes_server_t *conf,
                             int has_site, es_why_t *why)
{
    *at = section->ours_at;
    if (section->ours_at && !has_site) {
        return es_fail(why, ES_CONFIG_SECTION, "the section's virtual host has no EntraSAMLMetadata");
    }
    if (section->ours_at && section->n_rules == 0) {
        return es_fail(why, ES_CONFIG_SECTION,
                       "the section has no Require line of its own: it would be open below an open section, and "
                       "answer 500 below none");
    }
    return has_site ? mes_beside_check_section(at, section, conf, why) : ES_OK;
}

int mes_sections_judge(const mes_server_t *conf, int has_site)
{
    int i, faults = 0;

    for (i = 0; i < conf->sections->nelts; i++) {
        const ap_directive_t *at = NULL;
        es_why_t why = ES_WHY_INIT;

        if (check_section(&at, APR_ARRAY_IDX(conf->sections, i, mes_location_t *), conf, has_site, &why) != ES_OK) {
            mes_io_config_error(&why, at);
            faults++;
        }
    }
    return faults;
}
