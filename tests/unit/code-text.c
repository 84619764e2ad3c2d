/* SPDX-License-Identifier: MIT
 *
 * Places of a program, shortened for people.
 */
#include "../../tools/mtrace/code-text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

struct pair {
    const char *whole, *text;
};

static void check(const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(code_text(pairs[i].whole), pairs[i].text);
}

#define CHECK(pairs) check(pairs, sizeof(pairs) / sizeof *(pairs))

static void test_plain(void **state)
{
    static const struct pair same[] = {
        {"", ""},
        {"teller at bank.c:44", "teller at bank.c:44"},
        {"read+0x1c (libc.so.6)", "read+0x1c (libc.so.6)"},
        {"git+0x25016a", "git+0x25016a"},
        {"a.partial+0x1 (b)", "a.partial+0x1 (b)"},
        {"<T as core::Foo<u8>>::bar at f.rs:2", "<T as core::Foo<u8>>::bar at f.rs:2"},
        {"Foo::operator->() at x.cc:1", "Foo::operator->() at x.cc:1"},
        {"Foo<int>::operator bool() const at a.cc:4", "Foo<int>::operator bool() const at a.cc:4"},
        {"(anonymous namespace)::work(int) at x.cc:3", "(anonymous namespace)::work(int) at x.cc:3"},
        {"broken<foo", "broken<foo"},
    };
    (void)state;
    CHECK(same);
}

static void test_templates(void **state)
{
    static const struct pair pairs[] = {
        {"std::_Function_handler<void (int, std::map<int, int> const&), "
         "main::{lambda(int)#1}>::_M_invoke(std::_Any_data "
         "const&, int&&) at std_function.h:290",
         "std::_Function_handler<...>::_M_invoke(...) at std_function.h:290"},
        {"void std::__invoke_impl<void, main::{lambda()#1}>(std::__invoke_other, main::{lambda()#1}&&)+0x12 (a.out)",
         "std::__invoke_impl<...>(...)+0x12 (a.out)"},
        {"std::vector<std::shared_ptr<int>, std::allocator<int> >::push_back(int) const+0x3 (a)",
         "std::vector<...>::push_back(int) const+0x3 (a)"},
        {"std::ostream& operator<< <char>(std::ostream&, char const*, std::string) at q.cc:1",
         "operator<< <char>(...) at q.cc:1"},
        {"Foo<int, &Bar::operator<<>::f at x.cc:3", "Foo<...>::f at x.cc:3"},
        {"void (anonymous namespace)::f<int>(int)+0x3 (a)", "(anonymous namespace)::f<int>(int)+0x3 (a)"},
    };
    (void)state;
    CHECK(pairs);
}

static void test_clones(void **state)
{
    static const struct pair pairs[] = {
        {"foo.constprop.0+0x1c (x)", "foo+0x1c (x)"},
        {"reader.part.0.isra.3 at a.c:3", "reader at a.c:3"},
        {"foo(int) [clone .isra.0] [clone .cold]+0x3 (m)", "foo(int)+0x3 (m)"},
        {"name[abi:cxx11](int) at p.cc:1", "name(int) at p.cc:1"},
    };
    (void)state;
    CHECK(pairs);
}

/* Longer than any line: what comes out is still a text. */
static void test_long(void **state)
{
    static char whole[5000];
    (void)state;
    memset(whole, 'x', sizeof whole - 1);
    assert_true(strlen(code_text(whole)) < 600);
    memset(whole, '<', sizeof whole - 1);
    assert_true(strlen(code_text(whole)) < 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_clones),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
