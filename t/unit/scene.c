/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scene.h"

#include "person.h"

#include "base/codec.h"
#include "session/pending.h"
#include "session/shm.h"
#include "table_tools.h"

#include <apr_strings.h>

idp_t *scene_idp;
es_site_t scene_site;
es_flow_t scene_flow;
es_seal_key_t scene_key;
char *scene_session_cookie, *scene_binding_cookie; /* "name=value" or NULL */

void scene_use_memory(apr_size_t size)
{
    es_why_t why = ES_WHY_INIT;
    void *memory = table_memory(size);
    es_shm_t *shm;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    scene_flow.store = es_shm_store(shm);
}

void scene_open(void)
{
    es_connection_conf_t conf = { .server_name = "app.example.com" };
    es_why_t why = ES_WHY_INIT;
    es_metadata_t *metadata;
    es_connection_t *connection;

    scene_idp = idp_make(unit_pool);
    ck_assert_reason(es_metadata_load(&metadata, idp_metadata(scene_idp, unit_pool), &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_connection_make(&connection, &conf, metadata, &why, unit_pool), ES_OK, why);
    scene_site = (es_site_t){ .connection = connection, .request = person_request(connection), .keep = LIFETIME };
    memset(&scene_key, 7, sizeof scene_key);
    scene_flow = (es_flow_t){
        .site = &scene_site, .key = &scene_key, .now = unit_time("2026-03-01T12:00:00Z"), .pool = unit_pool
    };
    scene_session_cookie = scene_binding_cookie = NULL;
    scene_use_memory(es_shm_minimum());
}

void scene_keep_cookies(const es_answer_t *answer)
{
    for (int i = 0; i < answer->n_cookies; i++) {
        char *pair = apr_pstrndup(unit_pool, answer->cookies[i], strcspn(answer->cookies[i], ";"));

        if (strncmp(pair, scene_site.connection->session_cookie, strlen(scene_site.connection->session_cookie)) == 0) {
            scene_session_cookie = pair[strlen(pair) - 1] == '=' ? NULL : pair;
        } else {
            scene_binding_cookie = pair;
        }
    }
}

void scene_send_cookies(int same_site)
{
    scene_flow.cookies = apr_pstrcat(unit_pool, scene_binding_cookie ? scene_binding_cookie : "", "; ",
                                     same_site && scene_session_cookie ? scene_session_cookie : "", NULL);
}

const char *scene_query_value(const char *url, const char *name)
{
    es_why_t why = ES_WHY_INIT;
    const char *value;

    ck_assert_reason(es_codec_form_find(&value, es_bytes_of(strchr(url, '?') + 1), name, &why, unit_pool), ES_OK, why);
    return value;
}

const es_pending_t *scene_pending(const char *redirect)
{
    es_why_t why = ES_WHY_INIT;
    es_pending_t *pending;

    ck_assert_reason(es_pending_open(&pending, scene_query_value(redirect, "RelayState"), &scene_key, &why, unit_pool),
                     ES_OK, why);
    return pending;
}

es_acs_form_t scene_launch(const char *relay_state, idp_response_t about)
{
    es_acs_form_t form = { NULL, relay_state };

    about.reply_url = about.reply_url ? about.reply_url : scene_site.connection->reply_url;
    about.audience = about.audience ? about.audience : scene_site.connection->entity_id;
    about.attributes = about.attributes ? about.attributes : ALICE;
    about.now = about.now ? about.now : scene_flow.now;
    form.saml_response = idp_response(scene_idp, &about, unit_pool);
    return form;
}

es_acs_form_t scene_entra(const char *redirect, idp_response_t about)
{
    if (!about.request_id) {
        es_request_id_t id;

        memcpy(id.octet, scene_pending(redirect)->request_id, sizeof id.octet);
        about.request_id = es_request_id_text(&id, unit_pool);
    }
    return scene_launch(scene_query_value(redirect, "RelayState"), about);
}

es_acs_form_t scene_error(const char *redirect, const char *message)
{
    const char *xml = apr_psprintf(
        unit_pool,
        "<p:Response xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_r\" Version=\"2.0\" "
        "IssueInstant=\"2026-03-01T12:00:00Z\"><p:Status><p:StatusCode "
        "Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><p:StatusCode "
        "Value=\"urn:oasis:names:tc:SAML:2.0:status:NoPassive\"/></p:StatusCode><p:StatusMessage>%s</p:StatusMessage>"
        "</p:Status></p:Response>",
        message);

    return (es_acs_form_t){ es_codec_base64_encode(es_bytes_of(xml), unit_pool),
                            redirect ? scene_query_value(redirect, "RelayState") : NULL };
}

const char *scene_start_asking(es_request_kind_t kind, const char *landing)
{
    const es_request_ask_t ask = { .kind = kind };
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    scene_send_cookies(1);
    ck_assert_reason(es_signon_start(&answer, &scene_flow, &ask, landing, &why), ES_OK, why);
    ck_assert_uint_le(strlen(answer.location), 2048);
    scene_keep_cookies(&answer);
    return answer.location;
}

const char *scene_start(const char *landing)
{
    return scene_start_asking(ES_REQUEST_PLAIN, landing);
}

es_rv_t scene_post(es_answer_t *answer, es_acs_report_t *report, const es_acs_form_t *form, es_why_t *why)
{
    es_rv_t rv;

    memset(answer, 0, sizeof *answer);
    memset(report, 0, sizeof *report);
    *why = ES_WHY_INIT;
    scene_send_cookies(0);
    rv = es_acs_accept(answer, report, &scene_flow, form, why);
    if (rv == ES_OK) {
        scene_keep_cookies(answer);
    } else {
        ck_assert_msg(!answer->location && !answer->n_cookies, "a refusal answers with nothing");
    }
    return rv;
}

es_rv_t scene_resume(es_session_t *session)
{
    es_why_t why = ES_WHY_INIT;

    scene_send_cookies(1);
    return es_resume_find(session, &scene_flow, LIFETIME, IDLE, &why);
}
