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

/* What both have in common: one search tells that a header has none of them. */
#define OURS "__Host-entra-s"

static int is_ours(const char *piece)
{
    while (*piece && (unsigned char)*piece <= ' ') {
        piece++;
    }
    return strncmp(piece, ES_COOKIE_SESSION, sizeof ES_COOKIE_SESSION - 1) == 0 ||
           strncmp(piece, ES_COOKIE_SIGNIN, sizeof ES_COOKIE_SIGNIN - 1) == 0;
}

/* Pieces end at ; or , and are kept together with the separator before them. The first that is kept has none, and no
 * blanks where something else stood before it. */
int es_cookie_strip(const char **rest, const char *header, apr_pool_t *pool)
{
    const char *from = header, *piece = header, *end;
    char *kept, *out;
    int found = 0;

    if (!strstr(header, OURS)) {
        return 0;
    }
    kept = out = apr_palloc(pool, strlen(header) + 1);
    for (;; from = end, piece = end + 1) {
        end = piece + strcspn(piece, ";,");
        if (is_ours(piece)) {
            found = 1;
        } else {
            if (found && out == kept) {
                from = piece + strspn(piece, " \t");
            }
            memcpy(out, from, (apr_size_t)(end - from));
            out += end - from;
        }
        if (!*end) {
            break;
        }
    }
    *out = '\0';
    if (found) {
        *rest = kept[strspn(kept, " \t;,")] ? kept : NULL;
    }
    return found;
}

const char *es_cookie_set(const char *name, const char *value, es_cookie_site_t site, apr_pool_t *pool)
{
    return apr_pstrcat(pool, name, "=", value,
                       "; Path=/; Secure; HttpOnly; SameSite=", site == ES_COOKIE_LAX ? "Lax" : "None",
                       *value ? "" : "; Max-Age=0", NULL);
}
