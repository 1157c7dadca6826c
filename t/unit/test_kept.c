/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is kept, sealed: it opens as it was, with our key only, and no octet of it may change.
 */
#include "unit.h"

#include "session/kept.h"
#include "session/pending.h"

static es_seal_key_t key;

static es_kept_t form(void)
{
    es_kept_t kept = { .kind = ES_KEPT_URLENCODED, .owner = ES_KEPT_USERS, .landing = "/form?x=1" };

    memset(&key, 7, sizeof key);
    memset(&kept.connection, 1, sizeof kept.connection);
    memset(kept.binding, 2, sizeof kept.binding);
    memset(&kept.user, 3, sizeof kept.user);
    kept.body = es_bytes_of("a=b&c=d");
    return kept;
}

static es_kept_t *open(es_bytes_t sealed, const es_seal_key_t *with)
{
    es_why_t why = ES_WHY_INIT;
    es_kept_t *kept = NULL;

    ck_assert_reason(es_kept_open(&kept, sealed, with, &why, unit_pool), ES_OK, why);
    return kept;
}

START_TEST(opens_as_it_was)
{
    es_kept_t kept = form(), *opened;
    es_why_t why = ES_WHY_INIT;
    es_bytes_t sealed, again;
    es_hash_t name, name_again;

    ck_assert_reason(es_kept_seal(&sealed, &name, &kept, &key, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_kept_seal(&again, &name_again, &kept, &key, &why, unit_pool), ES_OK, why);
    ck_assert(memcmp(&name, &name_again, sizeof name) == 0); /* the same is kept under the same name */
    opened = open(sealed, &key);
    ck_assert_ptr_nonnull(opened);
    ck_assert(opened->kind == kept.kind && opened->owner == kept.owner);
    ck_assert(memcmp(&opened->connection, &kept.connection, sizeof kept.connection) == 0);
    ck_assert(memcmp(opened->binding, kept.binding, sizeof kept.binding) == 0);
    ck_assert(memcmp(&opened->user, &kept.user, sizeof kept.user) == 0);
    ck_assert_str_eq(opened->landing, kept.landing);
    ck_assert(opened->body.len == 7 && strcmp((const char *)opened->body.data, "a=b&c=d") == 0);
    kept.binding[0] ^= 1;
    ck_assert_reason(es_kept_seal(&again, &name_again, &kept, &key, &why, unit_pool), ES_OK, why);
    ck_assert(memcmp(&name, &name_again, sizeof name) != 0); /* another browser's is another */
}
END_TEST

START_TEST(a_landing_has_no_body)
{
    es_kept_t kept = { .kind = ES_KEPT_LANDING, .landing = "/long" }, *opened;
    es_why_t why = ES_WHY_INIT;
    es_bytes_t sealed;
    es_hash_t name;

    ck_assert_reason(es_kept_seal(&sealed, &name, &kept, &key, &why, unit_pool), ES_OK, why);
    opened = open(sealed, &key);
    ck_assert(opened && opened->kind == ES_KEPT_LANDING && opened->body.len == 0);
    ck_assert_str_eq(opened->landing, "/long");
}
END_TEST

START_TEST(nothing_else_opens)
{
    es_kept_t kept = form();
    es_pending_t pending = { .landing = "/" };
    es_why_t why = ES_WHY_INIT;
    es_bytes_t sealed, plain = es_bytes_of("short");
    es_seal_key_t other = key;
    unsigned char *octets;
    const char *relay_state;
    es_hash_t name;

    ck_assert_reason(es_kept_seal(&sealed, &name, &kept, &key, &why, unit_pool), ES_OK, why);
    octets = (unsigned char *)(apr_uintptr_t)sealed.data;
    for (apr_size_t i = 0; i < sealed.len; i++) {
        octets[i] ^= 1;
        ck_assert_ptr_null(open(sealed, &key));
        octets[i] ^= 1;
    }
    other.octet[0] ^= 1;
    ck_assert_ptr_null(open(sealed, &other));
    ck_assert_ptr_null(open(es_bytes(sealed.data, 20), &key));
    ck_assert_reason(es_crypto_seal(&sealed, plain, "entra-saml kept 1", &key, &why, unit_pool), ES_OK, why);
    ck_assert_ptr_null(open(sealed, &key));
    ck_assert_reason(es_pending_seal(&relay_state, &pending, &key, &why, unit_pool), ES_OK, why);
    ck_assert_ptr_null(open(es_bytes_of(relay_state), &key));
}
END_TEST

Suite *suite_kept(void)
{
    Suite *suite = suite_create("kept");
    TCase *tcase = unit_case(suite, "kept");

    tcase_add_test(tcase, opens_as_it_was);
    tcase_add_test(tcase, a_landing_has_no_body);
    tcase_add_test(tcase, nothing_else_opens);
    return suite;
}
