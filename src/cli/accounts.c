/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * entra-saml accounts: the table that it makes, shown and changed.
 */
#include "cli/cli.h"

#include "base/guid.h"
#include "db/accountdb.h"

#include <apr_strings.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const es_why_t *why)
{
    return cli_fail(why->rv == ES_CONFIG_ACCOUNTS ? CLI_USAGE : CLI_FAILED, "%s (%s)", why->text,
                    es_reason(why->rv)->code);
}

/* A SQLite database lies in a folder of the server's user, who must be able to write it, with the files that SQLite puts
 * beside it. So root becomes that user; and then a link that somebody put there leads him nowhere that the user could not
 * go. Returns 0 where that cannot be. */
static int become_owner(const char *file, apr_pool_t *pool)
{
    const char *slash = strrchr(file, '/');
    const char *folder = slash ? apr_pstrmemdup(pool, file, (apr_size_t)(slash - file)) : ".";
    struct stat info;

    if (stat(*folder ? folder : "/", &info) != 0) {
        cli_fail(CLI_FAILED, "folder %s: %s. The server makes it when it starts with EntraSAMLAccounts", folder,
                 strerror(errno));
        return 0;
    }
    if (geteuid() != 0 || info.st_uid == 0) {
        return 1;
    }
    if (setgroups(0, NULL) != 0 || setgid(info.st_gid) != 0 || setuid(info.st_uid) != 0) {
        cli_fail(CLI_FAILED, "the rights of the owner of %s cannot be taken on: %s", folder, strerror(errno));
        return 0;
    }
    return 1;
}

/* Made for the server's user and for nobody else. SQLite gives the files beside it the same mode. */
static int is_made(const char *file)
{
    struct stat info;

    umask(S_IRWXG | S_IRWXO);
    return stat(file, &info) == 0;
}

static int init(const apr_dbd_driver_t *driver, const cli_asked_t *asked, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;

    return es_accountdb_init(driver, asked->params, &why, pool) == ES_OK ? CLI_DONE : fail(&why);
}

/* ---- list ---------------------------------------------------------------------------------------------------------- */

/* Texts are whatever users are called: nothing of them may move the cursor or end a column. */
static void put(const char *text, char end)
{
    const unsigned char *c;

    for (c = (const unsigned char *)(text ? text : "-"); *c; c++) {
        const int is_c1 = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;

        fputc(*c < ' ' || *c == 0x7f || is_c1 ? '?' : *c, stdout);
        c += is_c1;
    }
    fputc(end, stdout);
}

static void show(const es_accountdb_entry_t *entry)
{
    put(entry->id, '\t');
    put(entry->state, '\t');
    put(entry->authority ? entry->authority : entry->connection, '\t');
    put(entry->subject, '\t');
    put(entry->address, '\t');
    put(entry->name, '\t');
    put(entry->email, '\t');
    put(entry->created, '\t');
    put(entry->seen, '\n');
}

static int list(es_dbd_t *dbd, const cli_asked_t *asked, apr_pool_t *pool)
{
    const es_accountdb_entry_t *entries;
    es_account_state_t state;
    es_why_t why = ES_WHY_INIT;
    int i, n_entries;

    if (asked->n_names > 0 || (asked->state && !es_account_state_read(&state, asked->state))) {
        return cli_fail(CLI_USAGE, "list takes --state pending, active or disabled, and no names");
    }
    if (es_accountdb_list(&entries, &n_entries, dbd, asked->state, &why, pool) != ES_OK) {
        return fail(&why);
    }
    puts("id\tstate\tauthority\tsubject\taddress\tname\temail\tcreated\tseen");
    for (i = 0; i < n_entries; i++) {
        show(&entries[i]);
    }
    return CLI_DONE;
}

/* ---- add ----------------------------------------------------------------------------------------------------------- */

static int add_user(es_dbd_t *dbd, const cli_asked_t *asked, es_account_state_t state, apr_pool_t *pool)
{
    es_account_key_t key;
    es_why_t why = ES_WHY_INIT;
    int done;

    if (es_account_key_of_user(&key, asked->tenant, asked->object, &why, pool) != ES_OK) {
        return cli_fail(CLI_USAGE, "--tenant and --object are GUIDs");
    }
    if (es_accountdb_add(&done, dbd, &key, state, apr_time_now(), &why, pool) != ES_OK) {
        return fail(&why);
    }
    return done ? CLI_DONE : cli_fail(CLI_NOT_FOUND, "%s of %s has an account", key.subject, key.authority);
}

static int is_connection(const char *id)
{
    return strlen(id) == 2 * ES_CONNECTION_LEN && id[strspn(id, "0123456789abcdef")] == '\0';
}

static int prepare(es_dbd_t *dbd, const cli_asked_t *asked, es_account_state_t state, apr_pool_t *pool)
{
    int i, code = CLI_DONE;

    if (!is_connection(asked->connection) || asked->n_names == 0) {
        return cli_fail(CLI_USAGE, "add --connection takes the 32 hexadecimal digits of a connection, and addresses");
    }
    for (i = 0; i < asked->n_names; i++) {
        es_why_t why = ES_WHY_INIT;
        const char *address;
        int done;

        if (es_account_address_read(&address, asked->names[i], &why, pool) != ES_OK) {
            return cli_fail(CLI_USAGE, "%s", why.text);
        }
        if (es_accountdb_prepare(&done, dbd, asked->connection, address, state, apr_time_now(), &why, pool) != ES_OK) {
            return fail(&why);
        }
        if (!done) {
            code = cli_fail(CLI_NOT_FOUND, "%s is prepared already", address);
        }
    }
    return code;
}

static int add(es_dbd_t *dbd, const cli_asked_t *asked, apr_pool_t *pool)
{
    const es_account_state_t state = asked->is_pending ? ES_ACCOUNT_IS_PENDING : ES_ACCOUNT_IS_ACTIVE;

    if (asked->connection && !asked->tenant && !asked->object) {
        return prepare(dbd, asked, state, pool);
    }
    if (asked->tenant && asked->object && !asked->connection && asked->n_names == 0) {
        return add_user(dbd, asked, state, pool);
    }
    return cli_fail(CLI_USAGE, "add takes --connection and addresses, or --tenant and --object");
}

/* ---- approve, disable, remove ---------------------------------------------------------------------------------------- */

/* The one row that is meant: of several, none is. */
static int find_one(const char **id, es_dbd_t *dbd, const char *who, apr_pool_t *pool)
{
    const es_accountdb_entry_t *entries;
    es_why_t why = ES_WHY_INIT, ignored = ES_WHY_INIT;
    const char *guid = es_guid_read(who, pool), *address;
    int n_entries;

    if (guid) {
        who = guid;
    } else if (es_account_address_read(&address, who, &ignored, pool) == ES_OK) {
        who = address;
    }
    if (es_accountdb_who(&entries, &n_entries, dbd, who, &why, pool) != ES_OK) {
        return fail(&why);
    }
    if (n_entries != 1) {
        return n_entries == 0 ? cli_fail(CLI_NOT_FOUND, "nobody is %s: list shows ids", who)
                              : cli_fail(CLI_NOT_FOUND, "%d accounts are %s: say which, by its id", n_entries, who);
    }
    *id = entries[0].id;
    return CLI_DONE;
}

typedef enum { APPROVE, DISABLE, REMOVE } change_t;

static int change(es_dbd_t *dbd, change_t how, const cli_asked_t *asked, apr_pool_t *pool)
{
    int i, code = CLI_DONE;

    if (asked->n_names == 0) {
        return cli_fail(CLI_USAGE, "approve, disable and remove take ids, prepared addresses or object ids");
    }
    for (i = 0; i < asked->n_names; i++) {
        es_why_t why = ES_WHY_INIT;
        const char *id = NULL;
        int done = 0, found = find_one(&id, dbd, asked->names[i], pool);
        es_rv_t rv = ES_OK;

        if (found == CLI_DONE) {
            rv = how == REMOVE
                     ? es_accountdb_remove(&done, dbd, id, &why, pool)
                     : es_accountdb_set(&done, dbd, id, how == APPROVE ? ES_ACCOUNT_IS_ACTIVE : ES_ACCOUNT_IS_DISABLED,
                                        apr_time_now(), &why, pool);
        }
        if (rv != ES_OK) {
            return fail(&why);
        }
        if (!done) {
            code = found == CLI_DONE ? cli_fail(CLI_NOT_FOUND, "%s is gone", asked->names[i]) : found;
        }
        if (code == CLI_FAILED) {
            return code;
        }
    }
    return code;
}

static int work(const char *verb, const apr_dbd_driver_t *driver, const cli_asked_t *asked, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_dbd_t *dbd;

    if (strcmp(verb, "init") == 0) {
        return init(driver, asked, pool);
    }
    if (es_dbd_open(&dbd, driver, asked->params, es_accountdb_office, &why, pool) != ES_OK) {
        return fail(&why);
    }
    if (strcmp(verb, "list") == 0) {
        return list(dbd, asked, pool);
    }
    if (strcmp(verb, "add") == 0) {
        return add(dbd, asked, pool);
    }
    return change(dbd,
                  strcmp(verb, "approve") == 0   ? APPROVE
                  : strcmp(verb, "disable") == 0 ? DISABLE
                                                 : REMOVE,
                  asked, pool);
}

int cli_accounts(const char *verb, const cli_asked_t *asked, apr_pool_t *pool)
{
    static const char *const verbs[] = { "init", "list", "add", "approve", "disable", "remove", NULL };
    const apr_dbd_driver_t *driver;
    es_why_t why = ES_WHY_INIT;
    int i;

    for (i = 0; verbs[i] && strcmp(verbs[i], verb) != 0; i++) {
    }
    if (!verbs[i]) {
        return cli_fail(CLI_USAGE, "there is no \"accounts %s\"", verb);
    }
    if (es_dbd_init(&why, pool) != ES_OK || es_dbd_driver(&driver, asked->driver, &why, pool) != ES_OK) {
        return fail(&why);
    }
    if (strcmp(asked->driver, "sqlite3") == 0) {
        if (!become_owner(asked->params, pool)) {
            return CLI_FAILED;
        }
        /* SQLite would make an empty one. */
        if (!is_made(asked->params) && strcmp(verb, "init") != 0) {
            return cli_fail(CLI_FAILED, "there is no database %s: entra-saml accounts init makes it", asked->params);
        }
    }
    return work(verb, driver, asked, pool);
}
