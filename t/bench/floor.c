/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 *   floor FOLDER ROUNDS             both, alternating: one JSON object with medians of CPU microseconds a message
 *   floor FOLDER floor|accept N     one of them N times, for an instruction counter
 *
 * The bare floor of an ACS against es_acs_accept, on the same messages. The floor is what nobody can leave out: base64
 * decode, parse, exclusive C14N of the assertion and of SignedInfo, SHA-256, one RSA verify; no check of anything. The
 * folder is that of a server of t/bench/bench: entra.xml, state/key, and posts, one message a line:
 *
 *   <Cookie header> <SAMLResponse> <RelayState>
 */
#include "tools.h"

#include "base/codec.h"
#include "session/shm.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#define POSTS_MOST 100000
#define ROUNDS_MOST 1000
#define SEGMENT ((apr_size_t)64 << 20)

typedef struct {
    const char *cookies;
    es_acs_form_t form;
} post_t;

typedef struct {
    int n_posts;
    post_t *posts;
    EVP_PKEY *key; /* of Entra's signature */
    EVP_MD *sha256;
    es_site_t site;
    es_seal_key_t seal;
    void *segment;
    apr_pool_t *pool;
} bench_t;

/* ---- the floor ----------------------------------------------------------------------------------------------- */

/* What belongs to the canonical form: everything below `top`, nothing below `hole`. */
typedef struct {
    const xmlNode *top, *hole;
} part_t;

static int is_visible(void *context, xmlNodePtr node, xmlNodePtr parent)
{
    const part_t *part = context;

    /* a namespace is no xmlNode and has no parent of its own */
    for (node = node->type == XML_NAMESPACE_DECL ? parent : node; node; node = node->parent) {
        if (node == part->hole) {
            return 0;
        }
        if (node == part->top) {
            return 1;
        }
    }
    return 0;
}

static xmlNodePtr child(xmlNodePtr parent, const char *name)
{
    xmlNodePtr node;

    for (node = parent ? parent->children : NULL; node; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0) {
            return node;
        }
    }
    bench_check(0, "a message has not the shape of Entra's");
    return NULL;
}

static xmlOutputBufferPtr canonical(xmlDocPtr doc, part_t part)
{
    xmlOutputBufferPtr buffer = xmlAllocOutputBuffer(NULL);

    bench_check(buffer && xmlC14NExecute(doc, is_visible, &part, XML_C14N_EXCLUSIVE_1_0, NULL, 0, buffer) >= 0, "C14N");
    return buffer;
}

static xmlDocPtr parse(const post_t *post, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t octets;
    xmlDocPtr doc;

    bench_must(es_codec_base64_decode(&octets, es_bytes_of(post->form.saml_response), &why, pool), &why);
    doc = xmlReadMemory((const char *)octets.data, (int)octets.len, NULL, NULL, XML_PARSE_NONET);
    bench_check(doc != NULL, "a message is no XML");
    return doc;
}

/* xmlsec's base64 of 64 columns, or Entra's without any line end: EVP_DecodeBlock takes both. */
static apr_size_t decode(unsigned char *out, xmlNodePtr node, apr_size_t expected)
{
    const char *text = (const char *)node->children->content;
    const int len = EVP_DecodeBlock(out, (const unsigned char *)text, (int)strlen(text));

    bench_check(len >= (int)expected, "base64");
    return expected ? expected : (apr_size_t)len;
}

static void run_floor(const bench_t *bench, const post_t *post, apr_pool_t *pool)
{
    xmlDocPtr doc = parse(post, pool);
    xmlNodePtr assertion = child(xmlDocGetRootElement(doc), "Assertion");
    xmlNodePtr signature = child(assertion, "Signature");
    xmlNodePtr info = child(signature, "SignedInfo");
    xmlOutputBufferPtr content = canonical(doc, (part_t){ assertion, signature });
    xmlOutputBufferPtr told = canonical(doc, (part_t){ info, NULL });
    unsigned char digest[32], stated[64], value[512];
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    decode(stated, child(child(info, "Reference"), "DigestValue"), sizeof digest);
    decode(value, child(signature, "SignatureValue"), 256);
    EVP_Digest(xmlOutputBufferGetContent(content), xmlOutputBufferGetSize(content), digest, NULL, bench->sha256, NULL);
    bench_check(memcmp(digest, stated, sizeof digest) == 0, "the floor's digest differs");
    bench_check(
        EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, NULL, bench->key, NULL) == 1 &&
            EVP_DigestVerify(context, value, 256, xmlOutputBufferGetContent(told), xmlOutputBufferGetSize(told)) == 1,
        "the floor's signature does not verify");
    EVP_MD_CTX_free(context);
    xmlOutputBufferClose(content);
    xmlOutputBufferClose(told);
    xmlFreeDoc(doc);
}

/* ---- the real thing ------------------------------------------------------------------------------------------ */

/* A store that has seen none of the messages. */
static es_store_t *fresh_store(const bench_t *bench, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_shm_t *shm;

    bench_must(es_shm_format(bench->segment, SEGMENT, &why), &why);
    bench_must(es_shm_attach(&shm, bench->segment, SEGMENT, &why, pool), &why);
    return es_shm_store(shm);
}

static void run_accept(const bench_t *bench, const post_t *post, es_store_t *store, apr_pool_t *pool)
{
    const es_flow_t flow = { .site = &bench->site,
                             .store = store,
                             .key = &bench->seal,
                             .cookies = post->cookies,
                             .now = apr_time_now(),
                             .pool = pool };
    es_acs_report_t report = { ES_OK };
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    bench_must(es_acs_accept(&answer, &report, &flow, &post->form, &why), &why);
    bench_check(report.user != NULL, "a message made no session");
}

/* ---- both ---------------------------------------------------------------------------------------------------- */

/* Runs `count` messages; CPU microseconds a message. Each has a pool of its own, as a request has. */
static double run(const bench_t *bench, int accept, int count)
{
    es_store_t *store = fresh_store(bench, bench->pool);
    const double begun = bench_cpu();
    int i;

    for (i = 0; i < count; i++) {
        apr_pool_t *pool;

        apr_pool_create(&pool, bench->pool);
        if (accept) {
            run_accept(bench, &bench->posts[i], store, pool);
        } else {
            run_floor(bench, &bench->posts[i], pool);
        }
        apr_pool_destroy(pool);
    }
    return (bench_cpu() - begun) / count / 1000;
}

static void read_posts(bench_t *bench, const char *path)
{
    char *rest = (char *)(apr_uintptr_t)bench_file(path, bench->pool).data, *line, *word;

    bench->posts = apr_pcalloc(bench->pool, POSTS_MOST * sizeof *bench->posts);
    while (bench->n_posts < POSTS_MOST && (line = apr_strtok(rest, "\n", &rest)) != NULL) {
        post_t *post = &bench->posts[bench->n_posts++];

        post->cookies = apr_strtok(line, " ", &word);
        post->form.saml_response = apr_strtok(NULL, " ", &word);
        post->form.relay_state = apr_strtok(NULL, " ", &word);
        bench_check(post->form.relay_state != NULL, "a line of posts is not three words");
        rest = rest && *rest ? rest : (char *)(apr_uintptr_t) "";
    }
}

/* The key of the certificate that the first message carries. */
static void read_key(bench_t *bench)
{
    xmlDocPtr doc = parse(&bench->posts[0], bench->pool);
    xmlNodePtr signature = child(child(xmlDocGetRootElement(doc), "Assertion"), "Signature");
    xmlNodePtr certificate = child(child(child(signature, "KeyInfo"), "X509Data"), "X509Certificate");
    unsigned char der[4096];
    const unsigned char *start = der;
    const apr_size_t len = decode(der, certificate, 0);
    X509 *read = d2i_X509(NULL, &start, (long)len);

    bench_check(read != NULL, "the message's certificate cannot be read");
    bench->key = X509_get_pubkey(read);
    X509_free(read);
    xmlFreeDoc(doc);
}

static bench_t load(const char *folder)
{
    bench_t bench = { .pool = bench_start() };
    es_bytes_t key = bench_file(apr_pstrcat(bench.pool, folder, "/state/key", NULL), bench.pool);

    bench_check(key.len == sizeof bench.seal.octet, "the key file has another length");
    memcpy(bench.seal.octet, key.data, key.len);
    bench.site = bench_site(apr_pstrcat(bench.pool, folder, "/entra.xml", NULL), bench.pool);
    read_posts(&bench, apr_pstrcat(bench.pool, folder, "/posts", NULL));
    bench_check(bench.n_posts > 0, "there are no posts");
    bench.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    bench.segment = bench_memory(SEGMENT);
    read_key(&bench);
    return bench;
}

int main(int argc, char **argv)
{
    double floor[ROUNDS_MOST], accept[ROUNDS_MOST];
    bench_t bench;
    int rounds, i;

    bench_check(argc == 3 || argc == 4, "usage: floor FOLDER ROUNDS | floor FOLDER floor|accept N");
    bench = load(argv[1]);
    rounds = atoi(argv[argc - 1]);
    bench_check(rounds > 0 && rounds <= (argc == 4 ? bench.n_posts : ROUNDS_MOST), "the number is out of range");
    if (argc == 4) {
        run(&bench, strcmp(argv[2], "accept") == 0, rounds);
        return EXIT_SUCCESS;
    }
    for (i = 0; i < rounds; i++) {
        floor[i] = run(&bench, 0, bench.n_posts);
        accept[i] = run(&bench, 1, bench.n_posts);
    }
    printf("{\"floor_us\": %.1f, \"accept_us\": %.1f}\n", bench_median(floor, rounds), bench_median(accept, rounds));
    return EXIT_SUCCESS;
}
