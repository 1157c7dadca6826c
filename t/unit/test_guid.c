/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/guid.h"

START_TEST(test_read)
{
    ck_assert_str_eq(es_guid_read("7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34", unit_pool),
                     "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34");
    ck_assert_str_eq(es_guid_read("7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34", unit_pool),
                     "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34");
}
END_TEST

static const char *const strange[] = {
    "",
    "7f3a1c52",
    "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f3",
    "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f345",
    "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f3g",
    "7f3a1c5209d4e-4b60-8a17-2c5d9e0b1f34",
    "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b-f34",
    "7f3a1c529d4e4b608a172c5d9e0b1f34",
    "{7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34}",
    " 7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f3",
    "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f3\xc3",
};

START_TEST(test_strange)
{
    ck_assert_ptr_null(es_guid_read(strange[_i], unit_pool));
}
END_TEST

Suite *suite_guid(void)
{
    Suite *suite = suite_create("guid");
    TCase *tests = unit_case(suite, "guid");

    tcase_add_test(tests, test_read);
    tcase_add_loop_test(tests, test_strange, 0, sizeof strange / sizeof *strange);
    return suite;
}
