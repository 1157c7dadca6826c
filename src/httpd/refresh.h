/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Metadata that keeps itself fresh, among the files that do it:
 *   source.c    where metadata comes from; one source for all hosts that say the same
 *   fetch.c     one conditional GET
 *   copyfile.c  the sealed copies in the state directory
 *   refresh.c   start, and the one process that looks after the sources: fetches, judges, writes the copy, raises the
 *               edition's number in shared memory
 *   adopt.c     every process: sees the number, opens the copy, makes the sites, replaces them
 *
 * Both of the latter run in threads of mod_watchdog, never in a request. The copy on disk is the one way from the former
 * to the latter, for files as for addresses.
 */
#ifndef MES_REFRESH_H
#define MES_REFRESH_H

#include "httpd/mes.h"

#include "entra/copy.h"
#include "entra/expiry.h"

#include <stdatomic.h>

/* What all processes know of a source: in anonymous shared memory, as long as the configuration. */
typedef struct {
    /* What the copy must hold: whoever else may write the folder can bring back an older one of ours. */
    _Atomic apr_uint64_t digest[ES_HASH_LEN / sizeof(apr_uint64_t)];
    atomic_uint edition;        /* how many copies were written */
    atomic_int is_wanted;       /* somebody met a key that is not in it */
    _Atomic apr_time_t asked;   /* when that last counted */
    _Atomic apr_time_t due;     /* the next fetch; of a file, the next look */
    atomic_uint failures;       /* in a row */
    atomic_int fault;           /* es_rv_t of the last try */
    _Atomic apr_uint64_t seen;  /* of a file: how it looked last time */
    _Atomic apr_uint64_t taken; /* and when it was last read */
    /* The keeper's alone; its lock hands them on. */
    apr_time_t looked;       /* when certificates were last looked at */
    es_expiry_seen_t warned; /* which were told of */
} mes_shared_t;

struct mes_source_t {
    const char *name;     /* the address, or the file's path */
    const char *identity; /* what tells it from others: name and whatever it is fetched and judged with */
    int is_file;
    const char *proxy;      /* NULL: none */
    es_bytes_t authorities; /* PEM; data NULL: the system's */
    apr_interval_time_t interval;
    apr_uint64_t look;           /* of a file: how it looked before it was read at start */
    apr_array_header_t *servers; /* of mes_server_t *; all judge a document alike */
    mes_shared_t *shared;
    /* This process's own, of adopt.c. */
    unsigned adopted;    /* the edition that holds here */
    unsigned complained; /* the edition whose failure was told */
    apr_time_t retry;
};

/* The refresh of a running configuration. */
struct mes_refresh_t {
    apr_array_header_t *sources; /* of mes_source_t * */
    atomic_uint *raised;         /* shared: moves with every edition of any source */
    const mes_state_t *state;
    mes_folder_t *folder;   /* of the copies */
    atomic_int is_stopping; /* this process is about to end */
    /* This process's own. */
    unsigned seen;    /* of *raised */
    apr_time_t swept; /* when slots were last swept */
    int is_late;      /* a source could not be adopted yet */
};

/* ---- fetch.c ------------------------------------------------------------------------------------------------- */

typedef struct {
    int is_unchanged; /* the validators still hold: there is no document */
    es_bytes_t document;
    const char *etag, *modified; /* as sent, "" where they were not */
} mes_fetched_t;

/* https only, no redirect followed, no more than MES_METADATA_MAX octets; ends soon when *is_stopping is set.
 * ES_METADATA_UNREACHABLE, ES_METADATA_TOO_LARGE. */
es_rv_t mes_fetch_get(mes_fetched_t *fetched, const mes_source_t *source, const es_copy_t *before,
                      const atomic_int *is_stopping, es_why_t *why, apr_pool_t *pool);

/* ---- copyfile.c ---------------------------------------------------------------------------------------------- */

/* A folder below the state directory that the server's user writes: of the copies, MES_COPYFILE_FOLDER, or of a database of
 * accounts. ES_CONFIG_STATE. */
#define MES_COPYFILE_FOLDER "metadata"
es_rv_t mes_copyfile_folder(mes_folder_t **folder, const mes_folder_t *parent, const char *name, es_why_t *why,
                            apr_pool_t *pool);
/* *copy = NULL: there is none. ES_METADATA_COPY. */
es_rv_t mes_copyfile_read(es_copy_t **copy, const mes_refresh_t *refresh, const mes_source_t *source, es_why_t *why,
                          apr_pool_t *pool);
es_rv_t mes_copyfile_write(const mes_refresh_t *refresh, const mes_source_t *source, const es_copy_t *copy,
                           es_why_t *why, apr_pool_t *pool);

/* ---- source.c ------------------------------------------------------------------------------------------------ */

/* The source of this host's metadata, known or made. ES_METADATA_MISSING, ES_CONFIG_TENANT, ES_CONFIG_VALUE,
 * ES_CONFIG_AUTHORITIES. */
es_rv_t mes_source_find(mes_source_t **source, mes_refresh_t *refresh, mes_server_t *conf, es_why_t *why,
                        apr_pool_t *pool);
/* How a file looks from outside: changes whenever it is written or replaced. 0: it is not there. */
apr_uint64_t mes_source_look(const char *path);
/* Is this the document that the last edition was raised for? */
void mes_source_sign(mes_shared_t *shared, es_bytes_t document);
int mes_source_is_signed(const mes_shared_t *shared, es_bytes_t document);
/* The shared part of all sources. ES_CONFIG_STATE. */
es_rv_t mes_source_share(mes_refresh_t *refresh, es_why_t *why, apr_pool_t *pool);

/* ---- adopt.c ------------------------------------------------------------------------------------------------- */

/* Makes the sites of all hosts of the source from the document, and puts them in place: all of them or none. */
es_rv_t mes_adopt_document(const mes_refresh_t *refresh, const mes_source_t *source, es_bytes_t document, es_why_t *why,
                           apr_pool_t *pool);
/* One look: adopts what others have raised, a bounded number at a time, and sweeps. */
void mes_adopt_all(mes_refresh_t *refresh, apr_pool_t *pool);

#endif
