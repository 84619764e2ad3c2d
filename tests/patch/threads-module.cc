/* SPDX-License-Identifier: MIT
 *
 * A module with variables of threads, for threads-variables.cc.
 */
#include <atomic>
#include <cstdio>

static std::atomic<int> living;

struct number {
    int value = 1000;
    number()
    {
        living++;
    }
    ~number()
    {
        living--;
    }
};

static thread_local number sum;
static thread_local int times;

extern "C" int add(int what)
{
    times++;
    return sum.value += what;
}
