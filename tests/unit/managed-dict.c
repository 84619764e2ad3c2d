/* SPDX-License-Identifier: MIT
 *
 * Dicts, namespaces and lists of a manager, by requests on the same host and over TCP.
 */
#include "managed-unit.h"

static void dicts(void **state)
{
    char value[16] = "", large[2000];

    for (int way = 1; way < ways; way++) {
        struct mt_managed_dict *dict = OPEN(dict, way, "d");
        assert_non_null(dict);
        assert_int_equal(mt_managed_dict_get(dict, "a", value, sizeof value, SOON), -ENOENT);
        assert_int_equal(mt_managed_dict_del(dict, "a", SOON), -ENOENT);
        assert_int_equal(mt_managed_dict_pop(dict, "a", value, sizeof value, SOON), -ENOENT);
        assert_int_equal(mt_managed_dict_contains(dict, "a", SOON), 0);
        assert_int_equal(mt_managed_dict_set(dict, "a", "one", 4, SOON), 0);
        assert_int_equal(mt_managed_dict_set(dict, "a", "won", 4, SOON), 0);
        assert_int_equal(mt_managed_dict_set(dict, "", "one", 4, SOON), -EINVAL);
        memset(large, 'k', sizeof large);
        large[MT_MANAGER_KEY_MAX] = 0;
        assert_int_equal(mt_managed_dict_set(dict, large, "one", 4, SOON), -ENAMETOOLONG);
        large[MT_MANAGER_KEY_MAX - 1] = 0;
        assert_int_equal(mt_managed_dict_set(dict, large, NULL, 0, SOON), 0);
        assert_int_equal(mt_managed_dict_len(dict, SOON), 2);
        assert_int_equal(mt_managed_dict_get(dict, large, value, sizeof value, SOON), 0);
        assert_int_equal(mt_managed_dict_get(dict, "a", NULL, 0, SOON), 4);
        assert_int_equal(mt_managed_dict_get(dict, "a", value, 3, SOON), -ENOBUFS);
        assert_int_equal(mt_managed_dict_get(dict, "a", value, sizeof value, SOON), 4);
        assert_string_equal(value, "won");
        assert_int_equal(mt_managed_dict_pop(dict, "a", value, 3, SOON), -ENOBUFS);
        assert_int_equal(mt_managed_dict_contains(dict, "a", SOON), 1);
        assert_int_equal(mt_managed_dict_pop(dict, "a", value, sizeof value, SOON), 4);
        assert_int_equal(mt_managed_dict_contains(dict, "a", SOON), 0);
        assert_int_equal(mt_managed_dict_setdefault(dict, "b", "two", 4, value, sizeof value, SOON), 4);
        assert_string_equal(value, "two");
        assert_int_equal(mt_managed_dict_setdefault(dict, "b", "nil", 4, value, sizeof value, SOON), 4);
        assert_string_equal(value, "two");
        assert_int_equal(mt_managed_dict_del(dict, "b", SOON), 0);
        assert_int_equal(mt_managed_dict_clear(dict, SOON), 0);
        assert_int_equal(mt_managed_dict_len(dict, SOON), 0);
        mt_managed_dict_free(dict);
        take_away("d");
    }
}

static void dicts_compare_and_swap(void **state)
{
    for (int way = 1; way < ways; way++) {
        struct mt_managed_dict *dict = OPEN(dict, way, "r");
        assert_int_equal(mt_managed_dict_replace(dict, "a", "x", 1, "y", 1, SOON), -EAGAIN);
        assert_int_equal(mt_managed_dict_replace(dict, "a", NULL, 0, NULL, 0, SOON), 0);
        assert_int_equal(mt_managed_dict_replace(dict, "a", NULL, 0, "x", 1, SOON), 0);
        assert_int_equal(mt_managed_dict_replace(dict, "a", NULL, 0, "y", 1, SOON), -EAGAIN);
        assert_int_equal(mt_managed_dict_replace(dict, "a", "xx", 2, "y", 1, SOON), -EAGAIN);
        assert_int_equal(mt_managed_dict_replace(dict, "a", "x", 1, "", 0, SOON), 0);
        assert_int_equal(mt_managed_dict_get(dict, "a", NULL, 0, SOON), 0);
        assert_int_equal(mt_managed_dict_replace(dict, "a", "", 0, NULL, 0, SOON), 0);
        assert_int_equal(mt_managed_dict_len(dict, SOON), 0);
        mt_managed_dict_free(dict);
        take_away("r");
    }
}

static void dicts_tell_all(void **state)
{
    struct mt_managed_item *items = NULL;
    char key[16], value[300];

    for (int way = 1; way < ways; way++) {
        struct mt_managed_dict *dict = OPEN(dict, way, "i");
        assert_int_equal(mt_managed_dict_items(dict, &items, SOON), 0);
        assert_null(items);
        memset(value, 'v', sizeof value);
        for (int i = 0; i < 300; i++) {
            snprintf(key, sizeof key, "key-%03d", i * 7 % 300);
            assert_int_equal(mt_managed_dict_set(dict, key, value, (size_t)(i * 7 % 300), SOON), 0);
        }
        for (int i = 1; i < 300; i += 2) {
            snprintf(key, sizeof key, "key-%03d", i);
            assert_int_equal(mt_managed_dict_del(dict, key, SOON), 0);
        }
        assert_int_equal(mt_managed_dict_items(dict, &items, SOON), 150);
        for (int i = 0; i < 150; i++) {
            snprintf(key, sizeof key, "key-%03d", 2 * i);
            assert_string_equal(items[i].key, key);
            assert_int_equal(items[i].size, 2 * i);
            assert_memory_equal(items[i].value, value, items[i].size);
            assert_int_equal((uintptr_t)items[i].value % 16, 0);
        }
        free(items);
        assert_int_equal(mt_managed_dict_keys(dict, &items, SOON), 150);
        assert_string_equal(items[149].key, "key-298");
        assert_int_equal(items[149].size, 0);
        free(items);
        items = NULL;
        mt_managed_dict_free(dict);
        take_away("i");
    }
}

static void namespaces(void **state)
{
    struct mt_managed_item *items;
    int port = 8080, got = 0;

    for (int way = 1; way < ways; way++) {
        struct mt_managed_dict *config = OPEN(namespace, way, "n");
        assert_int_equal(mt_managed_dict_set(config, "port_2", &port, sizeof port, SOON), 0);
        assert_int_equal(mt_managed_dict_set(config, "2port", &port, sizeof port, SOON), -EINVAL);
        assert_int_equal(mt_managed_dict_set(config, "a-b", &port, sizeof port, SOON), -EINVAL);
        assert_int_equal(mt_managed_dict_get(config, "port_2", &got, sizeof got, SOON), sizeof got);
        assert_int_equal(got, 8080);
        assert_int_equal(mt_managed_dict_items(config, &items, SOON), 1);
        free(items);
        mt_managed_dict_free(config);
        take_away("n");
    }
}

static void assert_list(struct mt_managed_list *list, int64_t from, int64_t to, const char *expected)
{
    struct mt_managed_item *items = NULL;
    ssize_t count = mt_managed_list_slice(list, from, to, &items, SOON);
    char all[64] = "";

    assert_true(count >= 0);
    for (ssize_t i = 0; i < count; i++) {
        assert_null(items[i].key);
        strncat(all, items[i].value, items[i].size);
    }
    assert_string_equal(all, expected);
    free(items);
}

static void lists(void **state)
{
    char value[8] = "";

    for (int way = 1; way < ways; way++) {
        struct mt_managed_list *list = OPEN(list, way, "list");
        struct iovec more[] = {{"b", 1}, {"c", 1}, {NULL, 0}, {"d", 1}};
        assert_int_equal(mt_managed_list_get(list, 0, value, sizeof value, SOON), -ERANGE);
        assert_list(list, 0, INT64_MAX, "");
        assert_int_equal(mt_managed_list_append(list, "a", 1, SOON), 0);
        assert_int_equal(mt_managed_list_extend(list, more, 4, SOON), 0);
        assert_int_equal(mt_managed_list_len(list, SOON), 5);
        assert_list(list, 0, INT64_MAX, "abcd");
        assert_int_equal(mt_managed_list_pop(list, 3, value, 0, SOON), 0);
        assert_int_equal(mt_managed_list_insert(list, 0, "<", 1, SOON), 0);
        assert_int_equal(mt_managed_list_insert(list, 100, ">", 1, SOON), 0);
        assert_int_equal(mt_managed_list_insert(list, -1, "e", 1, SOON), 0);
        assert_int_equal(mt_managed_list_insert(list, -100, "<", 1, SOON), 0);
        assert_list(list, 0, INT64_MAX, "<<abcde>");
        assert_list(list, 2, -1, "abcde");
        assert_list(list, -3, INT64_MAX, "de>");
        assert_list(list, 5, 3, "");
        assert_int_equal(mt_managed_list_set(list, 2, "A", 1, SOON), 0);
        assert_int_equal(mt_managed_list_set(list, -1, "!", 1, SOON), 0);
        assert_int_equal(mt_managed_list_set(list, 8, "x", 1, SOON), -ERANGE);
        assert_int_equal(mt_managed_list_set(list, -9, "x", 1, SOON), -ERANGE);
        assert_int_equal(mt_managed_list_get(list, -1, NULL, 0, SOON), 1);
        assert_int_equal(mt_managed_list_pop(list, 0, NULL, 0, SOON), -ENOBUFS);
        assert_int_equal(mt_managed_list_pop(list, 0, value, sizeof value, SOON), 1);
        assert_int_equal(value[0], '<');
        assert_int_equal(mt_managed_list_pop(list, -1, value, sizeof value, SOON), 1);
        assert_int_equal(value[0], '!');
        assert_list(list, 0, INT64_MAX, "<Abcde");
        assert_int_equal(mt_managed_list_clear(list, SOON), 0);
        assert_int_equal(mt_managed_list_len(list, SOON), 0);
        mt_managed_list_free(list);
        take_away("list");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dicts),          cmocka_unit_test(dicts_compare_and_swap),
        cmocka_unit_test(dicts_tell_all), cmocka_unit_test(namespaces),
        cmocka_unit_test(lists),
    };

    mt_process_init();
    return cmocka_run_group_tests_name(__BASE_FILE__, tests, set_up, tear_down);
}
