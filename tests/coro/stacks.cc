// SPDX-License-Identifier: MIT
//
// A C++ exception inside a greenlet, and greenlets for a debugger to look at.
#include <linuxmt.h>
#include <cstdio>
#include <stdexcept>

static mt_greenlet *root;

extern "C" __attribute__((noinline)) void stop_here()
{
    asm volatile("");
}

static __attribute__((noinline)) void throws(int depth)
{
    if (!depth)
        throw std::runtime_error("thrown");
    throws(depth - 1);
    asm volatile(""); // not the last call
}

static int catches(void *arg, void **value)
{
    try {
        throws(5);
    } catch (const std::runtime_error &error) {
        if (mt_greenlet_switch(root, arg, value)) // away from a handler
            return 0;
        *value = root;
    }
    return 0;
}

extern "C" __attribute__((noinline)) int waits_deep_inside(int depth)
{
    int err = depth ? waits_deep_inside(depth - 1) : mt_greenlet_switch(root, nullptr, nullptr);

    asm volatile("");
    return err;
}

static int waits(void *, void **)
{
    return waits_deep_inside(3);
}

static int stops(void *, void **)
{
    stop_here();
    return 0;
}

int main()
{
    mt_greenlet_options one = {"waiter", 0, nullptr, nullptr}, two = {"stopper", 0, nullptr, nullptr};
    mt_greenlet *catcher = mt_greenlet_new(catches, &one, nullptr), *waiter = mt_greenlet_new(waits, nullptr, &one),
                *stopper = mt_greenlet_new(stops, nullptr, &two);
    void *got = nullptr;

    root = mt_greenlet_current();
    if (mt_greenlet_switch(catcher, nullptr, &got) || got != &one)
        return 1;
    try { // the same on this side, while that one is in its handler
        throws(3);
    } catch (const std::runtime_error &) {
        if (mt_greenlet_switch(catcher, nullptr, &got) || got != root)
            return 2;
    }
    if (mt_greenlet_switch(waiter, nullptr, nullptr) || mt_greenlet_switch(stopper, nullptr, nullptr))
        return 3;
    return mt_greenlet_free(catcher) || mt_greenlet_free(waiter) || mt_greenlet_free(stopper);
}
