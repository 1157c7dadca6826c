/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "flow/account.h"

#include "base/codec.h"
#include "entra/issuer.h"

#include <apr_strings.h>

/* How often a sign-in looks again because another one was faster: the second look finds what that one made. */
#define ROUNDS 3

/* ---- the user, by the record of his session ------------------------------------------------------------------- */

/* The value as it was before the record escaped it (session.h). */
static const char *unescape(const char *joined, apr_pool_t *pool)
{
    char *plain = apr_pstrdup(pool, joined), *to = plain;
    const char *from;

    for (from = plain; *from; from++) {
        if (*from == '\\' && from[1]) {
            from++;
        }
        *to++ = *from;
    }
    *to = '\0';
    return plain;
}

/* The one value of a claim; NULL where it is absent, empty, or has several. */
static const char *value_of(const es_session_t *session, unsigned id, const char *name, apr_pool_t *pool)
{
    es_session_claim_t claim;

    if (!es_session_find(&claim, session, id, name) || claim.count != 1 || !*claim.joined) {
        return NULL;
    }
    return unescape(claim.joined, pool);
}

static const char *built_in(const es_session_t *session, const char *name, apr_pool_t *pool)
{
    return value_of(session, es_claims_find(name), name, pool);
}

/* Does the session have the claim at all, in whatever number? */
static int has(const es_session_t *session, const char *name)
{
    es_session_claim_t claim;

    return es_session_find(&claim, session, es_claims_find(name), name);
}

/* Is the tenant that the user claims the one that signed for him? Entra fills in the claim, but an application with a
 * signing key of its own may map whatever its administrator likes to any name (Microsoft, "Customize claims"): that must
 * not lead to the accounts of another tenant. */
static es_rv_t check_tenant(const es_connection_t *connection, const es_session_t *session, es_why_t *why,
                            apr_pool_t *pool)
{
    const char *tenant = built_in(session, "tenantid", pool);

    /* Of several tenants: es_issuer_expect has held the claim against the list, and against the issuer. */
    if (!has(session, "tenantid") || es_issuer_is_template(connection->issuer) ||
        (connection->tenants && es_issuer_is_template(connection->metadata->issuer))) {
        return ES_OK;
    }
    if (!tenant || (!es_account_is_issuers(tenant, connection->issuer) &&
                    !es_account_is_issuers(tenant, connection->metadata->issuer))) {
        return es_fail(why, ES_ACCOUNT_TENANT, "claim tenantid is \"%.100s\", the issuer %.200s", tenant ? tenant : "",
                       connection->issuer);
    }
    return ES_OK;
}

/* `connection` is the session's, which may be another than the site's. */
static es_rv_t find_key(es_account_key_t *key, const es_flow_t *flow, const es_connection_t *connection,
                        const es_session_t *session, es_why_t *why)
{
    const es_account_rules_t *rules = flow->site->accounts;
    const char *tenant = built_in(session, "tenantid", flow->pool);
    es_rv_t rv = check_tenant(connection, session, why, flow->pool);

    if (rv != ES_OK) {
        return rv;
    }
    if (!rules->key) {
        return es_account_key_of_user(key, tenant, built_in(session, "objectidentifier", flow->pool), why, flow->pool);
    }
    if (connection->tenants && !tenant) {
        return es_fail(why, ES_ACCOUNT_KEY, "claim tenantid is absent, and the connection is of several tenants");
    }
    return es_account_key_of_value(key, es_codec_hex(es_bytes(&connection->id, sizeof connection->id), flow->pool),
                                   connection->tenants ? tenant : NULL,
                                   value_of(session, rules->key->id, rules->key->name, flow->pool), why, flow->pool);
}

static void describe(es_account_person_t *person, const es_flow_t *flow, const es_session_t *session,
                     const char *issuer)
{
    const es_account_rules_t *rules = flow->site->accounts;
    const unsigned name = es_claims_find("name"), upn = es_claims_find("upn");

    person->connection = rules->connection;
    person->tenant = built_in(session, "tenantid", flow->pool);
    person->issuer = issuer;
    person->domains = rules->domains;
    person->principal = built_in(session, has(session, "upn") ? "upn" : "name", flow->pool);
    person->is_principal = rules->match->id != 0 && rules->match->id == (has(session, "upn") ? upn : name);
    /* One claim with several values is no proof of anything. */
    person->identity_provider = built_in(session, "identityprovider", flow->pool);
    if (!person->identity_provider && has(session, "identityprovider")) {
        person->identity_provider = "";
    }
    person->member = built_in(session, "acct", flow->pool);
    if (!person->member && has(session, "acct")) {
        person->member = "";
    }
}

/* ---- a sign-in -------------------------------------------------------------------------------------------------- */

/* The key's own row; 0 of them is no error. The database may take other texts for equal than we do. */
static es_rv_t find_row(es_account_t *row, int *found, const es_flow_t *flow, const es_account_key_t *key,
                        es_why_t *why)
{
    es_accounts_t *database = flow->site->accounts->database;
    const es_account_t *rows;
    int i, n_rows, count = 0;
    es_rv_t rv = database->find(&rows, &n_rows, database, key, why, flow->pool);

    if (rv != ES_OK) {
        return rv;
    }
    for (i = 0; i < n_rows; i++) {
        if (es_account_key_equal(&rows[i].key, key)) {
            *row = rows[i];
            count++;
        }
    }
    if (count > 1) {
        return es_fail(why, ES_ACCOUNTS_ROW, "%d rows have the key %.64s %.200s: the table lacks a unique key", count,
                       key->authority, key->subject);
    }
    *found = count;
    return ES_OK;
}

/* A row that waits for the user; *reason = why there is none, where something can be said about it. */
static es_rv_t find_prepared(es_account_signin_t *account, es_why_t *reason, const es_flow_t *flow,
                             const es_session_t *session, const char *issuer, es_why_t *why)
{
    const es_account_rules_t *rules = flow->site->accounts;
    es_account_person_t person = { 0 };
    const es_account_t *rows, *row;
    int n_rows, bound;
    es_rv_t rv;

    describe(&person, flow, session, issuer);
    if (es_account_address_read(&person.address, value_of(session, rules->match->id, rules->match->name, flow->pool),
                                reason, flow->pool) != ES_OK) {
        return ES_OK;
    }
    if ((rv = rules->database->match(&rows, &n_rows, rules->database, person.address, why, flow->pool)) != ES_OK ||
        (rv = es_account_choose(&row, &bound, rows, n_rows, &person, why, flow->pool)) != ES_OK) {
        return rv;
    }
    if (row) {
        account->row = *row;
        account->is_matched = account->is_new_owner = 1;
    } else if (bound) {
        es_fail(reason, ES_ACCOUNT_BOUND, "the row for %.200s is not that of %.64s %.200s", person.address,
                account->key.authority, account->key.subject);
    }
    return ES_OK;
}

static es_rv_t judge_state(es_account_state_t state, const es_account_rules_t *rules, const es_account_key_t *key,
                           es_why_t *why)
{
    if (state == ES_ACCOUNT_IS_DISABLED) {
        return es_fail(why, ES_ACCOUNT_DISABLED, "the account of %.64s %.200s is disabled", key->authority,
                       key->subject);
    }
    if (state == ES_ACCOUNT_IS_PENDING && rules->policy == ES_ACCOUNTS_EXISTING) {
        return es_fail(why, ES_ACCOUNT_PENDING, "the account of %.64s %.200s is pending", key->authority, key->subject);
    }
    return ES_OK;
}

es_rv_t es_account_look(es_account_signin_t *account, const es_flow_t *flow, const es_session_t *session,
                        const char *issuer, es_why_t *why)
{
    const es_account_rules_t *rules = flow->site->accounts;
    es_why_t reason = ES_WHY_INIT;
    int found;
    es_rv_t rv;

    memset(account, 0, sizeof *account);
    if ((rv = find_key(&account->key, flow, flow->site->connection, session, why)) != ES_OK ||
        (rv = find_row(&account->row, &found, flow, &account->key, why)) != ES_OK) {
        return rv;
    }
    if (!found && rules->match) {
        if ((rv = find_prepared(account, &reason, flow, session, issuer, why)) != ES_OK) {
            return rv;
        }
        found = account->is_matched;
    }
    if (found) {
        return judge_state(account->row.state, rules, &account->key, why);
    }
    if (rules->policy != ES_ACCOUNTS_EXISTING) {
        return ES_OK;
    }
    if (reason.rv != ES_OK) {
        return es_fail(why, reason.rv, "%s", reason.text);
    }
    return es_fail(why, ES_ACCOUNT_MISSING, "there is no row for %.64s %.200s (connection %s)", account->key.authority,
                   account->key.subject, rules->connection);
}

static es_rv_t write_profile(const char *id, const es_flow_t *flow, const es_session_t *session, es_why_t *why)
{
    const es_account_rules_t *rules = flow->site->accounts;
    const char **values = apr_pcalloc(flow->pool, (apr_size_t)(rules->n_profile + 1) * sizeof *values);
    int i;

    for (i = 0; i < rules->n_profile; i++) {
        es_session_claim_t claim;

        if (es_session_find(&claim, session, rules->profile[i].id, rules->profile[i].name)) {
            values[i] = claim.count == 1 ? unescape(claim.joined, flow->pool) : claim.joined;
        }
    }
    return rules->database->profile(rules->database, id, values, rules->n_profile, flow->now, why, flow->pool);
}

/* Makes the row his, or makes him one. Where it was not done, another sign-in was faster: whose, the next look tells. */
static es_rv_t claim_row(const es_account_signin_t *account, const es_flow_t *flow, es_why_t *why)
{
    const es_account_rules_t *rules = flow->site->accounts;
    es_accounts_t *database = rules->database;
    int done;

    if (account->is_new_owner) {
        return database->bind(&done, database, account->row.id, &account->key, flow->now, why, flow->pool);
    }
    return database->create(&done, database, &account->key, rules->connection,
                            rules->policy == ES_ACCOUNTS_JIT ? ES_ACCOUNT_IS_ACTIVE : ES_ACCOUNT_IS_PENDING, flow->now,
                            why, flow->pool);
}

es_rv_t es_account_take(es_account_state_t *state, const es_account_signin_t *account, const es_flow_t *flow,
                        const es_session_t *session, es_why_t *why)
{
    es_account_t row = account->row;
    es_why_t tried = ES_WHY_INIT;
    int found = row.id && !account->is_new_owner;
    int round;
    es_rv_t rv = ES_OK;

    for (round = 0; !found && round < ROUNDS && rv == ES_OK; round++) {
        /* A table whose statement cannot pass over a row that is there refuses a second one by its unique key. */
        rv = claim_row(account, flow, &tried);
        if (rv == ES_OK || rv == ES_ACCOUNTS_FAULT) {
            rv = find_row(&row, &found, flow, &account->key, why);
        }
    }
    if (rv != ES_OK) {
        return es_fail(why, rv, "%s", tried.text);
    }
    if (!found) {
        return tried.rv != ES_OK ? es_fail(why, tried.rv, "%s", tried.text)
               : account->is_new_owner
                   ? es_fail(why, ES_ACCOUNT_BOUND, "the row %.64s became another user's at this very moment",
                             account->row.id)
                   : es_fail(why, ES_ACCOUNTS_FAULT, "the row of %.64s %.200s was made and is not there",
                             account->key.authority, account->key.subject);
    }
    if ((rv = judge_state(row.state, flow->site->accounts, &account->key, why)) != ES_OK ||
        (rv = write_profile(row.id, flow, session, why)) != ES_OK) {
        return rv;
    }
    *state = row.state;
    return ES_OK;
}

/* ---- an authenticated request ----------------------------------------------------------------------------------- */

static es_rv_t ask_database(const es_flow_t *flow, const es_connection_t *connection, const es_session_t *session,
                            es_why_t *why)
{
    es_account_key_t key;
    es_account_t row;
    int found;
    es_rv_t rv;

    if ((rv = find_key(&key, flow, connection, session, why)) != ES_OK ||
        (rv = find_row(&row, &found, flow, &key, why)) != ES_OK) {
        return rv;
    }
    if (!found) { /* where a sign-in makes accounts, let it */
        return es_fail(why,
                       flow->site->accounts->policy == ES_ACCOUNTS_EXISTING ? ES_ACCOUNT_MISSING : ES_SESSION_EXPIRED,
                       "there is no row for %.64s %.200s", key.authority, key.subject);
    }
    switch (row.state) {
    case ES_ACCOUNT_IS_ACTIVE:
        return ES_OK;
    case ES_ACCOUNT_IS_PENDING:
        return es_fail(why, ES_ACCOUNT_PENDING, "the account of %.64s %.200s is pending", key.authority, key.subject);
    case ES_ACCOUNT_IS_DISABLED:
        break;
    }
    return es_fail(why, ES_ACCOUNT_DISABLED, "the account of %.64s %.200s is disabled", key.authority, key.subject);
}

/* A row that cannot be read is none: the database answered, and what it said is not that the account is active. */
static int is_silence(es_rv_t rv)
{
    return rv == ES_ACCOUNTS_DOWN || rv == ES_ACCOUNTS_FAULT;
}

/* Hosts that share sessions may have accounts in different tables: trust is of a session here. */
static es_hash_t place_of(const es_account_rules_t *rules, const es_hash_t *key)
{
    es_hash_t place;
    int i;

    for (i = 0; i < ES_HASH_LEN; i++) {
        place.octet[i] = (unsigned char)(key->octet[i] ^ rules->identity.octet[i]);
    }
    return place;
}

void es_account_trust(const es_account_rules_t *rules, const es_hash_t *key, apr_time_t now)
{
    const es_hash_t place = place_of(rules, key);

    es_trust_note(rules->trust, &place, now);
}

/* A session that is over for its account ends, so that nothing that happens to the database afterwards brings it back.
 * That of another connection is good elsewhere. */
static void end(const es_flow_t *flow, const es_connection_t *connection, const es_hash_t *key)
{
    es_why_t ignored = ES_WHY_INIT; /* what stays is refused by the next look */

    if (connection == flow->site->connection) {
        flow->store->remove(NULL, flow->store, key, &ignored);
    }
}

es_rv_t es_account_ask(const es_flow_t *flow, const es_connection_t *connection, const es_session_t *session,
                       const es_hash_t *key, es_why_t *why)
{
    const es_account_rules_t *rules = flow->site->accounts;
    const es_hash_t place = place_of(rules, key);
    const apr_time_t since = es_trust_since(rules->trust, &place);
    es_why_t tried = ES_WHY_INIT;
    es_rv_t rv;

    /* A clock that was set back makes an old answer look new: then it is none. */
    if (since && flow->now - since < rules->trusted && flow->now - since > -apr_time_from_sec(1)) {
        return ES_OK;
    }
    rv = ask_database(flow, connection, session, &tried);
    if (rv == ES_OK) {
        es_trust_note(rules->trust, &place, flow->now);
        return ES_OK;
    }
    if (is_silence(rv)) {
        return rules->trusts_when_down && since ? ES_OK : es_fail(why, rv, "%s", tried.text);
    }
    es_trust_forget(rules->trust, &place);
    if (rv != ES_ACCOUNT_PENDING && rv != ES_ACCOUNTS_ROW) {
        end(flow, connection, key);
    }
    return es_fail(why, rv, "%s", tried.text);
}

int es_account_holds(es_rv_t rv)
{
    switch (rv) {
    case ES_ACCOUNT_MISSING:
    case ES_ACCOUNT_PENDING:
    case ES_ACCOUNT_DISABLED:
    case ES_ACCOUNT_KEY:
    case ES_ACCOUNT_TENANT:
    case ES_ACCOUNTS_DOWN:
    case ES_ACCOUNTS_FAULT:
    case ES_ACCOUNTS_ROW:
        return 1;
    default:
        return 0;
    }
}
