// SPDX-License-Identifier: MIT
//
// What bench/queue.c measures, with Boost.Interprocess' message_queue.
#include <boost/interprocess/ipc/message_queue.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using boost::interprocess::create_only;
using boost::interprocess::message_queue;
using Clock = std::chrono::steady_clock;

static const std::size_t SIZES = 1024, CAPACITY = 256;
static const int TRIPS = 20000;

struct Result {
    volatile long messages;
    volatile double seconds;
};

struct Queue {
    std::string name;
    message_queue queue;
    std::size_t largest;

    Queue(const char *which, std::size_t size)
        : name(std::string("liblinuxmt-bench-") + which + std::to_string(getpid())),
          queue(create_only, name.c_str(), CAPACITY, size), largest(size)
    {
        message_queue::remove(name.c_str()); // it lives on until its last user is gone
    }
    void put(const void *data, std::size_t size)
    {
        queue.send(data, size, 0);
    }
    std::size_t get(void *data)
    {
        message_queue::size_type size;
        unsigned priority;
        queue.receive(data, largest, size, priority);
        return size;
    }
};

static double since(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

static void throughput(Result *result, std::size_t size)
{
    Queue queue("a", size);
    char buffer[SIZES] = {0};
    pid_t child = fork();

    if (!child) {
        long count = 0;
        queue.get(buffer);
        Clock::time_point start = Clock::now();
        while (queue.get(buffer) != 1)
            count++;
        result->seconds = since(start);
        result->messages = count;
        _exit(0);
    }
    Clock::time_point start = Clock::now();
    do
        for (int i = 0; i < 256; i++)
            queue.put(buffer, size);
    while (since(start) < 0.4);
    queue.put(buffer, 1);
    waitpid(child, nullptr, 0);
    for (const char *metric : {"bytes", "batch"})
        std::printf("%zu-%s Mops/s %.4f\n", size, metric, double(result->messages) / result->seconds / 1e6);
}

static void round_trip()
{
    Queue there("a", 8), back("b", 8);
    char buffer[SIZES] = {0};
    Clock::time_point start = Clock::now();
    pid_t child = fork();

    for (int i = 0; i < TRIPS + TRIPS / 10; i++) {
        if (i == TRIPS / 10)
            start = Clock::now();
        if (child) {
            there.put(buffer, 8);
            back.get(buffer);
        } else {
            there.get(buffer);
            back.put(buffer, 8);
        }
    }
    if (!child)
        _exit(0);
    std::printf("round-trip us %.3f\n", since(start) * 1e6 / TRIPS);
    waitpid(child, nullptr, 0);
}

int main()
{
    auto *result = static_cast<Result *>(
        mmap(nullptr, sizeof(Result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

    if (result == MAP_FAILED)
        return 1;
    for (std::size_t size : {8, 64, 1024})
        throughput(result, size);
    round_trip();
    return 0;
}
