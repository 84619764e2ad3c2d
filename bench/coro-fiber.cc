// SPDX-License-Identifier: MIT
//
// What bench/coro.c measures of a hub, with Boost.Fiber, whose fibers run on pooled stacks.
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace fib = boost::fibers;

static const int ROUNDS = 1000, PAIRS = 5000;
static fib::pooled_fixedsize_stack *stacks;

template <typename Fn> static fib::fiber spawn(Fn fn)
{
    return fib::fiber(fib::launch::post, std::allocator_arg, *stacks, fn);
}

template <typename One, typename Other> static void both(One one, Other other)
{
    fib::fiber first = spawn(one), second = spawn(other);

    first.join();
    second.join();
}

static void yields()
{
    auto often = [] {
        for (int i = 0; i < PAIRS; i++)
            boost::this_fiber::yield();
    };
    both(often, often);
}

static void spawns()
{
    for (int i = 0; i < PAIRS / 10; i++)
        spawn([] {}).join();
}

static void crowds()
{
    for (int i = 0; i < PAIRS / 10; i += 100) {
        std::vector<fib::fiber> crowd;
        crowd.reserve(100);
        for (int j = 0; j < 100; j++)
            crowd.push_back(spawn([] {}));
        for (fib::fiber &one : crowd)
            one.join();
    }
}

static void hand_overs()
{
    fib::unbuffered_channel<int> channel;

    both(
        [&] {
            for (int i = 0; i < PAIRS; i++)
                channel.push(i);
        },
        [&] {
            for (int i = 0; i < PAIRS; i++)
                if (channel.value_pop() != i)
                    std::abort();
        });
}

static void locks()
{
    fib::mutex lock;
    auto often = [&] {
        for (int i = 0; i < PAIRS / 10; i++) {
            lock.lock();
            boost::this_fiber::yield();
            lock.unlock();
            boost::this_fiber::yield();
        }
    };
    both(often, often);
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
    fib::pooled_fixedsize_stack pool(65536);

    stacks = &pool;
    measure("yield", yields, 2 * PAIRS);
    measure("spawn-join", spawns, PAIRS / 10);
    measure("spawn-100", crowds, PAIRS / 10);
    measure("channel", hand_overs, PAIRS);
    measure("lock", locks, PAIRS / 5);
}
