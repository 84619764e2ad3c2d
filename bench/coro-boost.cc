// SPDX-License-Identifier: MIT
//
// What bench/coro.c measures, with Boost.Context: jump_fcontext for the switch and for what stands on it, as it is what
// a greenlet or a generator would be made of.
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

using namespace boost::context::detail;
namespace ctx = boost::context;

static const int ROUNDS = 1000, PAIRS = 5000;
static transfer_t other;
static ctx::fiber *fiber;

static void back(transfer_t from)
{
    for (;;)
        from = jump_fcontext(from.fctx, from.data);
}

static void switches()
{
    for (int i = 0; i < PAIRS; i++)
        other = jump_fcontext(other.fctx, other.data);
}

static void fibers()
{
    for (int i = 0; i < PAIRS; i++)
        *fiber = std::move(*fiber).resume();
}

static void births()
{
    for (int i = 0; i < PAIRS / 10; i++) {
        ctx::fiber one([](ctx::fiber &&from) {
            from = std::move(from).resume();
            return std::move(from);
        });
        one = std::move(one).resume();
        one = std::move(one).resume();
    }
}

static void measure(const char *metric, void (*run)(), int divisor)
{
    double best = 1e18;

    for (int i = 0; i < ROUNDS; i++) {
        auto start = std::chrono::steady_clock::now();
        run();
        double each = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / divisor;
        if (each < best)
            best = each;
    }
    std::printf("%s ns %.3f\n", metric, best);
}

int main()
{
    const std::size_t size = 65536;
    char *stack = static_cast<char *>(std::aligned_alloc(4096, size));

    other = jump_fcontext(make_fcontext(stack + size, size, back), nullptr);
    ctx::fiber loop([](ctx::fiber &&from) {
        for (;;)
            from = std::move(from).resume();
        return std::move(from);
    });
    fiber = &loop;
    measure("switch", switches, 2 * PAIRS);
    measure("greenlet-switch", fibers, 2 * PAIRS);
    measure("generator-item", fibers, PAIRS);
    measure("greenlet-life", births, PAIRS / 10);
    std::fflush(stdout);
    std::_Exit(0); // the loop has no end to be unwound to
}
