/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The segment file: shared memory with a name, so that sessions and replay marks survive graceful and full restarts.
 *
 * Its lock says who may repair it. The parent holds an exclusive flock, which belongs to the open file and is therefore
 * its children's too (flock(2)): as long as one of them lives, nobody else gets it. Who does get it at a fresh start
 * is alone, and may re-make the mutexes that a dead process left locked. At a restart within the same parent the
 * descriptor is kept, children of the old generation may still be at work, and nothing is repaired.
 *
 * Being alone, a fresh start may also give the file another size: what is alive goes into a new file beside the old one,
 * locked before it gets the name. Killed at any moment in between, the name leads to the old file or the new one, whole.
 *
 * Each configuration maps the file anew, before its children are forked (mapping.h).
 */
#include "httpd/mapping.h"
#include "httpd/mes.h"

#include "session/shm.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_FILE "entra_saml.seg"
#define DAMAGED_FILE SEGMENT_FILE ".damaged"
#define DRAFT_FILE SEGMENT_FILE ".new"
#define USERDATA "entra_saml segment"
#define ATTEMPTS 8
#define PATIENCE_MS 5000
#define STEP_MS 50

/* What outlives a configuration: in the pool of the process. */
typedef struct {
    const char *folder;
    int fd;
} held_t;

static es_rv_t fail(const mes_folder_t *folder, const char *what, es_why_t *why)
{
    return es_fail(why, ES_CONFIG_STATE, "%s %.500s/" SEGMENT_FILE ": %s", what, folder->name, strerror(errno));
}

/* Sessions are nothing for a core file. */
static es_rv_t map(mes_mapping_t **mapping, int fd, apr_size_t size, const mes_folder_t *folder, es_why_t *why,
                   apr_pool_t *pool)
{
    mes_mapping_t *made = mes_mapping_make(fd, size, pool);

    if (!made) {
        return fail(folder, "cannot map", why);
    }
    madvise(made->memory, size, MADV_DONTDUMP);
    *mapping = made;
    return ES_OK;
}

/* Waits for children that a killed parent left behind to go; longer than their last requests nobody should wait. */
static int lock_within_patience(int fd)
{
    int waited;

    for (waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += STEP_MS) {
        if (errno != EWOULDBLOCK || waited >= PATIENCE_MS) {
            return 0;
        }
        apr_sleep(apr_time_from_msec(STEP_MS));
    }
    return 1;
}

/* Opens or creates, and locks. *fd = -1 without failure: the name means another file by now, try again. */
static es_rv_t open_locked(int *fd, const mes_folder_t *folder, es_why_t *why)
{
    struct stat info, named;
    es_rv_t rv = ES_OK;
    int opened = openat(folder->fd, SEGMENT_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);

    if (opened < 0) {
        return fail(folder, "cannot open", why);
    }
    if (fstat(opened, &info) != 0) {
        rv = fail(folder, "cannot look at", why);
    } else if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & (S_IRWXG | S_IRWXO))) {
        rv = es_fail(why, ES_CONFIG_STATE,
                     "%.500s/" SEGMENT_FILE
                     " is not a file of mode 0600 that belongs to the user that starts the server",
                     folder->name);
    } else if (!lock_within_patience(opened)) {
        rv = es_fail(why, ES_CONFIG_STATE,
                     "%.500s/" SEGMENT_FILE " is in use by another server, or by children of one that was killed: stop "
                     "them, or give this server a state directory of its own",
                     folder->name);
    }
    if (rv == ES_OK && (fstatat(folder->fd, SEGMENT_FILE, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
                        named.st_ino != info.st_ino || named.st_dev != info.st_dev)) {
        close(opened);
        opened = -1;
    }
    if (rv != ES_OK) {
        close(opened);
        return rv;
    }
    *fd = opened;
    return ES_OK;
}

/* The file's room is taken at once: in a sparse file on a full file system a write would end in SIGBUS. `name` is the
 * file's, which goes where there is no room. */
static es_rv_t lay_out(es_shm_t **shm, int fd, const char *name, const mes_sizes_t *sizes, const mes_folder_t *folder,
                       es_why_t *why, apr_pool_t *pool)
{
    const apr_size_t size = sizes->all;
    mes_mapping_t *mapping = NULL;
    es_rv_t rv;

    errno = posix_fallocate(fd, 0, (off_t)size);
    if (errno != 0) {
        rv = es_fail(why, ES_CONFIG_STATE, "no room for the %" APR_SIZE_T_FMT " octets of %.500s/%s: %s", size,
                     folder->name, name, strerror(errno));
        unlinkat(folder->fd, name, 0);
        return rv;
    }
    if ((rv = map(&mapping, fd, size, folder, why, pool)) != ES_OK ||
        (rv = es_shm_format_with(mapping->memory, size, sizes->ring, why)) != ES_OK) {
        return rv;
    }
    return es_shm_attach(shm, mapping->memory, size, why, pool);
}

/* Attaches to what is there; *shm stays NULL when it is none of ours, or damaged. */
static es_rv_t attach(es_shm_t **shm, mes_mapping_t **mapping, es_why_t *damage, int fd, apr_size_t size,
                      const mes_folder_t *folder, es_why_t *why, apr_pool_t *pool)
{
    es_rv_t rv = map(mapping, fd, size, folder, why, pool);

    if (rv == ES_OK && es_shm_attach(shm, (*mapping)->memory, size, damage, pool) != ES_OK) {
        *shm = NULL;
        mes_mapping_end(*mapping, pool);
    }
    return rv;
}

/* An empty file beside the segment, locked; what a start that was killed left there goes. */
static es_rv_t open_draft(int *draft, const mes_folder_t *folder, es_why_t *why)
{
    int opened;

    unlinkat(folder->fd, DRAFT_FILE, 0);
    opened = openat(folder->fd, DRAFT_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (opened < 0 || flock(opened, LOCK_EX | LOCK_NB) != 0) {
        es_rv_t rv = fail(folder, "cannot make another file beside", why);

        if (opened >= 0) {
            close(opened);
        }
        return rv;
    }
    *draft = opened;
    return ES_OK;
}

/* Fills the draft from *shm and gives it the name. Returns ES_MARKS_FULL where it is too small for the marks. */
static es_rv_t fill_draft(es_shm_t **shm, es_carried_t *carried, int draft, const mes_sizes_t *sizes,
                          const mes_folder_t *folder, es_why_t *why, apr_pool_t *pool)
{
    es_shm_t *made;
    es_rv_t rv = lay_out(&made, draft, DRAFT_FILE, sizes, folder, why, pool);

    if (rv == ES_OK) {
        rv = es_shm_carry(carried, made, *shm, apr_time_now(), why, pool);
    }
    if (rv == ES_OK && renameat(folder->fd, DRAFT_FILE, folder->fd, SEGMENT_FILE) != 0) {
        rv = fail(folder, "cannot replace", why);
    }
    if (rv == ES_OK) {
        *shm = made;
    }
    return rv;
}

/* What becomes of the file, for the log. */
static const char *describe(apr_size_t before, const mes_sizes_t *sizes, apr_pool_t *pool)
{
    return before == sizes->all
               ? apr_psprintf(pool, "was laid out anew with %" APR_SIZE_T_FMT " octets for what is preserved",
                              sizes->ring)
               : apr_psprintf(pool, "changed its size from %" APR_SIZE_T_FMT " to %" APR_SIZE_T_FMT " octets", before,
                              sizes->all);
}

/* Another size, with all that is alive. When a smaller file would forget marks in force, so that what they guard could
 * be used again, the old one stays. */
static es_rv_t change_size(es_shm_t **shm, int *fd, const char **note, mes_mapping_t *old, const mes_sizes_t *sizes,
                           const mes_folder_t *folder, es_why_t *why, apr_pool_t *pool)
{
    es_why_t cause = ES_WHY_INIT;
    es_carried_t carried;
    apr_pool_t *fresh;
    int draft = -1;
    es_rv_t rv = open_draft(&draft, folder, why);

    if (rv != ES_OK) {
        return rv;
    }
    apr_pool_create(&fresh, pool);
    if ((rv = fill_draft(shm, &carried, draft, sizes, folder, &cause, fresh)) == ES_OK) {
        *note =
            apr_psprintf(pool,
                         "%s/" SEGMENT_FILE " %s: carried %" APR_UINT64_T_FMT " sessions and %" APR_UINT64_T_FMT
                         " marks over, left %" APR_UINT64_T_FMT " sessions behind",
                         folder->name, describe(old->size, sizes, pool), carried.sessions, carried.marks, carried.left);
        mes_mapping_end(old, pool);
        close(*fd);
        *fd = draft;
        return ES_OK;
    }
    apr_pool_destroy(fresh);
    unlinkat(folder->fd, DRAFT_FILE, 0);
    close(draft);
    if (rv == ES_MARKS_FULL) {
        *note = apr_psprintf(pool,
                             "%s/" SEGMENT_FILE " keeps its size of %" APR_SIZE_T_FMT " octets until the server is "
                             "started again: in %" APR_SIZE_T_FMT " there is no room for the replay marks in force",
                             folder->name, old->size, sizes->all);
        return ES_OK;
    }
    return es_fail(why, rv, "%s; the sessions there are stay in the old file of %" APR_SIZE_T_FMT " octets", cause.text,
                   old->size);
}

static void put_aside(const char **note, const mes_folder_t *folder, const es_why_t *damage, apr_pool_t *pool)
{
    renameat(folder->fd, SEGMENT_FILE, folder->fd, DAMAGED_FILE);
    *note = apr_psprintf(pool, "%s/" SEGMENT_FILE " was put aside as " DAMAGED_FILE ", all sessions have ended: %s",
                         folder->name, damage->text);
}

/* A file that nobody else has: uses it, lays it out, changes its size, or puts it out of the way and leaves *shm NULL.
 * Never closes *fd without opening another. */
static es_rv_t take(es_shm_t **shm, int *fd, const char **note, const mes_sizes_t *sizes, const mes_folder_t *folder,
                    es_why_t *why, apr_pool_t *pool)
{
    es_why_t damage = ES_WHY_INIT;
    mes_mapping_t *mapping;
    struct stat info;
    es_rv_t rv;

    if (fstat(*fd, &info) != 0) {
        return fail(folder, "cannot look at", why);
    }
    if (info.st_size == 0) {
        return lay_out(shm, *fd, SEGMENT_FILE, sizes, folder, why, pool);
    }
    if ((rv = attach(shm, &mapping, &damage, *fd, (apr_size_t)info.st_size, folder, why, pool)) != ES_OK) {
        return rv;
    }
    if (*shm && es_shm_recover(*shm, &damage) == ES_OK) {
        return mapping->size == sizes->all && es_shm_ring_size(*shm) == sizes->ring
                   ? ES_OK
                   : change_size(shm, fd, note, mapping, sizes, folder, why, pool);
    }
    put_aside(note, folder, &damage, pool);
    *shm = NULL;
    return ES_OK;
}

static es_rv_t open_fresh(es_shm_t **shm, int *fd, const char **note, const mes_sizes_t *sizes,
                          const mes_folder_t *folder, es_why_t *why, apr_pool_t *pool)
{
    int attempt;

    for (attempt = 0; attempt < ATTEMPTS; attempt++) {
        es_rv_t rv = open_locked(fd, folder, why);

        if (rv != ES_OK) {
            return rv;
        }
        if (*fd < 0) {
            continue;
        }
        if ((rv = take(shm, fd, note, sizes, folder, why, pool)) == ES_OK && *shm) {
            return ES_OK;
        }
        close(*fd);
        if (rv != ES_OK) {
            return rv;
        }
    }
    return es_fail(why, ES_CONFIG_STATE, "%.500s/" SEGMENT_FILE " is replaced again and again by somebody",
                   folder->name);
}

/* A restart within the same parent: the file is held, children of the last generation may be at work in it. */
static es_rv_t open_again(es_shm_t **shm, const char **note, const held_t *held, const mes_sizes_t *sizes,
                          const mes_folder_t *folder, es_why_t *why, apr_pool_t *pool)
{
    es_why_t damage = ES_WHY_INIT;
    mes_mapping_t *mapping;
    struct stat info;
    es_rv_t rv;

    if (fstat(held->fd, &info) != 0) {
        return fail(folder, "cannot look at", why);
    }
    if ((rv = attach(shm, &mapping, &damage, held->fd, (apr_size_t)info.st_size, folder, why, pool)) != ES_OK) {
        return rv;
    }
    if (!*shm) {
        put_aside(note, folder, &damage, pool);
    } else if ((apr_size_t)info.st_size != sizes->all || es_shm_ring_size(*shm) != sizes->ring) {
        *note = apr_psprintf(pool,
                             "%s/" SEGMENT_FILE " keeps its size of %" APR_OFF_T_FMT
                             " octets%s until the server is stopped and "
                             "started",
                             folder->name, (apr_off_t)info.st_size,
                             es_shm_ring_size(*shm) == sizes->ring ? "" : ", and the room for what is preserved,");
    }
    return ES_OK;
}

static void hold(const mes_folder_t *folder, int fd, held_t *old, apr_pool_t *process)
{
    held_t *held = old ? old : apr_pcalloc(process, sizeof *held);

    if (old) {
        close(old->fd); /* children of the last generation have theirs */
    }
    held->folder = apr_pstrdup(process, folder->name);
    held->fd = fd;
    apr_pool_userdata_setn(held, USERDATA, apr_pool_cleanup_null, process);
}

es_rv_t mes_segment_open(es_shm_t **segment, const char **note, const mes_folder_t *folder, const mes_sizes_t *wanted,
                         apr_pool_t *process, es_why_t *why, apr_pool_t *pool)
{
    const apr_size_t page = 4096;
    mes_sizes_t sizes = { (wanted->all + page - 1) / page * page, 0 };
    es_shm_t *shm = NULL;
    held_t *held = NULL;
    es_rv_t rv;
    int fd;

    if ((rv = es_shm_ring(&sizes.ring, sizes.all, wanted->ring, why)) != ES_OK) {
        return rv;
    }
    apr_pool_userdata_get((void **)&held, USERDATA, process);
    if (held && strcmp(held->folder, folder->name) == 0 &&
        (rv = open_again(&shm, note, held, &sizes, folder, why, pool)) != ES_OK) {
        return rv;
    }
    if (!shm) {
        if ((rv = open_fresh(&shm, &fd, note, &sizes, folder, why, pool)) != ES_OK) {
            return rv;
        }
        hold(folder, fd, held, process);
    }
    *segment = shm;
    return ES_OK;
}
