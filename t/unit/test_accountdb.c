/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The accounts' table in SQLite, through apr_dbd: statements, values, what is refused. t/httpd does the same with
 * PostgreSQL.
 */
#include "unit.h"

#include "db/accountdb.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW unit_time("2026-03-01T12:00:00Z")

static char folder[] = "/tmp/es-unit-accountdb-XXXXXX";
static const char *file;
static const apr_dbd_driver_t *driver;
static const char *const columns[] = { "display_name", "email" };
static const es_account_key_t ada = { "tenant:t", "o'1; --" }, bob = { "tenant:t", "o2" };

static void open_all(void)
{
    es_why_t why = ES_WHY_INIT;

    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    file = apr_pstrcat(unit_pool, folder, "/accounts.db", NULL);
    ck_assert_reason(es_dbd_init(&why, unit_pool), ES_OK, why);
    ck_assert_reason(es_dbd_driver(&driver, "sqlite3", &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_accountdb_init(driver, file, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_accountdb_init(driver, file, &why, unit_pool), ES_OK, why); /* what is there stays */
}

static void remove_all(void)
{
    unlink(file);
    unlink(apr_pstrcat(unit_pool, file, "-wal", NULL));
    unlink(apr_pstrcat(unit_pool, file, "-shm", NULL));
    rmdir(folder);
}

static es_dbd_t *connect_with(const char *const *said, int n_said)
{
    es_accountdb_conf_t *conf;
    es_why_t why = ES_WHY_INIT;
    es_dbd_t *dbd;

    ck_assert_reason(es_accountdb_make(&conf, "sqlite3", file, said, n_said, columns, 2, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_dbd_open(&dbd, driver, conf->params, conf->statements, &why, unit_pool), ES_OK, why);
    return dbd;
}

static es_dbd_t *office(void)
{
    es_why_t why = ES_WHY_INIT;
    es_dbd_t *dbd;

    ck_assert_reason(es_dbd_open(&dbd, driver, file, es_accountdb_office, &why, unit_pool), ES_OK, why);
    return dbd;
}

static const es_account_t *find(es_dbd_t *dbd, const es_account_key_t *key)
{
    const es_account_t *rows;
    es_why_t why = ES_WHY_INIT;
    int n_rows;

    ck_assert_reason(es_accountdb_find(&rows, &n_rows, dbd, key, &why, unit_pool), ES_OK, why);
    ck_assert_int_le(n_rows, 1);
    return n_rows ? &rows[0] : NULL;
}

START_TEST(a_row_is_made_once)
{
    es_dbd_t *dbd = connect_with(NULL, 0);
    es_why_t why = ES_WHY_INIT;
    const es_account_t *row;
    int done;

    ck_assert_ptr_null(find(dbd, &ada));
    ck_assert_reason(es_accountdb_create(&done, dbd, &ada, "c1", ES_ACCOUNT_IS_PENDING, NOW, &why, unit_pool), ES_OK,
                     why);
    ck_assert_int_eq(done, 1);
    ck_assert_reason(es_accountdb_create(&done, dbd, &ada, "c1", ES_ACCOUNT_IS_ACTIVE, NOW, &why, unit_pool), ES_OK,
                     why);
    ck_assert_int_eq(done, 0);
    row = find(dbd, &ada);
    ck_assert(row && es_account_key_equal(&row->key, &ada) && row->state == ES_ACCOUNT_IS_PENDING);
    ck_assert_str_eq(row->connection, "c1");
    ck_assert_ptr_null(row->address);
    ck_assert_ptr_null(find(dbd, &bob));
}
END_TEST

START_TEST(a_prepared_row_is_bound_once)
{
    es_dbd_t *dbd = connect_with(NULL, 0), *desk = office();
    const es_account_t *rows;
    es_why_t why = ES_WHY_INIT;
    int n_rows, done;

    ck_assert_reason(es_accountdb_prepare(&done, desk, "c1", "a@b.c", ES_ACCOUNT_IS_ACTIVE, NOW, &why, unit_pool),
                     ES_OK, why);
    ck_assert_reason(es_accountdb_prepare(&done, desk, "c1", "a@b.c", ES_ACCOUNT_IS_ACTIVE, NOW, &why, unit_pool),
                     ES_OK, why);
    ck_assert_int_eq(done, 0);
    ck_assert_reason(es_accountdb_prepare(&done, desk, "c2", "a@b.c", ES_ACCOUNT_IS_ACTIVE, NOW, &why, unit_pool),
                     ES_OK, why);
    ck_assert_reason(es_accountdb_match(&rows, &n_rows, dbd, "a@b.c", &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(n_rows, 2);
    ck_assert(!rows[0].key.authority && !rows[0].key.subject);
    ck_assert_reason(es_accountdb_bind(&done, dbd, rows[0].id, &ada, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(done, 1);
    ck_assert_reason(es_accountdb_bind(&done, dbd, rows[0].id, &bob, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(done, 0);
    ck_assert_str_eq(find(dbd, &ada)->id, rows[0].id);
    ck_assert_ptr_null(find(dbd, &bob));
}
END_TEST

START_TEST(values_are_values)
{
    static const char *const values[] = { "x'); DROP TABLE entra_accounts; --", NULL };
    const es_accountdb_entry_t *entries;
    es_dbd_t *dbd = connect_with(NULL, 0);
    es_why_t why = ES_WHY_INIT;
    int n_entries, done;

    ck_assert_reason(es_accountdb_create(&done, dbd, &ada, "c1", ES_ACCOUNT_IS_PENDING, NOW, &why, unit_pool), ES_OK,
                     why);
    ck_assert_reason(es_accountdb_profile(dbd, find(dbd, &ada)->id, values, 2, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_accountdb_list(&entries, &n_entries, office(), NULL, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(n_entries, 1);
    ck_assert_str_eq(entries[0].name, values[0]);
    ck_assert_ptr_null(entries[0].email);
    ck_assert_str_eq(entries[0].seen, "2026-03-01T12:00:00Z");
    ck_assert_str_eq(entries[0].subject, ada.subject);
}
END_TEST

START_TEST(the_office)
{
    const es_accountdb_entry_t *entries;
    es_dbd_t *desk = office();
    es_why_t why = ES_WHY_INIT;
    int n_entries, done;

    ck_assert_reason(es_accountdb_add(&done, desk, &ada, ES_ACCOUNT_IS_ACTIVE, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_accountdb_add(&done, desk, &ada, ES_ACCOUNT_IS_ACTIVE, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(done, 0);
    ck_assert_reason(es_accountdb_prepare(&done, desk, "c1", "a@b.c", ES_ACCOUNT_IS_PENDING, NOW, &why, unit_pool),
                     ES_OK, why);
    ck_assert_reason(es_accountdb_list(&entries, &n_entries, desk, "pending", &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(n_entries, 1);
    ck_assert_str_eq(entries[0].address, "a@b.c");
    for (int i = 0; i < 3; i++) {
        const char *const who[] = { "1", "a@b.c", ada.subject };

        ck_assert_reason(es_accountdb_who(&entries, &n_entries, desk, who[i], &why, unit_pool), ES_OK, why);
        ck_assert_int_eq(n_entries, 1);
        ck_assert_reason(es_accountdb_set(&done, desk, entries[0].id, ES_ACCOUNT_IS_DISABLED, NOW, &why, unit_pool),
                         ES_OK, why);
        ck_assert_int_eq(done, 1);
    }
    ck_assert_reason(es_accountdb_list(&entries, &n_entries, desk, "disabled", &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(n_entries, 2);
    ck_assert_reason(es_accountdb_remove(&done, desk, entries[0].id, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(done, 1);
    ck_assert_reason(es_accountdb_remove(&done, desk, entries[0].id, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(done, 0);
    ck_assert_reason(es_accountdb_set(&done, desk, "4711", ES_ACCOUNT_IS_ACTIVE, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(done, 0);
}
END_TEST

START_TEST(a_table_of_the_sites_own)
{
    static const char *const said[] = {
        "find",
        "SELECT n, 'tenant:t', who, NULL, '', CASE ok WHEN 1 THEN 'active' ELSE 'pending' END FROM members "
        "WHERE 'tenant:t' = %s AND who = %s AND who NOT LIKE '%%x'",
        "create",
        "INSERT INTO members (who, ok) SELECT %s || '', %s = 'never' WHERE %s || %s || %s <> ''",
        "profile",
        "UPDATE members SET name = %s, mail = %s, seen = %s WHERE n = %s",
    };
    es_dbd_t *dbd;
    es_why_t why = ES_WHY_INIT;
    const es_account_t *row;
    int done;

    ck_assert_reason(es_dbd_open(&dbd, driver, file, NULL, &why, unit_pool), ES_OK, why);
    ck_assert_reason(
        es_dbd_execute(dbd, "CREATE TABLE members (n INTEGER PRIMARY KEY, who, ok, name, mail, seen)", &why), ES_OK,
        why);
    ck_assert_reason(es_dbd_execute(dbd, "INSERT INTO members (who, ok) VALUES ('o2', 1)", &why), ES_OK, why);
    dbd = connect_with(said, 3);
    row = find(dbd, &bob);
    ck_assert(row && row->state == ES_ACCOUNT_IS_ACTIVE && !row->connection && !row->address);
    ck_assert_reason(es_accountdb_create(&done, dbd, &ada, "c", ES_ACCOUNT_IS_ACTIVE, NOW, &why, unit_pool), ES_OK,
                     why);
    ck_assert_int_eq(done, 1);
}
END_TEST

START_TEST(statements_are_judged)
{
    static const struct {
        const char *name, *sql;
    } wrong[] = {
        { "look", "SELECT 1" },
        { "find", "SELECT * FROM t WHERE a = %s" },
        { "find", "SELECT * FROM t WHERE a = %s AND b = %d" },
        { "find", "SELECT * FROM t WHERE a LIKE '%' AND b = %s AND c = %s" },
        { "match", "SELECT 1" },
        { "bind", "UPDATE t SET a = %s" },
        { "profile", "UPDATE t SET a = %s, b = %s WHERE c = %s" },
    };
    static const char *const names[] = { "",      "Name", "a b",       "a;b",  "1a",         "na\"me",
                                         "state", "id",   "authority", "seen", "n\xc3\xa4me" };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_accountdb_check_statement(wrong[i].name, wrong[i].sql, 2, &why), ES_CONFIG_ACCOUNTS, why);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_accountdb_check_column(names[i], &why), ES_CONFIG_ACCOUNTS, why);
    }
    ck_assert_int_eq(es_dbd_parameters("%s %% %s"), 2);
    ck_assert_int_eq(es_dbd_parameters("%"), -1);
}
END_TEST

START_TEST(what_a_database_can_do_wrong)
{
    static const char *const two[] = { "find", "SELECT %s, %s" };
    static const char *const state[] = { "find", "SELECT 1, %s, %s, 'c', 'a', 'Active'" };
    static const char *const no_id[] = { "find", "SELECT '', %s, %s, 'c', 'a', 'active'" };
    static const char *const *const said[] = { two, state, no_id };
    const es_account_t *rows;
    int n_rows;

    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_accountdb_find(&rows, &n_rows, connect_with(said[i], 1), &ada, &why, unit_pool),
                         said[i] == two ? ES_ACCOUNTS_FAULT : ES_ACCOUNTS_ROW, why);
    }
}
END_TEST

START_TEST(no_table_no_driver_no_file)
{
    es_accountdb_conf_t *conf;
    const apr_dbd_driver_t *other;
    const es_account_t *rows;
    es_why_t why = ES_WHY_INIT;
    es_dbd_t *dbd;
    int n_rows;

    ck_assert_reason(es_dbd_driver(&other, "nosql", &why, unit_pool), ES_CONFIG_ACCOUNTS, why);
    why = ES_WHY_INIT;
    ck_assert_reason(es_accountdb_make(&conf, "sqlite3", ":memory:", NULL, 0, columns, 2, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_dbd_open(&dbd, driver, ":memory:", conf->statements, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_accountdb_find(&rows, &n_rows, dbd, &ada, &why, unit_pool), ES_ACCOUNTS_FAULT, why);
    why = ES_WHY_INIT;
    ck_assert_reason(es_dbd_open(&dbd, driver, "/nowhere/at/all.db", NULL, &why, unit_pool), ES_ACCOUNTS_DOWN, why);
}
END_TEST

START_TEST(a_connection_is_broken_by_a_fault)
{
    es_dbd_t *dbd = connect_with(NULL, 0), *other;
    const es_account_t *rows;
    es_why_t why = ES_WHY_INIT;
    int n_rows;

    ck_assert_ptr_null(find(dbd, &ada));
    ck_assert(!es_dbd_is_broken(dbd));
    ck_assert_reason(es_dbd_open(&other, driver, file, NULL, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_dbd_execute(other, "DROP TABLE entra_accounts", &why), ES_OK, why);
    ck_assert_reason(es_accountdb_find(&rows, &n_rows, dbd, &ada, &why, unit_pool), ES_ACCOUNTS_FAULT, why);
    ck_assert(es_dbd_is_broken(dbd));
    es_dbd_close(dbd);
}
END_TEST

Suite *suite_accountdb(void)
{
    Suite *suite = suite_create("accountdb");
    TCase *tests = unit_case(suite, "SQLite");

    tcase_add_checked_fixture(tests, open_all, remove_all);
    tcase_add_test(tests, a_row_is_made_once);
    tcase_add_test(tests, a_prepared_row_is_bound_once);
    tcase_add_test(tests, values_are_values);
    tcase_add_test(tests, the_office);
    tcase_add_test(tests, a_table_of_the_sites_own);
    tcase_add_test(tests, statements_are_judged);
    tcase_add_test(tests, what_a_database_can_do_wrong);
    tcase_add_test(tests, no_table_no_driver_no_file);
    tcase_add_test(tests, a_connection_is_broken_by_a_fault);
    return suite;
}
