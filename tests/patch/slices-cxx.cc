/* SPDX-License-Identifier: MIT
 *
 * What C++ does between two instructions that others now run between: counts of shared pointers, which are plain in a
 * process of one thread; exceptions on their way, and in hand; variables that are made by whoever comes first. See
 * slices.h.
 */
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

static std::atomic<long> laps[2];
static std::atomic<int> over;

/* Until both have gone on so often while the other did not wait for it. */
static void in_turns(int self, const std::function<void()> &step)
{
    for (int i = 0; i < 20; i++) {
        long seen = laps[!self];
        laps[self]++;
        do
            step();
        while (laps[!self] == seen);
    }
    over++;
    while (over < 2) /* the other may be in need of more */
        laps[self]++;
}

static void both(const std::function<void()> &step)
{
    laps[0] = laps[1] = over = 0;
    std::thread other([&] { in_turns(1, step); });
    in_turns(0, step);
    other.join();
}

static __attribute__((noinline)) void fail(int code)
{
    throw std::runtime_error(std::to_string(code));
}

/* One is in hand while the others have their turn. */
static void hold(int self, int *wrong)
{
    for (int i = 0; i < 10; i++) {
        try {
            fail(self * 1000 + i);
        } catch (const std::exception &error) {
            long seen = laps[!self];
            laps[self]++;
            while (laps[!self] == seen) {
            }
            try {
                throw;
            } catch (const std::runtime_error &same) {
                *wrong += std::stoi(same.what()) != self * 1000 + i || &same != &error;
            }
        }
        *wrong += std::uncaught_exceptions();
    }
    over++;
    while (over < 2) /* the other may be in need of more */
        laps[self]++;
}

struct Slow {
    int value = 0;
    Slow()
    {
        laps[0]++;
        while (!laps[1]) { /* the other is about to want it */
        }
        value = 7;
    }
};

static int first_come()
{
    static Slow slow;
    return slow.value;
}

int main()
{
    auto shared = std::make_shared<int>(3);
    int wrong[2] = {0, 0}, seen[2] = {0, 0};

    alarm(100);
    both([&] {
        for (int i = 0; i < 1000; i++) {
            std::shared_ptr<int> copy = shared;
            std::weak_ptr<int> weak = copy;
        }
    });
    std::printf("counted: %ld\n", shared.use_count());

    laps[0] = laps[1] = over = 0;
    std::thread holds([&] { hold(1, &wrong[1]); });
    hold(0, &wrong[0]);
    holds.join();
    std::printf("in hand: %d %d wrong\n", wrong[0], wrong[1]);

    std::atomic<int> misses{0};
    both([&] {
        int caught = 0;
        for (int i = 0; i < 10; i++)
            try {
                fail(i);
            } catch (const std::runtime_error &error) {
                caught += std::stoi(error.what()) == i;
            }
        misses += caught != 10;
        for (volatile int k = 0; k < 100000; k++) { /* where it can be interrupted: in the unwinder it cannot */
        }
    });
    std::printf("on their way: %d wrong\n", misses.load());

    laps[0] = laps[1] = over = 0;
    std::thread makes([&] { seen[0] = first_come(); });
    while (!laps[0]) {
    }
    laps[1]++;
    seen[1] = first_come();
    makes.join();
    std::printf("first come: %d %d\n", seen[0], seen[1]);
    return 0;
}
