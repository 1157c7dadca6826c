/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/guid.h"

#include <apr_lib.h>
#include <apr_strings.h>

const char *es_guid_read(const char *text, apr_pool_t *pool)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    char *lower;
    int i;

    if (strlen(text) != ES_GUID_LEN) {
        return NULL;
    }
    lower = apr_pstrdup(pool, text);
    for (i = 0; i < ES_GUID_LEN; i++) {
        if (shape[i] == '-' ? text[i] != '-' : !apr_isxdigit(text[i])) {
            return NULL;
        }
        lower[i] = (char)apr_tolower(text[i]);
    }
    return lower;
}
