/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command entra-saml: what its files share. It links the library, and neither httpd nor anything that only httpd
 * needs.
 */
#ifndef CLI_H
#define CLI_H

#include "base/es.h"

/* Exit codes; docs/entra-saml.1 has them too. */
enum { CLI_DONE = 0, CLI_NOT_FOUND = 1, CLI_USAGE = 2, CLI_FAILED = 3 };

/* What stands on the command line behind the verb. */
typedef struct {
    const char *driver, *params; /* never NULL */
    const char *state;           /* --state, else NULL */
    const char *connection;      /* --connection */
    const char *tenant, *object; /* --tenant, --object */
    int is_pending;              /* --pending */
    int n_names;
    const char *const *names;
} cli_asked_t;

/* Tells on standard error, after the program's name; returns the code. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* entra-saml accounts VERB: accounts.c */
int cli_accounts(const char *verb, const cli_asked_t *asked, apr_pool_t *pool);

#endif
