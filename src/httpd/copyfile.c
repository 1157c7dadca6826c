/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The copies' folder belongs to the server's user, because an unprivileged child writes it; the parent made it and opened
 * it. Whatever is found there is foreign until its seal is broken: no link is followed, nothing but a plain file of a
 * sane size is read, also by the parent with its own rights.
 */
#include "httpd/refresh.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unixd.h>

#define OVERHEAD 1024 /* what a copy is larger than its document, at most */

static apr_status_t close_folder(void *context)
{
    close(((mes_folder_t *)context)->fd);
    return APR_SUCCESS;
}

es_rv_t mes_copyfile_folder(mes_folder_t **folder, const mes_folder_t *parent, const char *name, es_why_t *why,
                            apr_pool_t *pool)
{
    mes_folder_t *opened = apr_pcalloc(pool, sizeof *opened);
    struct stat info;

    opened->name = apr_pstrcat(pool, parent->name, "/", name, NULL);
    if (mkdirat(parent->fd, name, S_IRWXU) != 0 && errno != EEXIST) {
        return es_fail(why, ES_CONFIG_STATE, "folder %.500s cannot be made: %s", opened->name, strerror(errno));
    }
    opened->fd = openat(parent->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (opened->fd < 0) {
        return es_fail(why, ES_CONFIG_STATE, "folder %.500s cannot be opened: %s", opened->name, strerror(errno));
    }
    apr_pool_cleanup_register(pool, opened, close_folder, apr_pool_cleanup_null);
    if (fstat(opened->fd, &info) != 0 || (info.st_mode & (S_IWGRP | S_IWOTH))) {
        return es_fail(why, ES_CONFIG_STATE, "folder %.500s may be written by others than the server's user",
                       opened->name);
    }
    if (geteuid() == 0 && info.st_uid != ap_unixd_config.user_id &&
        fchown(opened->fd, ap_unixd_config.user_id, ap_unixd_config.group_id) != 0) {
        return es_fail(why, ES_CONFIG_STATE, "folder %.500s cannot be given to the server's user: %s", opened->name,
                       strerror(errno));
    }
    *folder = opened;
    return ES_OK;
}

static es_rv_t read_whole(es_bytes_t *content, int fd, const char *name, es_why_t *why, apr_pool_t *pool)
{
    struct stat info;
    unsigned char *data;
    apr_size_t size, len = 0;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > MES_METADATA_MAX + OVERHEAD) {
        return es_fail(why, ES_METADATA_COPY, "%.500s is not a plain file of at most %d octets", name,
                       MES_METADATA_MAX + OVERHEAD);
    }
    size = (apr_size_t)info.st_size;
    data = apr_palloc(pool, size + 1);
    while (len < size) {
        const ssize_t n = read(fd, data + len, size - len);

        if (n <= 0) {
            return es_fail(why, ES_METADATA_COPY, "%.500s cannot be read whole", name);
        }
        len += (apr_size_t)n;
    }
    *content = es_bytes(data, size);
    return ES_OK;
}

es_rv_t mes_copyfile_read(es_copy_t **copy, const mes_refresh_t *refresh, const mes_source_t *source, es_why_t *why,
                          apr_pool_t *pool)
{
    const char *file = es_copy_name(source->identity, pool);
    const char *name = apr_pstrcat(pool, refresh->folder->name, "/", file, NULL);
    es_why_t cause = ES_WHY_INIT;
    es_bytes_t sealed;
    es_copy_t *opened;
    es_rv_t rv;
    int fd = openat(refresh->folder->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        *copy = NULL;
        return ES_OK;
    }
    if (fd < 0) {
        return es_fail(why, ES_METADATA_COPY, "%.500s cannot be opened: %s", name, strerror(errno));
    }
    rv = read_whole(&sealed, fd, name, why, pool);
    close(fd);
    if (rv != ES_OK) {
        return rv;
    }
    if ((rv = es_copy_open(&opened, sealed, source->identity, &refresh->state->key, &cause, pool)) != ES_OK) {
        return es_fail(why, rv, "%.500s, the copy of %.200s: %.200s", name, source->name, cause.text);
    }
    *copy = opened;
    return ES_OK;
}

static int write_whole(int fd, es_bytes_t content)
{
    while (content.len > 0) {
        const ssize_t n = write(fd, content.data, content.len);

        if (n <= 0) {
            return 0;
        }
        content = es_bytes(content.data + n, content.len - (apr_size_t)n);
    }
    return fsync(fd) == 0;
}

/* Under a name of its own first: whoever reads finds the old one or the new one, whole. */
es_rv_t mes_copyfile_write(const mes_refresh_t *refresh, const mes_source_t *source, const es_copy_t *copy,
                           es_why_t *why, apr_pool_t *pool)
{
    const char *file = es_copy_name(source->identity, pool);
    const char *draft = apr_psprintf(pool, "%s.%ld", file, (long)getpid());
    es_bytes_t sealed;
    es_rv_t rv = es_copy_seal(&sealed, copy, source->identity, &refresh->state->key, why, pool);
    int fd;

    if (rv != ES_OK) {
        return rv;
    }
    unlinkat(refresh->folder->fd, draft, 0); /* of a crash, by the same number */
    fd = openat(refresh->folder->fd, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0 || !write_whole(fd, sealed) || renameat(refresh->folder->fd, draft, refresh->folder->fd, file) != 0) {
        rv = es_fail(why, ES_METADATA_COPY, "%.500s/%s, the copy of %.200s, cannot be written: %s",
                     refresh->folder->name, file, source->name, strerror(errno));
        unlinkat(refresh->folder->fd, draft, 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rv;
}
