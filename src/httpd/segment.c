/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The segment file: shared memory with a name, so that sessions and replay marks survive graceful and full restarts.
 *
 * Its lock says who may repair it. The parent holds an exclusive flock, which belongs to the open file and is therefore
 * its children's too (flock(2)): as long as one of them lives, nobody else gets it. Who does get it at a fresh start
 * is alone, and may re-make the mutexes that a dead process left locked. At a restart within the same parent the
 * descriptor is kept, children of the old generation may still be at work, and nothing is repaired.
 *
 * Each configuration maps the file anew, before its children are forked, and the parent unmaps it with the
 * configuration. Children never unmap: a child belongs to one generation, and its threads may be in the memory until
 * the process ends.
 */
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
#define USERDATA "entra_saml segment"
#define ATTEMPTS 8
#define PATIENCE_MS 5000
#define STEP_MS 50

/* What outlives a configuration: in the pool of the process. */
typedef struct {
    const char *folder;
    int fd;
} held_t;

typedef struct {
    void *memory;
    apr_size_t size;
    pid_t owner;
} mapping_t;

static apr_status_t unmap(void *context)
{
    mapping_t *mapping = context;

    if (mapping->memory != MAP_FAILED && mapping->owner == getpid()) {
        munmap(mapping->memory, mapping->size);
        mapping->memory = MAP_FAILED;
    }
    return APR_SUCCESS;
}

static es_rv_t fail(const mes_folder_t *folder, const char *what, es_why_t *why)
{
    return es_fail(why, ES_CONFIG_STATE, "%s %.500s/" SEGMENT_FILE ": %s", what, folder->name, strerror(errno));
}

/* Sessions are nothing for a core file. */
static es_rv_t map(mapping_t **mapping, int fd, apr_size_t size, const mes_folder_t *folder, es_why_t *why,
                   apr_pool_t *pool)
{
    mapping_t *made = apr_pcalloc(pool, sizeof *made);

    made->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (made->memory == MAP_FAILED) {
        return fail(folder, "cannot map", why);
    }
    made->size = size;
    made->owner = getpid();
    apr_pool_cleanup_register(pool, made, unmap, apr_pool_cleanup_null);
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

/* The file's room is taken at once: in a sparse file on a full file system a write would end in SIGBUS. */
static es_rv_t lay_out(es_shm_t **shm, int fd, apr_size_t size, const mes_folder_t *folder, es_why_t *why,
                       apr_pool_t *pool)
{
    mapping_t *mapping;
    es_rv_t rv;

    errno = posix_fallocate(fd, 0, (off_t)size);
    if (errno != 0) {
        rv = fail(folder, "no room for", why);
        unlinkat(folder->fd, SEGMENT_FILE, 0);
        return rv;
    }
    if ((rv = map(&mapping, fd, size, folder, why, pool)) != ES_OK ||
        (rv = es_shm_format(mapping->memory, size, why)) != ES_OK) {
        return rv;
    }
    return es_shm_attach(shm, mapping->memory, size, why, pool);
}

/* Attaches to what is there; *shm stays NULL when it is none of ours, or damaged. */
static es_rv_t attach(es_shm_t **shm, es_why_t *damage, int fd, apr_size_t size, const mes_folder_t *folder,
                      es_why_t *why, apr_pool_t *pool)
{
    mapping_t *mapping;
    es_rv_t rv = map(&mapping, fd, size, folder, why, pool);

    if (rv == ES_OK && es_shm_attach(shm, mapping->memory, size, damage, pool) != ES_OK) {
        *shm = NULL;
        apr_pool_cleanup_run(pool, mapping, unmap);
    }
    return rv;
}

/* A file that nobody else has: uses it, lays it out, or puts it out of the way and leaves *shm NULL. */
static es_rv_t take(es_shm_t **shm, const char **note, int fd, apr_size_t size, const mes_folder_t *folder,
                    es_why_t *why, apr_pool_t *pool)
{
    es_why_t damage = ES_WHY_INIT;
    struct stat info;
    es_rv_t rv;

    if (fstat(fd, &info) != 0) {
        return fail(folder, "cannot look at", why);
    }
    if (info.st_size == 0) {
        return lay_out(shm, fd, size, folder, why, pool);
    }
    if ((rv = attach(shm, &damage, fd, (apr_size_t)info.st_size, folder, why, pool)) != ES_OK) {
        return rv;
    }
    if (*shm && (apr_size_t)info.st_size == size && es_shm_recover(*shm, &damage) == ES_OK) {
        return ES_OK;
    }
    if (*shm && damage.rv == ES_OK) {
        unlinkat(folder->fd, SEGMENT_FILE, 0);
        *note = apr_psprintf(pool,
                             "%s/" SEGMENT_FILE " changes its size from %" APR_OFF_T_FMT " to %" APR_SIZE_T_FMT
                             " octets: all sessions have ended",
                             folder->name, (apr_off_t)info.st_size, size);
    } else {
        renameat(folder->fd, SEGMENT_FILE, folder->fd, DAMAGED_FILE);
        *note = apr_psprintf(pool, "%s/" SEGMENT_FILE " was put aside as " DAMAGED_FILE ", all sessions have ended: %s",
                             folder->name, damage.text);
    }
    *shm = NULL;
    return ES_OK;
}

static es_rv_t open_fresh(es_shm_t **shm, int *fd, const char **note, apr_size_t size, const mes_folder_t *folder,
                          es_why_t *why, apr_pool_t *pool)
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
        if ((rv = take(shm, note, *fd, size, folder, why, pool)) == ES_OK && *shm) {
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
static es_rv_t open_again(es_shm_t **shm, const char **note, const held_t *held, apr_size_t size,
                          const mes_folder_t *folder, es_why_t *why, apr_pool_t *pool)
{
    es_why_t damage = ES_WHY_INIT;
    struct stat info;
    es_rv_t rv;

    if (fstat(held->fd, &info) != 0) {
        return fail(folder, "cannot look at", why);
    }
    if ((rv = attach(shm, &damage, held->fd, (apr_size_t)info.st_size, folder, why, pool)) != ES_OK) {
        return rv;
    }
    if (!*shm) {
        renameat(folder->fd, SEGMENT_FILE, folder->fd, DAMAGED_FILE);
        *note = apr_psprintf(pool, "%s/" SEGMENT_FILE " was put aside as " DAMAGED_FILE ", all sessions have ended: %s",
                             folder->name, damage.text);
    } else if ((apr_size_t)info.st_size != size) {
        *note = apr_psprintf(pool,
                             "%s/" SEGMENT_FILE " keeps its size of %" APR_OFF_T_FMT
                             " octets until the server is stopped and started",
                             folder->name, (apr_off_t)info.st_size);
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

es_rv_t mes_segment_open(es_shm_t **segment, const char **note, const mes_folder_t *folder, apr_size_t size,
                         apr_pool_t *process, es_why_t *why, apr_pool_t *pool)
{
    const apr_size_t page = 4096;
    es_shm_t *shm = NULL;
    held_t *held = NULL;
    es_rv_t rv;
    int fd;

    size = (size + page - 1) / page * page;
    apr_pool_userdata_get((void **)&held, USERDATA, process);
    if (held && strcmp(held->folder, folder->name) == 0 &&
        (rv = open_again(&shm, note, held, size, folder, why, pool)) != ES_OK) {
        return rv;
    }
    if (!shm) {
        if ((rv = open_fresh(&shm, &fd, note, size, folder, why, pool)) != ES_OK) {
            return rv;
        }
        hold(folder, fd, held, process);
    }
    *segment = shm;
    return ES_OK;
}
