/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "person.h"

#include "base/codec.h"
#include "session/pending.h"
#include "unit.h"

#include <apr_strings.h>

static const char *relay_state_of(const char *redirect, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    const char *value;

    ck_assert_reason(es_codec_form_find(&value, es_bytes_of(strchr(redirect, '?') + 1), "RelayState", &why, pool),
                     ES_OK, why);
    return value;
}

const es_request_t *person_request(const es_connection_t *connection)
{
    const es_request_conf_t conf = { connection->metadata->sso_url, connection->entity_id, connection->reply_url,
                                     NULL };
    es_why_t why = ES_WHY_INIT;
    es_request_t *request;

    ck_assert_reason(es_request_make(&request, &conf, &why, unit_pool), ES_OK, why);
    return request;
}

es_acs_form_t person_form(const es_flow_t *flow, const char *redirect, const idp_t *idp, idp_response_t about)
{
    const es_connection_t *connection = flow->site->connection;
    es_acs_form_t form = { NULL, relay_state_of(redirect, flow->pool) };
    es_why_t why = ES_WHY_INIT;
    es_pending_t *pending;
    es_request_id_t id;

    ck_assert_reason(es_pending_open(&pending, form.relay_state, flow->key, &why, flow->pool), ES_OK, why);
    memcpy(id.octet, pending->request_id, sizeof id.octet);
    about.request_id = about.request_id ? about.request_id : es_request_id_text(&id, flow->pool);
    about.reply_url = about.reply_url ? about.reply_url : connection->reply_url;
    about.audience = about.audience ? about.audience : connection->entity_id;
    about.attributes = about.attributes ? about.attributes : PERSON_ALICE;
    about.now = about.now ? about.now : flow->now;
    form.saml_response = idp_response(idp, &about, flow->pool);
    return form;
}

const char *person_cookie(const es_flow_t *flow, const es_answer_t *answer, const char *name)
{
    int i;

    for (i = 0; i < answer->n_cookies; i++) {
        if (strncmp(answer->cookies[i], name, strlen(name)) == 0) {
            return apr_pstrndup(flow->pool, answer->cookies[i], strcspn(answer->cookies[i], ";"));
        }
    }
    return NULL;
}
