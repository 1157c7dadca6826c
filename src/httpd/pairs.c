/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The key pairs of the configuration, from their files. The parent opens them with the rights it was started with, as
 * mod_ssl does, so that the server's own user need not, and should not, be able to read a private key.
 */
#include "httpd/mes.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256 * 1024)

/* A group may read, since administrators share keys that way (Debian's ssl-cert); nobody else, and only the owner
 * writes. */
static es_rv_t check_private(int fd, const char *path, es_why_t *why)
{
    struct stat info;

    if (fstat(fd, &info) != 0 || (info.st_uid != geteuid() && info.st_uid != 0)) {
        return es_fail(why, ES_PAIR_UNREADABLE,
                       "%.500s does not belong to the user that starts the server, nor to root", path);
    }
    if (info.st_mode & (S_IWGRP | S_IRWXO)) {
        return es_fail(why, ES_PAIR_UNREADABLE, "%.500s has mode %04o: others may read or write it", path,
                       (unsigned)(info.st_mode & 07777));
    }
    return ES_OK;
}

static es_rv_t read_text(es_bytes_t *text, int fd, const char *path, es_why_t *why, apr_pool_t *pool)
{
    struct stat info;
    char *data;
    ssize_t len;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > FILE_MAX) {
        return es_fail(why, ES_PAIR_UNREADABLE, "%.500s is no file, or larger than %d octets", path, FILE_MAX);
    }
    data = apr_palloc(pool, (apr_size_t)info.st_size + 1);
    len = read(fd, data, (apr_size_t)info.st_size);
    if (len != info.st_size) {
        return es_fail(why, ES_PAIR_UNREADABLE, "%.500s cannot be read whole", path);
    }
    *text = es_bytes(data, (apr_size_t)len);
    return ES_OK;
}

static es_rv_t read_file(es_bytes_t *text, const char *path, int is_private, es_why_t *why, apr_pool_t *pool)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    es_rv_t rv = ES_OK;

    if (fd < 0) {
        return es_fail(why, ES_PAIR_UNREADABLE, "%.500s cannot be opened: %s", path, strerror(errno));
    }
    if (is_private) {
        rv = check_private(fd, path, why);
    }
    if (rv == ES_OK) {
        rv = read_text(text, fd, path, why, pool);
    }
    close(fd);
    return rv;
}

static es_rv_t load(const es_pair_t **pair, const char *certificate_file, const char *key_file, es_why_t *why,
                    apr_pool_t *pool)
{
    es_why_t cause = ES_WHY_INIT;
    es_bytes_t certificate, key;
    es_rv_t rv;

    if ((rv = read_file(&certificate, certificate_file, 0, why, pool)) != ES_OK ||
        (rv = read_file(&key, key_file, 1, why, pool)) != ES_OK) {
        return rv;
    }
    rv = es_pair_load(pair, certificate, key, &cause, pool);
    es_crypto_wipe((void *)key.data, key.len);
    return rv == ES_OK ? rv : es_fail(why, rv, "%.300s, %.300s: %.300s", certificate_file, key_file, cause.text);
}

es_rv_t mes_pairs_load(const es_pair_t *const **pairs, const mes_value_t *value, es_why_t *why, apr_pool_t *pool)
{
    const int count = value->list ? value->list->nelts / 2 : 0;
    const es_pair_t **made = apr_pcalloc(pool, (apr_size_t)(count + 1) * sizeof *made);
    es_rv_t rv;
    int i;

    for (i = 0; i < count; i++) {
        rv = load(&made[i], APR_ARRAY_IDX(value->list, 2 * i, const char *),
                  APR_ARRAY_IDX(value->list, 2 * i + 1, const char *), why, pool);
        if (rv != ES_OK) {
            return rv;
        }
    }
    *pairs = count ? (const es_pair_t *const *)made : NULL;
    return ES_OK;
}
