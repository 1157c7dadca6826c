/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Claims as request headers, for a backend behind mod_proxy (and for programs, as HTTP_… variables). guard.c has removed
 * whatever the client sent under these names.
 */
#include "httpd/plan.h"

#include <apr_strings.h>

/* How often a child says that values are left out: it does so at every request of that user. */
#define TELL_EVERY apr_time_from_sec(60)

static void tell(mes_sending_t *sending, const mes_line_t *header, int missing)
{
    request_rec *r = sending->r;
    apr_time_t *told = sending->plan->told;
    const apr_time_t last = __atomic_load_n(told, __ATOMIC_RELAXED);

    sending->missing =
        sending->missing ? apr_pstrcat(r->pool, sending->missing, ";", header->name, NULL) : header->name;
    if (r->request_time - last >= TELL_EVERY) {
        __atomic_store_n(told, r->request_time, __ATOMIC_RELAXED);
        mes_io_log(r, ES_HEADER_LIMIT,
                   apr_psprintf(r->pool,
                                "header %s of user \"%.200s\" lacks %d values beyond %" APR_SIZE_T_FMT " octets",
                                header->name, r->user ? r->user : "", missing, sending->plan->said.limit));
    }
}

static void set(mes_sending_t *sending, const mes_line_t *header, const char *text, int missing)
{
    apr_table_t *headers = sending->r->headers_in;

    if (text) {
        apr_table_addn(headers, header->name, text);
    }
    if (missing > 0) {
        apr_table_addn(headers, header->missing, apr_itoa(sending->r->pool, missing));
        tell(sending, header, missing);
    }
}

void mes_headers_send(mes_sending_t *sending, const mes_target_t *target, const es_header_values_t *values)
{
    int i;

    for (i = 0; i < target->n_headers; i++) {
        const mes_line_t *header = &target->headers[i];
        const char *text;
        int missing;

        es_header_write(&text, &missing, values, header->encoding, sending->plan->said.limit, sending->r->pool);
        set(sending, header, text, missing);
    }
}

void mes_headers_send_one(mes_sending_t *sending, const mes_target_t *target, const char *one)
{
    int i;

    for (i = 0; i < target->n_headers; i++) {
        const mes_line_t *header = &target->headers[i];
        const char *text = es_header_write_one(one, header->encoding, sending->plan->said.limit, sending->r->pool);

        set(sending, header, text, !text);
    }
}
