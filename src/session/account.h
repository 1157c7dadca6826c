/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accounts: who, of those whom Entra signs in, has one here, and in which state it is. The words, the keys, and the one
 * decision that an attacker would like to influence: whether a row that an administrator prepared for an address is this
 * user's. The database comes in as an interface; flow/account has the order of things.
 *
 * An account belongs to a key that nobody but Entra can give: tenant and object id, neither of which ever changes or is
 * used again (Microsoft, "SAML token claims reference"). Names and addresses do change hands; they are a profile, and
 * lead to an account at most once, when a row that waits for its owner is bound to his key.
 */
#ifndef ES_ACCOUNT_H
#define ES_ACCOUNT_H

#include "base/es.h"
#include "session/trust.h"

/* EntraSAMLAccounts. Off is no value: where accounts are off there are no rules. */
typedef enum { ES_ACCOUNTS_EXISTING, ES_ACCOUNTS_JIT, ES_ACCOUNTS_WAITING_ROOM } es_accounts_policy_t;

typedef enum { ES_ACCOUNT_IS_PENDING, ES_ACCOUNT_IS_ACTIVE, ES_ACCOUNT_IS_DISABLED } es_account_state_t;
#define ES_ACCOUNT_STATES 3

/* "pending", "active", "disabled", as the column has them. */
const char *es_account_state_text(es_account_state_t state);
/* Returns 0 for any other text, and for NULL. */
int es_account_state_read(es_account_state_t *state, const char *text);

/* What an account belongs to: `subject` means something within its authority only.
 *   tenant:<GUID>                       object id
 *   connection:<32 hex digits>          value of EntraSAMLAccountsKey's claim
 *   connection:<32 hex digits>/<GUID>   the same, where the connection is of several tenants */
typedef struct {
    const char *authority, *subject;
} es_account_key_t;

/* Either GUID in either case. ES_ACCOUNT_KEY: one of them is absent (NULL), or no GUID. */
es_rv_t es_account_key_of_user(es_account_key_t *key, const char *tenant, const char *object, es_why_t *why,
                               apr_pool_t *pool);
/* `tenant` NULL: the connection's only one. ES_ACCOUNT_KEY: no value, white space or a control character in it (records
 * show all of these as blanks, so that two such values could be one), or more than 255 octets. Nothing is folded. */
es_rv_t es_account_key_of_value(es_account_key_t *key, const char *connection, const char *tenant, const char *value,
                                es_why_t *why, apr_pool_t *pool);
int es_account_key_equal(const es_account_key_t *a, const es_account_key_t *b);

/* Is the tenant (a GUID in lower case) that of the issuer, https://sts.windows.net/<GUID>/? */
int es_account_is_issuers(const char *tenant, const char *issuer);

/* An address as it is compared: ASCII in lower case, local part and domain of the characters that ordinary addresses are
 * made of. ES_ACCOUNT_ADDRESS for anything else: what Unicode, quotes or comments make alike for one program and
 * different for the next must not decide whose account it is. */
es_rv_t es_account_address_read(const char **address, const char *text, es_why_t *why, apr_pool_t *pool);
/* A domain of EntraSAMLAccountsDomains; the same in lower case, NULL where it is none. */
const char *es_account_domain_read(const char *text, apr_pool_t *pool);

/* A row of the database. Texts that are absent are NULL. */
typedef struct {
    const char *id;
    es_account_key_t key;   /* NULL, NULL: prepared for somebody who has not come yet */
    const char *connection; /* whom such a row is for: the id of a connection, 32 hex digits */
    const char *address;    /* and which of its users */
    es_account_state_t state;
} es_account_t;

/* What is known of the user who may be meant by prepared rows. Claims with several values are as good as none. */
typedef struct {
    const char *connection;        /* his, 32 hex digits */
    const char *tenant, *issuer;   /* his, verified; NULL where no tenant is known */
    const char *const *domains;    /* assigned to the connection, lower case; NULL-terminated, NULL: none */
    const char *address;           /* of EntraSAMLAccountsMatch's claim, as es_account_address_read makes it */
    const char *principal;         /* User Principal Name, whose domain the tenant has proven to own */
    const char *identity_provider; /* who knows his password: the issuer, unless he is a guest */
    const char *member;            /* acct: 0 member, 1 guest */
    int is_principal;              /* the address is the User Principal Name itself */
} es_account_person_t;

/* The row among those that the database has for the person's address that is to become his; *row = NULL: none is.
 * *bound: there is one that has become somebody else's. Rows of another address are passed over, whatever the database
 * takes for equal.
 *   ES_ACCOUNT_AMBIGUOUS    several are
 *   ES_ACCOUNT_CONNECTION   those there are were prepared for another connection
 *   ES_ACCOUNT_GUEST        he is a guest, or nothing proves that he is none
 *   ES_ACCOUNT_DOMAIN       the address's domain is not assigned to the connection
 *   ES_ACCOUNT_UNVERIFIED   the address is no User Principal Name, and his is absent or of a domain that is not assigned */
es_rv_t es_account_choose(const es_account_t **row, int *bound, const es_account_t *rows, int n_rows,
                          const es_account_person_t *person, es_why_t *why, apr_pool_t *pool);

/* The database. All functions may run in any thread at once. Any of them: ES_ACCOUNTS_DOWN, it cannot be reached;
 * ES_ACCOUNTS_FAULT, it was, and refused the statement or gave what is no answer; ES_ACCOUNTS_ROW, the rows that it gave are
 * none. Each changes one row in one statement
 * or none; to say it twice does no harm. */
typedef struct es_accounts_t es_accounts_t;
struct es_accounts_t {
    void *self;

    /* The rows of a key: one at most, unless the table lacks a unique key. */
    es_rv_t (*find)(const es_account_t **rows, int *n_rows, es_accounts_t *accounts, const es_account_key_t *key,
                    es_why_t *why, apr_pool_t *pool);
    /* The rows of an address. */
    es_rv_t (*match)(const es_account_t **rows, int *n_rows, es_accounts_t *accounts, const char *address,
                     es_why_t *why, apr_pool_t *pool);
    /* Gives a row that is nobody's to a key; *done = 0: it is somebody's by now. */
    es_rv_t (*bind)(int *done, es_accounts_t *accounts, const char *id, const es_account_key_t *key, apr_time_t now,
                    es_why_t *why, apr_pool_t *pool);
    /* Makes a row; *done = 0: the key has one. */
    es_rv_t (*create)(int *done, es_accounts_t *accounts, const es_account_key_t *key, const char *connection,
                      es_account_state_t state, apr_time_t now, es_why_t *why, apr_pool_t *pool);
    /* Sets the profile's columns, in their order (NULL: no such claim), and when the user was last seen. */
    es_rv_t (*profile)(es_accounts_t *accounts, const char *id, const char *const *values, int n_values, apr_time_t now,
                       es_why_t *why, apr_pool_t *pool);
};

/* A claim: its number where it is built in, else 0, and its short name. */
typedef struct {
    unsigned id;
    const char *name;
} es_account_claim_t;

/* What a virtual host says of accounts: immutable, made once. */
typedef struct {
    es_accounts_policy_t policy;
    es_accounts_t *database;
    es_trust_t *trust;                 /* which sessions were active lately */
    es_hash_t identity;                /* of database and key: apart from those of other hosts */
    apr_interval_time_t trusted;       /* EntraSAMLAccountsTrust */
    int trusts_when_down;              /* EntraSAMLAccountsWhenDown */
    const char *connection;            /* its id, 32 hex digits */
    const es_account_claim_t *key;     /* EntraSAMLAccountsKey; NULL: tenant and object id */
    const es_account_claim_t *match;   /* EntraSAMLAccountsMatch; NULL: prepared rows are not looked for */
    const char *const *domains;        /* EntraSAMLAccountsDomains; NULL-terminated, NULL: none */
    const es_account_claim_t *profile; /* EntraSAMLAccountsProfile */
    int n_profile;
} es_account_rules_t;

#endif
