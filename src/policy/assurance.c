/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/assurance.h"

#include <apr_strings.h>

int es_assurance_is_mfa(const es_session_t *session, unsigned number)
{
    es_session_claim_t claim;
    int i;

    if (!es_session_find(&claim, session, number, NULL)) {
        return 0;
    }
    for (i = 0; i < claim.count; i++) {
        if (es_session_compare(claim.joined + claim.sorted[i], ES_ASSURANCE_MFA) == 0) {
            return 1;
        }
    }
    return 0;
}

int es_assurance_is_recent(const es_session_t *session, apr_time_t now, apr_interval_time_t most)
{
    return now - session->authenticated <= most;
}

const char *es_assurance_explain_mfa(const es_session_t *session, unsigned number, apr_pool_t *pool)
{
    es_session_claim_t claim;

    if (!es_session_find(&claim, session, number, NULL)) {
        return "claim authnmethodsreferences is absent";
    }
    return apr_psprintf(pool, "%s of %d value%s of claim authnmethodsreferences says multi-factor",
                        es_assurance_is_mfa(session, number) ? "one" : "none", claim.count,
                        claim.count == 1 ? "" : "s");
}

const char *es_assurance_explain_age(const es_session_t *session, apr_time_t now, apr_pool_t *pool)
{
    return apr_psprintf(pool, "the user signed in at Entra %" APR_TIME_T_FMT " s ago",
                        apr_time_sec(now - session->authenticated));
}
