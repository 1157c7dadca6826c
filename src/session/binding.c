/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The binding cookie's text: the token in base64url (22 characters) and, where there is anything to remember, '.' and in
 * base64url
 *
 *   | session 32, or nothing | visits, of each: landing 4 | at 4 | count 1 |      the most significant octet first
 *
 * A visit has nine octets, so that the length tells whether there is a session.
 */
#include "session/binding.h"

#include "base/codec.h"
#include "base/crypto.h"

#include <apr_strings.h>

#define TOKEN_TEXT 22
#define VISIT_LEN 9
#define MEMORY_MAX (ES_HASH_LEN + ES_BINDING_VISITS * VISIT_LEN)
#define TEXT_MAX 114
#define COUNT_MAX 255

es_rv_t es_binding_make(es_binding_t *binding, es_why_t *why)
{
    es_binding_t fresh;
    es_rv_t rv;

    memset(&fresh, 0, sizeof fresh);
    rv = es_crypto_random(fresh.token, sizeof fresh.token, why);
    if (rv == ES_OK) {
        *binding = fresh;
    }
    return rv;
}

static void put32(unsigned char *to, apr_uint32_t value)
{
    int i;

    for (i = 0; i < 4; i++) {
        to[i] = (unsigned char)(value >> (24 - 8 * i));
    }
}

static apr_uint32_t get32(const unsigned char *from)
{
    return (apr_uint32_t)from[0] << 24 | (apr_uint32_t)from[1] << 16 | (apr_uint32_t)from[2] << 8 | from[3];
}

const char *es_binding_text(const es_binding_t *binding, apr_pool_t *pool)
{
    unsigned char memory[MEMORY_MAX], *end = memory;
    const char *token = es_codec_base64url_encode(es_bytes(binding->token, sizeof binding->token), pool);
    int i;

    if (binding->has_session) {
        memcpy(end, binding->session.octet, ES_HASH_LEN);
        end += ES_HASH_LEN;
    }
    for (i = 0; i < binding->n_visits; i++, end += VISIT_LEN) {
        put32(end, binding->visit[i].landing);
        put32(end + 4, binding->visit[i].at);
        end[8] = (unsigned char)binding->visit[i].count;
    }
    if (end == memory) {
        return token;
    }
    return apr_pstrcat(pool, token, ".", es_codec_base64url_encode(es_bytes(memory, (apr_size_t)(end - memory)), pool),
                       NULL);
}

/* Returns 0 when the text is no such memory. */
static int read_memory(es_binding_t *binding, const char *text, apr_pool_t *pool)
{
    es_bytes_t memory = es_codec_base64url_decode(text, pool);
    const unsigned char *visits = memory.data;
    apr_size_t len = memory.len;
    int i;

    if (!memory.data || len > MEMORY_MAX) {
        return 0;
    }
    if (len % VISIT_LEN == ES_HASH_LEN % VISIT_LEN && len >= ES_HASH_LEN) {
        binding->has_session = 1;
        memcpy(binding->session.octet, visits, ES_HASH_LEN);
        visits += ES_HASH_LEN;
        len -= ES_HASH_LEN;
    }
    if (len % VISIT_LEN != 0 || len > ES_BINDING_VISITS * VISIT_LEN) {
        return 0;
    }
    binding->n_visits = (int)(len / VISIT_LEN);
    for (i = 0; i < binding->n_visits; i++, visits += VISIT_LEN) {
        binding->visit[i].landing = get32(visits);
        binding->visit[i].at = get32(visits + 4);
        binding->visit[i].count = visits[8];
    }
    return 1;
}

int es_binding_read(es_binding_t *binding, const char *text, apr_pool_t *pool)
{
    apr_size_t len = strnlen(text, TEXT_MAX + 1);
    es_binding_t read;
    es_bytes_t token;

    if (len < TOKEN_TEXT || len > TEXT_MAX) {
        return 0;
    }
    memset(&read, 0, sizeof read);
    token = es_codec_base64url_decode(apr_pstrmemdup(pool, text, TOKEN_TEXT), pool);
    if (!token.data || token.len != sizeof read.token) {
        return 0;
    }
    memcpy(read.token, token.data, sizeof read.token);
    if (text[TOKEN_TEXT] != '\0' && (text[TOKEN_TEXT] != '.' || !read_memory(&read, text + TOKEN_TEXT + 1, pool))) {
        return 0;
    }
    *binding = read;
    return 1;
}

void es_binding_hash(unsigned char hash[16], const es_binding_t *binding)
{
    es_hash_t whole = es_crypto_sha256(es_bytes(binding->token, sizeof binding->token));

    memcpy(hash, whole.octet, 16);
}

static apr_uint32_t landing_of(const char *landing)
{
    es_hash_t hash = es_crypto_sha256_text(landing);

    return get32(hash.octet);
}

static apr_uint32_t seconds(apr_time_t time)
{
    return (apr_uint32_t)apr_time_sec(time);
}

/* A visit from the future was counted before the clock was set back, or made up: it counts as little as an old one. */
static int is_recent(const es_binding_t *binding, int index, apr_time_t now)
{
    return seconds(now) - binding->visit[index].at < apr_time_sec(ES_BINDING_WINDOW);
}

void es_binding_count(es_binding_t *binding, const char *landing, apr_time_t now)
{
    apr_uint32_t which = landing_of(landing);
    int i, kept = 0, oldest = 0;

    for (i = 0; i < binding->n_visits; i++) {
        if (is_recent(binding, i, now)) {
            binding->visit[kept++] = binding->visit[i];
        }
    }
    binding->n_visits = kept;
    for (i = 0; i < kept; i++) {
        if (binding->visit[i].landing == which) {
            binding->visit[i].count += binding->visit[i].count < COUNT_MAX;
            return;
        }
        if (binding->visit[i].at < binding->visit[oldest].at) {
            oldest = i;
        }
    }
    if (kept == ES_BINDING_VISITS) {
        i = oldest;
    } else {
        binding->n_visits++;
    }
    binding->visit[i].landing = which;
    binding->visit[i].at = seconds(now);
    binding->visit[i].count = 1;
}

int es_binding_visits(const es_binding_t *binding, const char *landing, apr_time_t now)
{
    apr_uint32_t which = landing_of(landing);
    int i;

    for (i = 0; i < binding->n_visits; i++) {
        if (binding->visit[i].landing == which && is_recent(binding, i, now)) {
            return binding->visit[i].count;
        }
    }
    return 0;
}
