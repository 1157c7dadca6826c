/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cookie.h"

#include <apr_strings.h>

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

const char *es_cookie_next(const char **cursor, const char *name, apr_pool_t *pool)
{
    const apr_size_t len = strlen(name);

    while (*cursor && **cursor) {
        const char *start = *cursor;
        const char *end = start + strcspn(start, ";");

        *cursor = *end ? end + 1 : end;
        while (start < end && is_blank(*start)) {
            start++;
        }
        while (end > start && is_blank(end[-1])) {
            end--;
        }
        if ((apr_size_t)(end - start) > len && start[len] == '=' && memcmp(start, name, len) == 0) {
            start += len + 1;
            return apr_pstrmemdup(pool, start, (apr_size_t)(end - start));
        }
    }
    return NULL;
}

const char *es_cookie_set(const char *name, const char *value, es_cookie_site_t site, apr_pool_t *pool)
{
    return apr_pstrcat(pool, name, "=", value,
                       "; Path=/; Secure; HttpOnly; SameSite=", site == ES_COOKIE_LAX ? "Lax" : "None",
                       *value ? "" : "; Max-Age=0", NULL);
}
