/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/crypto.h"
#include "unit.h"

#include <apr_strings.h>
#include <openssl/err.h>

/* Octets of hexadecimal text, NUL-terminated. */
static es_bytes_t unhex(const char *hex)
{
    apr_size_t i, len = strlen(hex) / 2;
    unsigned char *data = apr_pcalloc(unit_pool, len + 1);

    for (i = 0; i < len; i++) {
        unsigned octet;

        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &octet), 1);
        data[i] = (unsigned char)octet;
    }
    return es_bytes(data, len);
}

static void check_bytes(es_bytes_t got, es_bytes_t expected)
{
    ck_assert_uint_eq(got.len, expected.len);
    ck_assert_mem_eq(got.data, expected.data, expected.len);
}

static void check_hash(es_hash_t got, const char *expected)
{
    check_bytes(es_bytes(got.octet, ES_HASH_LEN), unhex(expected));
}

/* FIPS 180-2, appendix B, and the empty message (NIST "SHA256ShortMsg.rsp"). */
static const struct {
    const char *text, *hash;
} digests[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

START_TEST(digest)
{
    es_bytes_t text = es_bytes_of(digests[_i].text);
    es_bytes_t pieces[3];

    check_hash(es_crypto_sha256(text), digests[_i].hash);
    check_hash(es_crypto_sha256_text(digests[_i].text), digests[_i].hash);
    pieces[0] = es_bytes(text.data, text.len / 3);
    pieces[1] = es_bytes(NULL, 0);
    pieces[2] = es_bytes(text.data + pieces[0].len, text.len - pieces[0].len);
    check_hash(es_crypto_sha256_of(pieces, 3), digests[_i].hash);
}
END_TEST

START_TEST(digest_of_a_million)
{
    char *text = apr_palloc(unit_pool, 1000000);

    memset(text, 'a', 1000000);
    check_hash(es_crypto_sha256(es_bytes(text, 1000000)),
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

START_TEST(digest_of_nothing)
{
    check_hash(es_crypto_sha256_of(NULL, 0), digests[0].hash);
    check_hash(es_crypto_sha256(es_bytes(NULL, 0)), digests[0].hash);
}
END_TEST

START_TEST(random_octets_differ)
{
    es_why_t why = ES_WHY_INIT;
    unsigned char a[32] = { 0 }, b[32] = { 0 };

    ck_assert_reason(es_crypto_random(a, sizeof a, &why), ES_OK, why);
    ck_assert_reason(es_crypto_random(b, sizeof b, &why), ES_OK, why);
    ck_assert_mem_ne(a, b, sizeof a);
    ck_assert_reason(es_crypto_random(a, (apr_size_t)1 << 31, &why), ES_INTERNAL, why);
}
END_TEST

START_TEST(equal)
{
    ck_assert(es_crypto_equal("abc", "abc", 3));
    ck_assert(!es_crypto_equal("abc", "abd", 3));
    ck_assert(!es_crypto_equal("abc", "bbc", 3));
    ck_assert(es_crypto_equal("abc", "abd", 2));
    ck_assert(es_crypto_equal("a", "b", 0));
}
END_TEST

START_TEST(wipe)
{
    unsigned char secret[4] = { 1, 2, 3, 4 };

    es_crypto_wipe(secret, 3);
    ck_assert_mem_eq(secret, "\0\0\0\4", 4);
}
END_TEST

/* RFC 5297 A.1 has AES-128 keys only. With 64-octet keys: the first from OpenSSL (evpciph_aes_siv.txt, the text of
 * A.1), the others from Project Wycheproof (aes_siv_cmac_test.json). */
static const struct {
    const char *key, *label, *plain, *sealed;
} seals[] = {
    { "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
      "f0f1f2f3f4f5f6f7f8f9fafbfcfdfefffffefdfcfbfaf9f8f7f6f5f4f3f2f1f0",
      "101112131415161718191a1b1c1d1e1f2021222324252627", "112233445566778899aabbccddee",
      "724dfb2eaf94dbb19b0ba3a299a0801ef3b05a55498ec2552690b89810e4" },
    { "e2c5662bb18fbb411d0304e4241db073fe60a4704fee290073513038a22b4cd5"
      "42580b2b4edbc37e3de01c0cb61abcad46986cdc491ce9e5ae5af223ff58b953",
      "fab912dec29a34aabfaef176", "0d", "1c6969ecb15741a9959b7a8492250e391a" },
    { "2a93a0c37797bee0c344b9ceed1a609813d8c5ee686d260f3aa6fc2f66dc59f4"
      "00479d1dfe04e89e6df608a3f699ff1cb4e9bf24a78fb2dfddaa0011a2e40208",
      "6ae54f41ac52baf2f89abe8e", "3fc3bf53bb485c9edcb1d25adb4ca0",
      "2d344a54038a857f47e0c77eb0834538aaf01e61a8ac82c0012f9dac6f15ef" },
    { "139383f3f82dc78e0b380027f9e5fcd2ed23716404be5c554452e4dc73d23702"
      "6594491820c6b8297185cc1fa84f49a5c7d7cd05c5de090ff1c3397bc2740437",
      "d39da73ffc03ad0a9213ffc7", "48604944a80fadf50d55b87727934458c8",
      "a9cf73951cb39823777f35c96c845169476e2ec2317cb6b8dd8b6172fdceabff9d" },
    { "cd8689f821817f59bfaa755131f2565161c7f4489f89b657ac9fa127a9768535"
      "a702d001b9b99cc11c3976467b1b45865ff417dc256ebb5079b7f1b3e08307b5",
      "b3edffbb89b373fe04da244b", "ebcfb2ffb681cc5dfa0c5c524c1b1cc87cc6b2bfa35dc36d15e80505118b84a072a78a157b4d1837",
      "1ac78aae2ede04eb47924d8f9f99fe75deb61bf693da7f3a2147c05f6d29d17392356fe00f82b24cdbce774fd864561548f33dd3192d80"
      "6f" },
};

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

static es_seal_key_t key_of(const char *hex)
{
    es_seal_key_t key;

    ck_assert_uint_eq(strlen(hex), 2 * sizeof key.octet);
    memcpy(key.octet, unhex(hex).data, sizeof key.octet);
    return key;
}

static es_bytes_t seal(es_bytes_t plain, const char *label, const es_seal_key_t *key)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t sealed;

    ck_assert_reason(es_crypto_seal(&sealed, plain, label, key, &why, unit_pool), ES_OK, why);
    return sealed;
}

static es_bytes_t open_seal(es_bytes_t sealed, const char *label, const es_seal_key_t *key)
{
    es_why_t why = ES_WHY_INIT;
    es_bytes_t plain = es_bytes("untouched", 9);

    ck_assert_reason(es_crypto_open(&plain, sealed, label, key, &why, unit_pool), ES_OK, why);
    return plain;
}

START_TEST(published_vector)
{
    es_seal_key_t key = key_of(seals[_i].key);
    const char *label = (const char *)unhex(seals[_i].label).data;
    es_bytes_t plain = unhex(seals[_i].plain), sealed = seal(plain, label, &key), opened;

    check_bytes(sealed, unhex(seals[_i].sealed));
    opened = open_seal(sealed, label, &key);
    check_bytes(opened, plain);
    ck_assert_int_eq(opened.data[opened.len], '\0');
}
END_TEST

static es_seal_key_t some_key(unsigned char seed)
{
    es_seal_key_t key;
    apr_size_t i;

    for (i = 0; i < sizeof key.octet; i++) {
        key.octet[i] = (unsigned char)(seed + i * 7);
    }
    return key;
}

/* Every bit of what travels counts, and so do its length, its label and its key. */
START_TEST(any_change_is_a_miss)
{
    es_seal_key_t key = some_key(1), other = some_key(2);
    es_bytes_t sealed = seal(es_bytes_of("a pending sign-in"), "pending", &key);
    unsigned char *copy = apr_pmemdup(unit_pool, sealed.data, sealed.len + 0);
    apr_size_t bit, len;

    for (bit = 0; bit < sealed.len * 8; bit++) {
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_ptr_null(open_seal(es_bytes(copy, sealed.len), "pending", &key).data);
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (len = 0; len < sealed.len; len++) {
        ck_assert_ptr_null(open_seal(es_bytes(copy, len), "pending", &key).data);
    }
    ck_assert_ptr_null(open_seal(sealed, "Pending", &key).data);
    ck_assert_ptr_null(open_seal(sealed, "pendin", &key).data);
    ck_assert_ptr_null(open_seal(sealed, "pending", &other).data);
    ck_assert_ptr_nonnull(open_seal(es_bytes(copy, sealed.len), "pending", &key).data);
}
END_TEST

/* Deterministic by design: the same tab opened twice needs no memory on the server. */
START_TEST(same_input_same_octets)
{
    es_seal_key_t key = some_key(1);

    check_bytes(seal(es_bytes_of("x"), "a", &key), seal(es_bytes_of("x"), "a", &key));
    ck_assert_mem_ne(seal(es_bytes_of("x"), "a", &key).data, seal(es_bytes_of("y"), "a", &key).data, 16);
    ck_assert_mem_ne(seal(es_bytes_of("x"), "a", &key).data, seal(es_bytes_of("x"), "b", &key).data, 16);
}
END_TEST

START_TEST(sizes)
{
    es_seal_key_t key = some_key(3);
    apr_size_t len, size[] = { 1, 15, 16, 17, 31, 32, 33, 65536 };
    int i;

    for (i = 0; i < COUNT(size); i++) {
        unsigned char *plain = apr_pcalloc(unit_pool, size[i]);
        es_bytes_t sealed = seal(es_bytes(plain, size[i]), "size", &key);

        len = size[i];
        ck_assert_uint_eq(sealed.len, len + 16);
        check_bytes(open_seal(sealed, "size", &key), es_bytes(plain, len));
    }
}
END_TEST

START_TEST(nothing_to_seal)
{
    es_seal_key_t key = some_key(4);
    es_bytes_t sealed = es_bytes("untouched", 9);
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_crypto_seal(&sealed, es_bytes("", 0), "label", &key, &why, unit_pool), ES_INTERNAL, why);
    ck_assert_uint_eq(sealed.len, 9);
    why = ES_WHY_INIT;
    ck_assert_reason(es_crypto_seal(&sealed, es_bytes_of("x"), "", &key, &why, unit_pool), ES_INTERNAL, why);
}
END_TEST

/* What a stranger sends must not be found in the thread's error queue by mod_ssl. */
START_TEST(error_queue_stays_as_it_was)
{
    es_seal_key_t key = some_key(5);
    unsigned long before;

    ERR_clear_error();
    ck_assert_ptr_null(open_seal(es_bytes_of("some octets that nobody has sealed"), "label", &key).data);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_USER, 1);
    before = ERR_peek_last_error();
    ck_assert_ptr_null(open_seal(es_bytes_of("some octets that nobody has sealed"), "label", &key).data);
    ck_assert_uint_eq(ERR_peek_last_error(), before);
    ERR_clear_error();
}
END_TEST

/* httpd's way: a pass, and at the next restart another. */
START_TEST(configuration_passes)
{
    es_why_t why = ES_WHY_INIT;
    int pass;

    for (pass = 0; pass < 3; pass++) {
        ck_assert_reason(es_crypto_init(&why), ES_OK, why);
        check_hash(es_crypto_sha256_text("abc"), digests[1].hash);
        seal(es_bytes_of("x"), "label", &(es_seal_key_t){ { 0 } });
    }
}
END_TEST

Suite *suite_crypto(void)
{
    Suite *suite = suite_create("crypto");
    TCase *tcase = unit_case(suite, "digest");

    tcase_add_loop_test(tcase, digest, 0, COUNT(digests));
    tcase_add_test(tcase, digest_of_a_million);
    tcase_add_test(tcase, digest_of_nothing);
    tcase = unit_case(suite, "octets");
    tcase_add_test(tcase, random_octets_differ);
    tcase_add_test(tcase, equal);
    tcase_add_test(tcase, wipe);
    tcase = unit_case(suite, "seal");
    tcase_add_loop_test(tcase, published_vector, 0, COUNT(seals));
    tcase_add_test(tcase, any_change_is_a_miss);
    tcase_add_test(tcase, same_input_same_octets);
    tcase_add_test(tcase, sizes);
    tcase_add_test(tcase, nothing_to_seal);
    tcase_add_test(tcase, error_queue_stays_as_it_was);
    tcase_add_test(unit_case(suite, "lifecycle"), configuration_passes);
    return suite;
}
