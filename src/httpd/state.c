/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What survives restarts: the key file and the segment file, opened by the parent with its own rights and inherited by
 * the children, so that a program running as the server's user can neither read the key nor write a session.
 */
#include "httpd/refresh.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <http_main.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_FOLDER "/run/apache2"
#define KEY_FILE "key"

static apr_status_t close_folder(void *context)
{
    close(((mes_folder_t *)context)->fd);
    return APR_SUCCESS;
}

/* Whoever else may write the folder could put files of his own in the place of ours. */
static es_rv_t open_folder(mes_folder_t **folder, const char *name, es_why_t *why, apr_pool_t *pool)
{
    mes_folder_t *opened = apr_pcalloc(pool, sizeof *opened);
    struct stat info;

    /* Others may have to pass: the default of the segment is httpd's own runtime folder. The files are 0600. */
    if (mkdir(name, 0755) != 0 && errno != EEXIST) {
        return es_fail(why, ES_CONFIG_STATE, "folder %.500s cannot be made: %s", name, strerror(errno));
    }
    opened->name = name;
    opened->fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened->fd < 0) {
        return es_fail(why, ES_CONFIG_STATE, "folder %.500s cannot be opened: %s", name, strerror(errno));
    }
    apr_pool_cleanup_register(pool, opened, close_folder, apr_pool_cleanup_null);
    if (fstat(opened->fd, &info) != 0 || (info.st_uid != geteuid() && info.st_uid != 0) ||
        (info.st_mode & (S_IWGRP | S_IWOTH))) {
        return es_fail(why, ES_CONFIG_STATE,
                       "folder %.500s does not belong to the user that starts the server, or others may write it",
                       name);
    }
    *folder = opened;
    return ES_OK;
}

static int write_whole(int fd, const es_seal_key_t *key)
{
    return write(fd, key->octet, sizeof key->octet) == (ssize_t)sizeof key->octet && fsync(fd) == 0;
}

/* Under a name of its own first, then linked: two servers starting at once both end with the key of the first, and a
 * crash leaves no half of one. */
static es_rv_t make_key(const mes_folder_t *folder, es_why_t *why, apr_pool_t *pool)
{
    const char *draft = apr_psprintf(pool, KEY_FILE ".%ld", (long)getpid());
    es_seal_key_t key;
    es_rv_t rv = es_crypto_random(key.octet, sizeof key.octet, why);
    int fd;

    if (rv != ES_OK) {
        return rv;
    }
    unlinkat(folder->fd, draft, 0); /* of a crash, by the same number */
    fd = openat(folder->fd, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0 || !write_whole(fd, &key) ||
        (linkat(folder->fd, draft, folder->fd, KEY_FILE, 0) != 0 && errno != EEXIST)) {
        rv = es_fail(why, ES_CONFIG_STATE, "key file %.500s/" KEY_FILE " cannot be made: %s", folder->name,
                     strerror(errno));
    }
    es_crypto_wipe(&key, sizeof key);
    if (fd >= 0) {
        close(fd);
        unlinkat(folder->fd, draft, 0);
        fsync(folder->fd);
    }
    return rv;
}

static es_rv_t read_key(es_seal_key_t *key, int fd, const char *folder, es_why_t *why)
{
    struct stat info;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
        (info.st_mode & (S_IRWXG | S_IRWXO))) {
        return es_fail(why, ES_CONFIG_STATE,
                       "%.500s/" KEY_FILE " is not a file of mode 0600 that belongs to the user that starts the server",
                       folder);
    }
    if (info.st_size != (off_t)sizeof key->octet ||
        read(fd, key->octet, sizeof key->octet) != (ssize_t)sizeof key->octet) {
        return es_fail(why, ES_CONFIG_STATE,
                       "%.500s/" KEY_FILE " is not %d octets: restore it, or remove it to have a new one made", folder,
                       (int)sizeof key->octet);
    }
    return ES_OK;
}

static es_rv_t open_key(es_seal_key_t *key, const mes_folder_t *folder, es_why_t *why, apr_pool_t *pool)
{
    int fd = openat(folder->fd, KEY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    es_rv_t rv;

    if (fd < 0 && errno == ENOENT) {
        if ((rv = make_key(folder, why, pool)) != ES_OK) {
            return rv;
        }
        fd = openat(folder->fd, KEY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0) {
        return es_fail(why, ES_CONFIG_STATE, "%.500s/" KEY_FILE " cannot be opened: %s", folder->name, strerror(errno));
    }
    rv = read_key(key, fd, folder->name, why);
    close(fd);
    return rv;
}

/* In the parent only: a child's pools go while its threads may still be sealing with the key. */
static apr_status_t wipe_key(void *context)
{
    mes_state_t *state = context;

    if (state->owner == getpid()) {
        es_crypto_wipe(&state->key, sizeof state->key);
    }
    return APR_SUCCESS;
}

static es_rv_t open_state(mes_state_t *state, const char **note, const mes_server_t *conf, apr_pool_t *process,
                          es_why_t *why, apr_pool_t *pool)
{
    const mes_sizes_t sizes = { (apr_size_t)conf->value[MES_SHARED_MEMORY].number,
                                (apr_size_t)conf->value[MES_PRESERVE_MEMORY].number };
    const char *name = conf->value[MES_STATE_DIRECTORY].text;
    mes_folder_t *folder;
    es_rv_t rv;

    if ((rv = open_folder(&folder, name ? name : MES_KEY_FOLDER, why, pool)) != ES_OK ||
        (rv = open_key(&state->key, folder, why, pool)) != ES_OK ||
        (rv = mes_copyfile_folder(&state->refresh->folder, folder, MES_COPYFILE_FOLDER, why, pool)) != ES_OK ||
        (rv = mes_accountrules_folder(state, folder, why, pool)) != ES_OK) {
        return rv;
    }
    state->owner = getpid();
    apr_pool_cleanup_register(pool, state, wipe_key, apr_pool_cleanup_null);
    if (!name && (rv = open_folder(&folder, SEGMENT_FOLDER, why, pool)) != ES_OK) {
        return rv;
    }
    rv = mes_segment_open(&state->shm, note, folder, &sizes, process, why, pool);
    if (rv == ES_OK) {
        state->store = es_shm_store(state->shm);
        es_shm_refuse_when_full(state->shm, conf->value[MES_WHEN_FULL].number == MES_WHEN_FULL_REFUSE);
    }
    return rv;
}

/* httpd runs post_config in a first pass only to see whether it works; files are for the pass that stays. */
int mes_state_open(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    const mes_server_t *conf = mes_conf_server(main_server);
    const char *note = NULL;
    es_why_t why = ES_WHY_INIT;

    (void)plog;
    if (!conf->state || ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (open_state(conf->state, &note, conf, main_server->process->pool, &why, pconf) != ES_OK) {
        mes_io_config_error(&why, conf->value[MES_STATE_DIRECTORY].at);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (note) {
        mes_io_config_note(main_server, note);
    }
    if (mes_refresh_start(conf->state->refresh, &why, pconf, ptemp) != ES_OK) {
        mes_io_config_error(&why, NULL);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

es_shm_t *mes_state_shm(void)
{
    const mes_state_t *state = mes_conf_server(ap_server_conf)->state;

    return state ? state->shm : NULL;
}
