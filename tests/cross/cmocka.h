/* SPDX-License-Identifier: MIT
 *
 * As much of CMocka's interface as the unit tests use, for machines where CMocka is not there: the tests that are
 * cross-built for another CPU and run under an emulator. Speaks TAP. An assertion that fails ends its test by a jump, so it
 * must stand on the main task, as with CMocka. Tests named in the environment's CROSS_SKIP, words between blanks, are
 * skipped: what the emulator cannot do.
 */
#ifndef CROSS_CMOCKA_H
#define CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*setup)(void **state);
    int (*teardown)(void **state);
};

enum { CROSS_PASSED, CROSS_FAILED, CROSS_SKIPPED };
static jmp_buf cross_end;

static inline void cross_check(int good, const char *what, const char *file, int line)
{
    if (good)
        return;
    printf("# %s:%d: %s\n", file, line, what);
    longjmp(cross_end, CROSS_FAILED);
}

static inline void cross_equal(long long left, long long right, const char *what, const char *file, int line)
{
    if (left == right)
        return;
    printf("# %s:%d: %s: %lld is not %lld\n", file, line, what, left, right);
    longjmp(cross_end, CROSS_FAILED);
}

#define cross_assert(what, text)     cross_check(!!(what), text, __FILE__, __LINE__)
#define assert_true(a)               cross_assert(a, #a)
#define assert_false(a)              cross_assert(!(a), "not " #a)
#define assert_null(a)               cross_assert(!(a), #a " is NULL")
#define assert_non_null(a)           cross_assert(a, #a " is not NULL")
#define assert_int_equal(a, b)       cross_equal((long long)(a), (long long)(b), #a, __FILE__, __LINE__)
#define assert_int_not_equal(a, b)   cross_assert((a) != (b), #a " is not " #b)
#define assert_ptr_equal(a, b)       cross_assert((const void *)(a) == (const void *)(b), #a " is " #b)
#define assert_string_equal(a, b)    cross_assert(!strcmp(a, b), #a " is " #b)
#define assert_memory_equal(a, b, n) cross_assert(!memcmp(a, b, n), #a " is " #b)
#define skip()                       longjmp(cross_end, CROSS_SKIPPED)
#define fail()                       cross_assert(0, "fail")
#define print_message(...)           printf("# " __VA_ARGS__)
#define fail_msg(...)                (printf("# " __VA_ARGS__), puts(""), fail())

#define cmocka_unit_test(f)                            {#f, f, NULL, NULL}
#define cmocka_unit_test_setup(f, setup)               {#f, f, setup, NULL}
#define cmocka_unit_test_setup_teardown(f, setup, end) {#f, f, setup, end}

static inline int cross_is_beyond(const char *name)
{
    const char *list = getenv("CROSS_SKIP"), *at = list;
    size_t length = strlen(name);

    while (at && (at = strstr(at, name)) != NULL) {
        if ((at == list || at[-1] == ' ') && (!at[length] || at[length] == ' '))
            return 1;
        at += length;
    }
    return 0;
}

static inline int cross_run_one(const struct CMUnitTest *test)
{
    void *state = NULL;
    int result;

    if (cross_is_beyond(test->name))
        return CROSS_SKIPPED;
    result = setjmp(cross_end);
    if (result)
        return result;
    if (test->setup && test->setup(&state))
        return CROSS_FAILED;
    test->test(&state);
    return test->teardown && test->teardown(&state) ? CROSS_FAILED : CROSS_PASSED;
}

static inline int cross_run(const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        int result = cross_run_one(&tests[i]);
        printf("%sok %zu - %s%s\n", result == CROSS_FAILED ? "not " : "", i + 1, tests[i].name,
               result == CROSS_SKIPPED ? " # SKIP" : "");
        failed += result == CROSS_FAILED;
    }
    return failed;
}

#define cmocka_run_group_tests(tests, setup, teardown) cross_run(tests, sizeof(tests) / sizeof *(tests))
#define cmocka_run_group_tests_name(name, tests, setup, teardown) cmocka_run_group_tests(tests, setup, teardown)

#endif
