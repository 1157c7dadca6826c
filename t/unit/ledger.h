/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A database of accounts in memory, for tests of what asks it: it does as it is told, also wrong.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "session/account.h"

#define LEDGER_ROWS 16

extern es_accounts_t ledger;
extern es_account_t ledger_rows[LEDGER_ROWS];
extern int ledger_n_rows;
extern int ledger_asked;               /* questions of all kinds */
extern es_rv_t ledger_silence;         /* ES_OK, or what every question is answered with */
extern es_rv_t ledger_refuses;         /* what `bind` and `create` are answered with after they were done */
extern void (*ledger_meanwhile)(void); /* once, just before the next `bind` or `create` */
extern const char *ledger_profile[8];  /* the last profile written */
extern int ledger_n_profile;

/* Nothing in it, nothing wrong with it. */
void ledger_open(void);
/* A row; NULL for what it lacks. Its id is its place. */
void ledger_add(const char *authority, const char *subject, const char *connection, const char *address,
                es_account_state_t state);

#endif
