/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The glue's shared types, and what each of its files offers to the others. Only the files of this folder and
 * mod_entra_saml.c include httpd; none of them knows anything of SAML.
 *
 * Everything configured is written once, before the first request, and never again: requests of all threads read it
 * without a lock. What depends on Entra's metadata is replaced as a whole while the server runs, and a request keeps what
 * it began with.
 */
#ifndef MES_H
#define MES_H

#include <httpd.h>

#include <ap_expr.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

#include "base/fold.h"
#include "base/slot.h"
#include "flow/flow.h"
#include "policy/group.h"
#include "policy/visitor.h"
#include "session/shm.h"

#define MES_AUTH_TYPE "entra-saml"
#define MES_PREFIX "ENTRA_"
/* Behind a header's name: the header that says how many of its values are left out. */
#define MES_MISSING "-Missing"

extern module AP_MODULE_DECLARE_DATA entra_saml_module;

/* ---- configuration as written: directives.c, value.c, condition.c, conf.c, said.c, watch.c --------------------- */

/* Directives of a server, and of a location; the slots of their values. */
typedef enum {
    MES_TENANT,
    MES_APPLICATION,
    MES_CLOUD,
    MES_METADATA,
    MES_METADATA_REFRESH,
    MES_METADATA_SIGNER,
    MES_METADATA_CA,
    MES_METADATA_PROXY,
    MES_ENTITY_ID,
    MES_ISSUER,
    MES_AUDIENCE,
    MES_ALLOWED_TENANTS,
    MES_BASE_URL,
    MES_PATH,
    MES_REPLY_URL,
    MES_DEFAULT_PAGE,
    MES_CLOCK_SKEW,
    MES_REMOTE_USER,
    MES_REMOTE_USER_MATCH,
    MES_REMOTE_USER_LOWER,
    MES_REMOTE_USER_STRIP,
    MES_CLAIM,
    MES_GROUP,
    MES_REQUIRED_CLAIMS,
    MES_SESSION_CLAIMS,
    MES_SESSIONS_FROM,
    MES_RESPONSE_LIMIT,
    MES_PAGE_TEMPLATE,
    MES_SESSIONS_PER_USER,
    MES_SESSION_COOKIE,
    MES_SINGLE_LOGOUT,
    MES_UNSIGNED_LOGOUT,
    MES_SIGNING,
    MES_DECRYPTION,
    MES_AUTHN_CONTEXT,
    MES_IDP_INITIATED,
    MES_RELAY_STATE_ALLOW,
    MES_ACCOUNTS,
    MES_ACCOUNTS_DATABASE,
    MES_ACCOUNTS_STATEMENT,
    MES_ACCOUNTS_KEY,
    MES_ACCOUNTS_MATCH,
    MES_ACCOUNTS_DOMAINS,
    MES_ACCOUNTS_PROFILE,
    MES_ACCOUNTS_TRUST,
    MES_ACCOUNTS_WHEN_DOWN,
    MES_STATE_DIRECTORY,
    MES_SHARED_MEMORY,
    MES_WHEN_FULL,
    MES_PRESERVE_MEMORY,
    MES_SERVER_SLOTS
} mes_server_slot_t;
typedef enum {
    MES_LIFETIME,
    MES_IDLE,
    MES_FRESH_SIGN_IN,
    MES_UNAUTHENTICATED,
    MES_PRESERVE_POST,
    MES_PREFLIGHT,
    MES_PASS_COOKIES,
    MES_STEP_UP,
    MES_LOCATION_SLOTS
} mes_location_slot_t;

/* What EntraSAMLWhenFull, EntraSAMLUnauthenticated and EntraSAMLStepUp can say, in the order of their choices. */
enum { MES_WHEN_FULL_EVICT, MES_WHEN_FULL_REFUSE };
enum { MES_ACCOUNTS_OFF }; /* the policies come behind it, in their order */
enum { MES_UNAUTHENTICATED_AUTO, MES_UNAUTHENTICATED_REDIRECT, MES_UNAUTHENTICATED_401 };
enum { MES_STEP_UP_OFF, MES_STEP_UP_FRESH, MES_STEP_UP_MFA };

/* One directive's value. */
typedef struct {
    const ap_directive_t *at;       /* where it was said; NULL: nowhere, the rest is the default */
    const char *text;               /* of one argument */
    apr_int64_t number;             /* of a time (microseconds), a size (octets), a choice (index), a number */
    const apr_array_header_t *list; /* of const char *, of several arguments; NULL where there are none */
    /* Of a choice under conditions: the lines that have one, for condition.c. */
    const apr_array_header_t *conditions;
} mes_value_t;

/* MellonEnable (number: it demands a session) and MellonEndpointPath of a section. */
typedef struct {
    mes_value_t enable, path;
} mes_mellon_t;

/* What a section gives to the application: plan.h. */
typedef struct mes_carried_t mes_carried_t;

/* A section: <Directory>, <Location>, <Files>, <If>, .htaccess, or the server around them. */
typedef struct {
    mes_value_t *value; /* of MES_LOCATION_SLOTS; merged sections share them and never write */
    int is_said;        /* this section, or one merged into it, says at least one of them */
    /* What httpd's own directives say here. */
    const ap_directive_t *ours_at;  /* AuthType entra-saml */
    const ap_directive_t *claim_at; /* a Require claim */
    const ap_directive_t *user_at;  /* a Require valid-user or Require user */
    int is_other;                   /* another AuthType */
    int is_merging;                 /* AuthMerging And, or Or */
    int n_rules;                    /* Require lines */
    int is_open;                    /* all comers are granted */
    int is_bare;                    /* AuthType entra-saml without a rule of the same place */
    int is_noted;                   /* among its server's sections */
    const char *path;               /* of the section; NULL for the server's own */
    mes_mellon_t *mellon;           /* what another module's directives say here; NULL: nothing */
    const mes_carried_t *carried;   /* what it says of exports; NULL: nothing */
} mes_location_t;

/* Directives of other modules that concern a whole server: ShibCompatValidUser (number), OIDCRedirectURI (text). */
typedef enum { MES_SHIB_VALID_USER, MES_OIDC_REDIRECT, MES_BESIDE_SLOTS } mes_beside_slot_t;

typedef struct mes_site_t mes_site_t;
typedef struct mes_state_t mes_state_t;
typedef struct mes_source_t mes_source_t;
typedef struct mes_refresh_t mes_refresh_t;
typedef struct mes_database_t mes_database_t;
typedef struct mes_lines_t mes_lines_t;

/* What SSLEngine says: TLS for whoever comes, or not. */
typedef enum { MES_TLS_UNSAID, MES_TLS_OFF, MES_TLS_ON } mes_tls_t;

/* The main server or a virtual host. */
typedef struct {
    mes_value_t value[MES_SERVER_SLOTS];
    mes_value_t beside[MES_BESIDE_SLOTS];
    apr_array_header_t *sections; /* of mes_location_t *: those said here that concern us */
    apr_array_header_t *parts;    /* of mes_part_t *: those sections that say what is exported (plan.h) */
    const char *host;             /* ServerName as written: its host, and its port or 0 */
    int port;
    const mes_value_t *largest_post; /* of EntraSAMLPreservePost of any section */
    mes_tls_t tls;
    apr_interval_time_t keep;                            /* the longest EntraSAMLSessionLifetime of any section */
    const es_pair_t *const *signing, *const *decryption; /* made by judge; NULL where there are none */
    /* Made by judge; NULL where nothing says where metadata comes from. */
    es_slot_t *slot;              /* of the mes_site_t that holds at the moment */
    mes_source_t *source;         /* of its metadata */
    mes_database_t *database;     /* of accounts; NULL where they are off */
    const char *template;         /* the page */
    pid_t owner;                  /* the parent */
    apr_array_header_t *from;     /* of const mes_server_t *: the hosts of EntraSAMLSessionsFrom; NULL: not said */
    mes_state_t *state;           /* of the main server: what all sites share, NULL when there is no site */
    const es_fold_set_t *inbound; /* request headers that nobody may send; NULL: there are none */
    /* Of const server_rec *: all hosts that have a site with this one's public address, itself among them. */
    const apr_array_header_t *alike;
} mes_server_t;

extern const command_rec mes_directives[];
/* What nobody said: the directives' defaults, in an array of MES_SERVER_SLOTS, MES_LOCATION_SLOTS. */
void mes_directives_default_server(mes_value_t *values);
void mes_directives_default_location(mes_value_t *values);
void *mes_conf_make_server(apr_pool_t *pool, server_rec *server);
void *mes_conf_merge_server(apr_pool_t *pool, void *base, void *add);
void *mes_conf_make_location(apr_pool_t *pool, char *path);
void *mes_conf_merge_location(apr_pool_t *pool, void *base, void *add);

mes_server_t *mes_conf_server(const server_rec *server);
/* A list, NULL-terminated; NULL where there is none. */
const char *const *mes_conf_names(const mes_value_t *value, apr_pool_t *pool);
/* EntraSAMLClaim's and EntraSAMLGroup's pairs. */
const es_claim_alias_t *mes_conf_aliases(int *n_aliases, const mes_value_t *value, apr_pool_t *pool);
const es_group_t *mes_conf_groups(int *n_groups, const mes_value_t *value, apr_pool_t *pool);
/* What a directive's function returns to httpd, which puts file and line before it. */
const char *mes_conf_error(const cmd_parms *cmd, const es_why_t *why);

/* A choice under conditions: a further line of the directive, "expr=EXPRESSION" (ES_CONFIG_VALUE); and which of its lines
 * holds for a request: the first whose expression is true, else the one without. */
es_rv_t mes_condition_add(mes_value_t *value, apr_int64_t choice, const char *text, const cmd_parms *cmd,
                          es_why_t *why);
apr_int64_t mes_condition_choose(const mes_value_t *value, request_rec *r);
/* What httpd says of a directive nobody knows, unless its owner (the name of a source file) is there. */
const char *mes_watch_check_owner(const cmd_parms *cmd, const char *owner);
/* Puts the section among those of its server that are judged; .htaccess files are not. */
void mes_watch_note_section(const cmd_parms *cmd, mes_location_t *location);

/* The lines that say what is exported: one setter, which finds this in cmd->info. */
typedef enum {
    MES_SAY_PREFIX,
    MES_SAY_VARIABLE,
    MES_SAY_ALLOWED,
    MES_SAY_DENIED,
    MES_SAY_VALUES,
    MES_SAY_HEADER,
    MES_SAY_HEADER_PREFIX,
    MES_SAY_LIMIT
} mes_say_t;
const char *mes_said_set(cmd_parms *cmd, void *location, int argc, char *const argv[]);

const char *mes_watch_auth_type(cmd_parms *cmd, void *location, const char *args);
const char *mes_watch_require(cmd_parms *cmd, void *location, const char *args);
const char *mes_watch_merging(cmd_parms *cmd, void *location, const char *args);
const char *mes_watch_server_name(cmd_parms *cmd, void *location, const char *args);
const char *mes_watch_ssl_engine(cmd_parms *cmd, void *location, const char *args);

/* ---- configuration as judged: judge.c, site.c, sections.c, agree.c, scope.c, names.c, pairs.c, state.c, segment.c */

/* What all sites of the server share. Made by judge, filled by mes_state_open. */
struct mes_state_t {
    const char *const *names;       /* ENTRA_… of the built-in claims, by their number */
    const es_fold_set_t *variables; /* all that a claim may be, in any section of any host */
    int is_planned;                 /* some section says what is exported */
    int is_sending;                 /* and sends headers */
    mes_refresh_t *refresh;
    apr_array_header_t *databases; /* of mes_database_t *: of accounts, each once */
    es_trust_t *trust;             /* NULL where no host has accounts */
    es_seal_key_t key;
    es_shm_t *shm;
    es_store_t *store; /* over it */
    pid_t owner;       /* the parent */
};

/* A virtual host with Entra in front of it, as long as one and the same metadata holds: never written after it was made.
 * Before the first metadata of a server that fetches it, is_ready is 0: the connection then knows addresses and entity
 * ID, but neither its id, cookies nor metadata, and flow.request is NULL. */
struct mes_site_t {
    int is_ready;
    es_site_t flow;
    const es_connection_t *connection; /* the flow's */
    const mes_state_t *state;
    const es_groups_t *groups;
    unsigned claim_groups, claim_groups_link; /* numbers of these claims */
    const char *metadata;                     /* ours, as XML */
    const char *template;                     /* the server's */
    const apr_array_header_t *from;           /* the server's */
    const char *policy;                       /* of pages: Content-Security-Policy */
    const char *resend_policy;                /* of the one that sends a form again */
    const char *framed_policy;                /* of one in a frame */
    apr_size_t response_limit;
};

/* The largest metadata document; Microsoft's own have some 30 KiB. */
#define MES_METADATA_MAX (4 * 1024 * 1024)

/* Judges a document by all that the host says (NULL data: what can be judged without), and makes the connection of it.
 * `before` is the issuer of the document before; NULL: none, or any will do. Needs no lasso, so that it may run beside
 * mes_site_make. */
es_rv_t mes_site_judge(es_connection_t **connection, const mes_server_t *conf, es_bytes_t document, const char *before,
                       es_why_t *why, apr_pool_t *pool);
/* A pool for one edition of a site, which no other pool's end takes along: in a child, threads may be using it until the
 * process ends. */
apr_pool_t *mes_site_make_pool(void);
/* Does a site of this host agree with those that other hosts have now? ES_CONFIG_SHARED. */
es_rv_t mes_agree_check(const mes_server_t *conf, const mes_site_t *site, es_why_t *why);
/* Do two hosts mean the same by a user name and by the short name of a claim? */
int mes_agree_names(const mes_server_t *a, const mes_server_t *b);
/* Are two hosts with their sites of one connection? */
int mes_agree_connection(const mes_server_t *a, const mes_site_t *site, const mes_server_t *b, const mes_site_t *other);
/* Finds the hosts of EntraSAMLSessionsFrom, once all have their first site. ES_CONFIG_SESSIONS_FROM. */
es_rv_t mes_scope_find(mes_server_t *conf, const mes_server_t *main_conf, const mes_refresh_t *refresh, es_why_t *why);
/* Makes a site of what is configured and a metadata document (NULL data: none yet) in the pool. Runs at start, and in a
 * running child at each new document, there as the unprivileged user: it opens no file and changes nothing outside the
 * pool. What directives name is read once, by judge.c's prepare. */
es_rv_t mes_site_make(const mes_site_t **site, const mes_server_t *conf, es_bytes_t document, const mes_state_t *state,
                      es_why_t *why, apr_pool_t *pool);
/* A file whole, NUL behind it; `fault` for anything that prevents it. */
es_rv_t mes_judge_read_file(es_bytes_t *content, const char *path, apr_size_t limit, es_rv_t fault, es_why_t *why,
                            apr_pool_t *pool);
/* Tells of every section of the host that cannot work, and returns how many there are. */
int mes_sections_judge(const mes_server_t *conf, int has_site);

/* Makes the plans of all sections, tells of every two things under one name, and returns how many there are. */
int mes_names_judge(const server_rec *main_server, apr_pool_t *pconf, apr_pool_t *ptemp);
/* Fills in, here and in every host, what a client may not send. */
void mes_names_collect(mes_state_t *state, server_rec *main_server, apr_pool_t *pool);
int mes_judge_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server);
/* The key pairs of EntraSAMLSigningCertificate or EntraSAMLDecryptionCertificate; *pairs = NULL where it is not said.
 * Key files are for the parent's eyes: to be called while it has the rights it was started with. Reasons PAIR_…. */
es_rv_t mes_pairs_load(const es_pair_t *const **pairs, const mes_value_t *value, es_why_t *why, apr_pool_t *pool);
int mes_state_open(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server);
#define MES_KEY_FOLDER "/var/lib/entra_saml"
#define MES_ACCOUNTS_FOLDER "accounts"

/* A folder for files of ours; name is for messages. Files in it are opened relative to fd. */
typedef struct {
    const char *name;
    int fd;
} mes_folder_t;

/* Accounts: accountrules.c, accounts.c, accountauthz.c. The database of a host, known to the state or made. *rules = NULL:
 * accounts are off. ES_CONFIG_ACCOUNTS. */
es_rv_t mes_accountrules_find(mes_database_t **database, mes_state_t *state, const mes_server_t *conf,
                              const mes_server_t *main_conf, es_why_t *why, apr_pool_t *pool);
es_rv_t mes_accountrules_make(const es_account_rules_t **rules, const mes_server_t *conf,
                              const es_connection_t *connection, const mes_state_t *state, es_why_t *why,
                              apr_pool_t *pool);
/* Memory that all processes of the server share, from its start to its end. ES_CONFIG_STATE. */
es_rv_t mes_accountrules_share(es_trust_t **trust, apr_pool_t *process, es_why_t *why);
/* The folder of the default database, where one is used. ES_CONFIG_STATE. */
es_rv_t mes_accountrules_folder(const mes_state_t *state, const mes_folder_t *parent, es_why_t *why, apr_pool_t *pool);
/* A child's connections, made when they are needed. */
void mes_accounts_begin(apr_pool_t *pchild, server_rec *main_server);
void mes_accountauthz_register(apr_pool_t *pool);

/* The running server's shared memory; NULL when no virtual host has a site. */
es_shm_t *mes_state_shm(void);

/* After the state is open: metadata from the copies, and whoever looks after it from then on. ES_CONFIG_STATE,
 * ES_CONFIG_WATCHDOG. */
es_rv_t mes_refresh_start(mes_refresh_t *refresh, es_why_t *why, apr_pool_t *pconf, apr_pool_t *ptemp);
/* A child that is born after the start, before it has threads: what holds now takes the place of what the parent began
 * with, so that not one request meets a key that was withdrawn, or no metadata. */
void mes_adopt_begin(apr_pool_t *pchild, server_rec *main_server);
/* A response was signed by a key that the host's metadata does not have. Any thread. */
void mes_refresh_ask(const mes_server_t *conf, apr_time_t now);

/* Octets of the shared memory, and of the ring in it; 0: the default for that memory. */
typedef struct {
    apr_size_t all, ring;
} mes_sizes_t;

/* The segment file in the folder, mapped. `process` outlives configurations: the descriptor that holds the lock lives
 * there. *note = a sentence for the log about what had to be done, NULL when nothing. ES_CONFIG_STATE. */
es_rv_t mes_segment_open(es_shm_t **segment, const char **note, const mes_folder_t *folder, const mes_sizes_t *wanted,
                         apr_pool_t *process, es_why_t *why, apr_pool_t *pconf);

/* Which hosts have one public address; after all sites are made. */
void mes_plain_judge(server_rec *main_server, apr_pool_t *pconf);

/* ---- a request: request.c ------------------------------------------------------------------------------------ */

typedef enum {
    MES_ENDPOINT_NONE,
    MES_ENDPOINT_ACS,
    MES_ENDPOINT_LOGIN,
    MES_ENDPOINT_LOGOUT,
    MES_ENDPOINT_METADATA,
    MES_ENDPOINT_SESSION,
    MES_ENDPOINT_RESEND
} mes_endpoint_t;

/* A Require line of ours (authz.h). Of those that were not in the user's favour so many are told in the log. */
typedef struct mes_rule_t mes_rule_t;
#define MES_FAILED_MAX 8

/* What we know of one request_rec. */
typedef struct {
    mes_endpoint_t endpoint; /* claimed by translate_name */
    es_rv_t resumed;         /* why there is no session; ES_OK: there is */
    const char *cause;       /* the sentence to it */
    int is_resumed;          /* the session was looked for here, not by an outer request */
    const void *ours_in;     /* the per-directory configuration in which resume found our AuthType */
    const void *exported_in; /* the one for which variables and headers were set, where any section says which */
    int is_judging;          /* inside our own call of access_checker_ex */
    int is_own;              /* the answer is ours: never to be stored */
    int n_failed;            /* lines of ours that were against the user, and the first of them */
    const mes_rule_t *failed[MES_FAILED_MAX];
    int is_groups_unknown;     /* one of them asks for groups that Entra left out */
    int is_waiting;            /* the account is pending, and a rule spoke of that */
    es_request_kind_t step_up; /* the sign-in that may change the rules' mind, ES_REQUEST_PLAIN: none */
    int is_passed;             /* the rules let it in */
    int is_preflight;          /* let in as one, without a session */
    es_edition_t *edition;     /* of the site, on the request that came from the browser; NULL: not asked for yet */
    const es_site_t *const *others; /* of EntraSAMLSessionsFrom; kept likewise */
    const char *cookies;            /* as the browser sent them, on its own request; NULL: none of ours was there */
    const char *cookies_left;       /* the same without ours; NULL: nothing is left */
    int are_hidden;                 /* they were looked for, and ours taken out; on its own request too */
    int are_passed;                 /* some location has put ours back */
    const void *looked_in;     /* the per-directory configuration in which an expression looked for the session ahead of
                               * authorization */
    const es_session_t *ahead; /* what it found; NULL: none */
    int is_claim_asked;        /* an expression asked for a claim although there is no session */
    es_session_t session;
} mes_request_t;

/* The request's own, made where there is none; NULL from find when there is none. */
mes_request_t *mes_request_get(request_rec *r);
mes_request_t *mes_request_find(const request_rec *r);
/* The request that came from the browser: r itself, or the one that it is a subrequest or an internal redirect of. */
request_rec *mes_request_first(const request_rec *r);

/* The virtual host's site, the same for the whole of a request with its subrequests and internal redirects, and good
 * until the request's pool goes. NULL: no Entra in front of this host. */
const mes_site_t *mes_request_site(request_rec *r);
/* What is in a slot now, good as long. */
es_edition_t *mes_request_take(request_rec *r, es_slot_t *slot);
/* The other sites whose sessions are good here and that have metadata, as es_flow_t wants them. */
const es_site_t *const *mes_scope_others(request_rec *r, const mes_site_t *site);
const mes_location_t *mes_request_location(const request_rec *r);
/* Does its section say how old the sign-in at Entra may be? */
int mes_request_wants_fresh(const request_rec *r);
/* The sign-in that this takes. */
es_request_kind_t mes_request_kind(const request_rec *r);
/* Is it in a section with AuthType entra-saml? */
int mes_request_is_ours(request_rec *r);
/* The session httpd's authorization saw for this request: its own, or that of the outer request or the one redirected
 * from, where httpd took over their verdict. NULL when there is none. */
const es_session_t *mes_request_session(const request_rec *r);
/* The same of what resume noted: NULL where authorization has not come to it in one of our sections. */
const mes_request_t *mes_request_judged(const request_rec *r);
/* Is there a session that a sign-on from here raises (es_flow_t): a good one, or one good but for the age of its
 * sign-in? */
int mes_request_is_known(const mes_request_t *request);
/* Is it the ErrorDocument of a failed request? */
int mes_request_is_error_document(const request_rec *r);
/* The page first asked for, as the browser's address line has it. */
const char *mes_request_landing(const request_rec *r);
/* What the flow needs to know of it; is_known = 0, for who knows better to set. */
void mes_request_flow(es_flow_t *flow, request_rec *r, const mes_site_t *site);
/* es_resume_find with the lifetime and idle limit of the section that it is in. At an endpoint these are as good as any:
 * the page that it leads to has limits of its own, and the last word. */
es_rv_t mes_request_resume(es_session_t *session, const request_rec *r, const es_flow_t *flow, es_why_t *why);
es_visitor_t mes_request_visitor(const request_rec *r);
/* Will the answer be shown in a frame? */
int mes_request_is_framed(const request_rec *r);

/* ---- the outside: io.c, body.c, pages.c ---------------------------------------------------------------------- */

/* What a page offers its reader. */
typedef enum {
    MES_OFFER_NONE,
    MES_OFFER_AGAIN,
    MES_OFFER_GO_ON,
    MES_OFFER_SIGN_IN,
    MES_OFFER_SIGN_IN_ANEW,
    MES_OFFER_SIGN_IN_MFA,
    MES_OFFER_SIGN_OUT,
    MES_OFFER_ANEW_OR_OUT,
    MES_OFFER_MFA_OR_OUT,
    MES_OFFER_WAIT
} mes_offer_t;

typedef struct {
    const char *title, *text;
    const char *reason, *remedy, *reference; /* "" where the page is no refusal */
    const char *action;                      /* HTML */
    const es_aadsts_t *error;                /* of Entra, NULL where it is none */
    apr_time_t time;
    int is_framed; /* it may be shown in a frame, of any site */
} mes_page_t;

/* Configuration: an error, or a note, about a directive (or none), on stderr as httpd's own. */
void mes_io_config_error(const es_why_t *why, const ap_directive_t *at);
/* What works, but perhaps not as it is meant: said by `httpd -t` and at each start, not at a restart. */
void mes_io_config_warning(const es_why_t *why, const ap_directive_t *at);
/* A running server, outside of requests: a fault, at warning and counted as those of requests; a plain event. */
void mes_io_report(es_rv_t rv, const char *sentence);
void mes_io_event(const char *sentence);
void mes_io_config_note(const server_rec *server, const char *note);

/* Logs without answering: a reason at its own level; a plain event at info; a step for whoever debugs. Every reason and
 * every sign-in that is logged, here or by refuse, is counted too, whatever LogLevel lets through. */
void mes_io_log(request_rec *r, es_rv_t rv, const char *sentence);
void mes_io_log_signin(request_rec *r, const mes_site_t *site, const es_acs_report_t *report);
/* request_id: of the message of Entra's that asked for it, NULL when the user did. */
void mes_io_log_signout(request_rec *r, const mes_site_t *site, int ended, const char *request_id);
void mes_io_trace(request_rec *r, const char *step, const char *detail);
int mes_io_is_tracing(const request_rec *r);

/* The functions below answer; their value is the hook's. Refuse logs, and answers with the page, JSON for programs, or
 * the status alone where an ErrorDocument is configured for it. */
int mes_io_refuse(request_rec *r, const mes_site_t *site, const es_why_t *why, mes_offer_t offer);
/* The same for an error of Entra, whose code and identifiers go on the page. */
int mes_io_refuse_by_entra(request_rec *r, const mes_site_t *site, const es_why_t *why, const es_aadsts_t *error);
/* 405 with Allow (RFC 9110 section 15.5.6): these methods, NULL for no second. httpd has the page. */
int mes_io_refuse_method(request_rec *r, const char *first, const char *second);
int mes_io_redirect(request_rec *r, const es_answer_t *answer);
/* is_all: at Entra too. */
int mes_io_signed_out(request_rec *r, const mes_site_t *site, int is_all);
int mes_io_metadata(request_rec *r, const mes_site_t *site);
/* For scripts: JSON, and a refusal in JSON whoever asks, with the address of a sign-in where one would help (or NULL). */
int mes_io_json(request_rec *r, const char *json);
int mes_io_refuse_json(request_rec *r, const mes_site_t *site, const es_why_t *why, const char *sign_in);
/* A page with a form that is sent again. */
int mes_io_resend(request_rec *r, const mes_site_t *site, const mes_page_t *page);
/* Adds the answer's cookies to whatever is sent. */
void mes_io_set_cookies(request_rec *r, const es_answer_t *answer);

/* The body of a POSTed form, whole. ES_FORM_TOO_LARGE above the limit, ES_FORM_MALFORMED for another content type or a
 * body that does not arrive. */
es_rv_t mes_body_read(es_bytes_t *body, request_rec *r, apr_size_t limit, es_why_t *why);
/* The same of any content type. */
es_rv_t mes_body_read_any(es_bytes_t *body, request_rec *r, apr_size_t limit, es_why_t *why);

const char *mes_pages_make(const mes_page_t *page, const mes_site_t *site, apr_pool_t *pool);
const char *mes_pages_title(es_rv_t rv);
/* `landing`: the page to sign in for, or to sign out from, whose query may say where to return; NULL for the default.
 * is_framed: the link opens in the whole window. */
const char *mes_pages_action(mes_offer_t offer, const char *landing, int is_framed, const mes_site_t *site,
                             apr_pool_t *pool);
/* The page of EntraSAMLPageTemplate, or the built-in one for NULL. ES_CONFIG_TEMPLATE. */
es_rv_t mes_pages_load(const char **template, const char *file, es_why_t *why, apr_pool_t *pool);
/* Its Content-Security-Policy. The forms on it may lead to slo_url (NULL: there is none). */
const char *mes_pages_policy(const char *template, const char *slo_url, apr_pool_t *pool);
/* That of the page that sends a form again, by this script or by its button. */
const char *mes_pages_resend_policy(const char *template, const char *script, apr_pool_t *pool);
/* The policy of the one page that may be shown in a frame. */
const char *mes_pages_framed_policy(const char *template, apr_pool_t *pool);

/* ---- hooks; mod_entra_saml.c says where and why -------------------------------------------------------------- */

int mes_expression_find(ap_expr_lookup_parms *parms);
int mes_expression_register_log(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);

/* The session of the request, by the limits of the section that it is in by now, without noting that it was used. Reasons
 * of es_resume_look and es_session_check_fresh. */
es_rv_t mes_gate_look(es_session_t *session, request_rec *r, const mes_site_t *site, es_why_t *why);
int mes_gate_resume(request_rec *r);
void mes_gate_follow(request_rec *r);
int mes_gate_judge(request_rec *r);
int mes_gate_signon(request_rec *r);
int mes_gate_pass(request_rec *r);

int mes_preflight_admit(request_rec *r);
int mes_preflight_hold(request_rec *r);

/* For a request without TLS whose page is there with it: leads to it. DECLINED where it is not, or where the browser has
 * TLS to somebody in front of us. */
int mes_plain_move(request_rec *r, const mes_site_t *site);
/* May this request, which needs a sign-in, be answered by a redirect to it? */
int mes_gate_redirects(request_rec *r, es_visitor_t visitor);
/* The answer to a signed-in user whom the rules deny. */
int mes_denial_answer(request_rec *r, mes_request_t *request);

/* MES_ENDPOINT_NONE where none has this address. */
mes_endpoint_t mes_endpoint_find(const mes_site_t *site, const char *path);
int mes_endpoint_protect(request_rec *r);
int mes_endpoint_claim(request_rec *r);
int mes_endpoint_map(request_rec *r);
int mes_endpoint_type(request_rec *r);
int mes_endpoint_admit(request_rec *r);
int mes_endpoint_handle(request_rec *r);
int mes_serve_acs(request_rec *r, const mes_site_t *site);
int mes_serve_login(request_rec *r, const mes_site_t *site);
int mes_serve_metadata(request_rec *r, const mes_site_t *site);
int mes_resend_serve(request_rec *r, const mes_site_t *site);
const char *mes_resend_policy(const char *template, apr_pool_t *pool);

/* Is this a person's form, in a section that keeps forms while their senders sign in? Then start keeps it, and sends the
 * browser to Entra; or answers why it does not. */
int mes_preserve_applies(request_rec *r, es_visitor_t visitor);
int mes_preserve_start(request_rec *r, const mes_site_t *site, const mes_request_t *request);
int mes_logout_serve(request_rec *r, const mes_site_t *site);
int mes_tell_serve(request_rec *r, const mes_site_t *site);

int mes_export_environment(request_rec *r);
void mes_export_settle(request_rec *r);
const char *const *mes_export_names(apr_pool_t *pool);

int mes_cookies_hide(request_rec *r);
int mes_cookies_settle(request_rec *r);
void mes_cookies_insert(request_rec *r);
/* The Cookie header of the browser where a cookie of ours is in it, else NULL. */
const char *mes_cookies_sent(const request_rec *r);

void mes_guard_register(void);
int mes_guard_headers(request_rec *r);
void mes_guard_insert(request_rec *r);

int mes_status_show(request_rec *r, int flags);

void mes_authz_register(apr_pool_t *pool);
/* Is the provider of this name ours? */
int mes_authz_is_ours(const char *name);

#endif
