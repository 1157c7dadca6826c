/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The vectors of t/vectors, each pushed through the whole judgement of a message. sign.py has signed them into the
 * folder that ENTRA_VECTORS names; what is expected is in the file beside each.
 */
#include "unit.h"

#include "saml/check.h"
#include "xml/decrypt.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <stdio.h>
#include <stdlib.h>

static apr_pool_t *listing_pool;
static apr_array_header_t *names; /* of index.txt, read when the suite is made: one loop a vector */

/* The values of a word in a file of `word: value` lines, in order. */
static apr_array_header_t *values_of(const char *text, const char *word)
{
    apr_array_header_t *values = apr_array_make(unit_pool, 1, sizeof(const char *));
    const apr_size_t len = strlen(word);
    const char *line, *end;

    for (line = text; *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (strncmp(line, word, len) == 0 && strncmp(line + len, ": ", 2) == 0) {
            APR_ARRAY_PUSH(values, const char *) =
                apr_pstrndup(unit_pool, line + len + 2, (apr_size_t)(end - line) - len - 2);
        }
    }
    return values;
}

/* What the side-car says of a word, else what the facts say. */
static const char *value_of(const char *car, const char *facts, const char *word)
{
    apr_array_header_t *values = values_of(car, word);

    if (values->nelts == 0) {
        values = values_of(facts, word);
    }
    ck_assert_msg(values->nelts == 1, "%s is not told", word);
    return APR_ARRAY_IDX(values, 0, const char *);
}

static es_bytes_t signed_file(const char *name)
{
    return unit_file(apr_pstrcat(unit_pool, getenv("ENTRA_VECTORS"), "/", name, NULL));
}

static const char *text_file(const char *name)
{
    return (const char *)signed_file(name).data;
}

static const es_keys_t *trusted_keys(void)
{
    static const char *const files[] = { "signing.der", "second.der" };
    es_keys_t *keys = es_keys_make(unit_pool);
    es_why_t why = ES_WHY_INIT;
    size_t i;

    for (i = 0; i < sizeof files / sizeof *files; i++) {
        ck_assert_reason(es_keys_add(keys, signed_file(files[i]), &why), ES_OK, why);
    }
    return keys;
}

/* Two, as during a rollover; none for a side-car that says so. */
static const es_pair_t *const *our_pairs(const char *car, const char *facts)
{
    static const char *const files[] = { "ours.pem", "ours-second.pem" };
    const es_pair_t **pairs = apr_pcalloc(unit_pool, 3 * sizeof *pairs);
    es_why_t why = ES_WHY_INIT;
    size_t i;

    if (strcmp(value_of(car, facts, "decryption"), "none") == 0) {
        return NULL;
    }
    for (i = 0; i < sizeof files / sizeof *files; i++) {
        const es_bytes_t pem = signed_file(files[i]);

        ck_assert_reason(es_pair_load(&pairs[i], pem, pem, &why, unit_pool), ES_OK, why);
    }
    return (const es_pair_t *const *)pairs;
}

static es_expected_t expected_of(const char *car, const char *facts)
{
    es_expected_t expected;

    expected.issuer = value_of(car, facts, "idp");
    expected.entity_id = value_of(car, facts, "entity");
    expected.reply_url = value_of(car, facts, "acs");
    expected.request_id = value_of(car, facts, "request");
    expected.started = unit_time(value_of(car, facts, "started"));
    expected.skew = apr_time_from_sec(atoi(value_of(car, facts, "skew")));
    return expected;
}

/* The order of flow/acs.c. */
static es_rv_t judge(const es_assertion_t **read, es_bytes_t field, const es_pair_t *const *pairs,
                     const es_expected_t *expected, apr_time_t now, es_why_t *why)
{
    es_response_t *response;
    es_assertion_t *assertion;
    apr_time_t not_after;
    es_rv_t rv;

    if ((rv = es_response_load(&response, field, trusted_keys(), pairs, why, unit_pool)) != ES_OK ||
        (rv = es_assertion_read(&assertion, response->proof, why, unit_pool)) != ES_OK ||
        (rv = es_check_parties(response, assertion, expected, why)) != ES_OK ||
        (rv = es_check_request(response, assertion, expected, why)) != ES_OK ||
        (rv = es_check_times(&not_after, response, assertion, expected, now, why)) != ES_OK) {
        return rv;
    }
    *read = assertion;
    return ES_OK;
}

static const es_attribute_t *attribute_of(const es_assertion_t *assertion, const char *name)
{
    int i;

    for (i = 0; i < assertion->n_attributes; i++) {
        if (strcmp(assertion->attributes[i].name, name) == 0) {
            return &assertion->attributes[i];
        }
    }
    return NULL;
}

/* "NAME = VALUE" split in place. */
static char *split(char *text)
{
    char *middle = strstr(text, " = ");

    ck_assert_ptr_nonnull(middle);
    *middle = '\0';
    return middle + 3;
}

/* name-id, claim and count of a good vector's side-car. */
static void compare(const char *car, const es_assertion_t *assertion)
{
    apr_array_header_t *lines = values_of(car, "name-id");
    const es_attribute_t *attribute;
    int i;

    for (i = 0; i < lines->nelts; i++) {
        ck_assert_str_eq(assertion->name_id, APR_ARRAY_IDX(lines, i, const char *));
    }
    lines = values_of(car, "claim");
    for (i = 0; i < lines->nelts; i++) {
        char *name = apr_pstrdup(unit_pool, APR_ARRAY_IDX(lines, i, const char *)), *value = split(name);

        attribute = attribute_of(assertion, name);
        ck_assert_ptr_nonnull(attribute);
        ck_assert_str_eq(attribute->values[0], value);
    }
    lines = values_of(car, "count");
    for (i = 0; i < lines->nelts; i++) {
        char *name = apr_pstrdup(unit_pool, APR_ARRAY_IDX(lines, i, const char *)), *value = split(name);

        attribute = attribute_of(assertion, name);
        ck_assert_int_eq(attribute ? attribute->count : 0, atoi(value));
    }
}

/* Whatever goes wrong behind the first use of a key has one sentence, too. */
static const char *only_sentence(const es_pair_t *const *pairs)
{
    es_why_t *why = apr_pcalloc(unit_pool, sizeof *why);

    es_decrypt_fail(pairs, why, unit_pool);
    return why->text;
}

START_TEST(vector)
{
    const char *name = APR_ARRAY_IDX(names, _i, const char *);
    const char *facts = text_file("facts.txt"), *car = text_file(apr_pstrcat(unit_pool, name, ".txt", NULL));
    const es_expected_t expected = expected_of(car, facts);
    const char *wanted = value_of(car, "", "reason"), *got;
    const es_assertion_t *assertion = NULL;
    es_why_t why = ES_WHY_INIT;
    es_bytes_t field = signed_file(apr_pstrcat(unit_pool, name, ".field", NULL));

    got = es_reason(
              judge(&assertion, field, our_pairs(car, facts), &expected, unit_time(value_of(car, facts, "now")), &why))
              ->code;
    ck_assert_msg(strcmp(got, wanted) == 0, "%s: expected %s, got %s: %s", name, wanted, got, why.text);
    if (assertion) {
        compare(car, assertion);
    }
    if (why.rv == ES_DECRYPTION_FAILED) {
        ck_assert_str_eq(why.text, only_sentence(our_pairs(car, facts)));
    }
}
END_TEST

/* Without the folder nothing is proven, and the run must not look as if it were. */
START_TEST(folder_is_there)
{
    ck_assert_msg(getenv("ENTRA_VECTORS") != NULL,
                  "ENTRA_VECTORS is not set: python3 t/vectors/sign.py --out DIR makes the folder it names");
    ck_assert_msg(names->nelts > 300, "%d vectors in %s", names->nelts, getenv("ENTRA_VECTORS"));
}
END_TEST

static void read_index(void)
{
    const char *folder = getenv("ENTRA_VECTORS");
    char line[200];
    FILE *file = folder ? fopen(apr_pstrcat(listing_pool, folder, "/index.txt", NULL), "r") : NULL;

    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        APR_ARRAY_PUSH(names, const char *) = apr_pstrdup(listing_pool, line);
    }
    if (file) {
        fclose(file);
    }
}

Suite *suite_vectors(void)
{
    Suite *suite = suite_create("vectors");
    TCase *tcase;

    apr_pool_create(&listing_pool, NULL);
    names = apr_array_make(listing_pool, 400, sizeof(const char *));
    read_index();
    tcase_add_test(unit_case(suite, "folder"), folder_is_there);
    tcase = unit_case(suite, "each");
    tcase_add_loop_test(tcase, vector, 0, names->nelts);
    return suite;
}
