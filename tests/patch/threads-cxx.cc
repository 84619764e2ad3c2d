/* SPDX-License-Identifier: MIT
 *
 * C++'s threads, and what runs when one is left by force: the same with and without the patch.
 */
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <pthread.h>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <vector>

struct says {
    const char *text;
    ~says()
    {
        std::printf("destroyed: %s\n", text);
    }
};

static void in_c(void *text)
{
    std::printf("handler: %s\n", static_cast<const char *>(text));
}

static void leave(bool cancelled)
{
    says inner{"inner"};
    pthread_cleanup_push(in_c, const_cast<char *>("between"));
    try {
        says innermost{"innermost"};
        if (cancelled)
            for (;;)
                sleep(100);
        pthread_exit(const_cast<char *>("left"));
    } catch (...) {
        std::printf("caught\n");
        throw;
    }
    pthread_cleanup_pop(0);
}

static void *body(void *cancelled)
{
    says outer{"outer"};
    leave(cancelled != nullptr);
    return nullptr;
}

static std::once_flag flag;
static int tries;

static void fails_first()
{
    if (++tries < 3)
        throw std::runtime_error("not yet");
}

int main()
{
    std::mutex mutex;
    std::condition_variable condition;
    std::shared_timed_mutex shared;
    std::vector<std::thread> threads;
    pthread_t thread;
    void *value;
    int turn = 0;

    pthread_create(&thread, nullptr, body, nullptr);
    pthread_join(thread, &value);
    std::printf("%s\n", static_cast<char *>(value));
    pthread_create(&thread, nullptr, body, &mutex);
    usleep(1000);
    pthread_cancel(thread);
    pthread_join(thread, &value);
    std::printf("cancelled %d\n", value == PTHREAD_CANCELED);

    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int round = 0; round < 50; round++) {
                std::unique_lock<std::mutex> lock(mutex);
                condition.wait(lock, [&] { return turn % 4 == i; });
                turn++;
                condition.notify_all();
                std::unique_lock<std::shared_timed_mutex> writer(shared, std::defer_lock);
                while (!writer.try_lock_for(std::chrono::milliseconds(10))) {
                }
            }
            try {
                std::call_once(flag, fails_first);
            } catch (const std::runtime_error &) {
            }
        });
    for (auto &each : threads)
        each.join();
    std::printf("turns %d, tries %d\n", turn, tries);

    auto answer = std::async(std::launch::async, [] {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return 42;
    });
    std::printf("answer %d\n", answer.get());
    auto failure = std::async(std::launch::async, []() -> int { throw std::runtime_error("thrown"); });
    try {
        failure.get();
    } catch (const std::runtime_error &error) {
        std::printf("%s\n", error.what());
    }

    std::promise<int> promise; /* nobody joins it: get() waits by futex(2) */
    std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        promise.set_value_at_thread_exit(43);
    }).detach();
    std::printf("promised %d\n", promise.get_future().get());
    return 0;
}
