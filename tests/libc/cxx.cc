// SPDX-License-Identifier: MIT
//
// C++ in our threads: thread_local objects, exceptions, what leaves a thread early, and the standard library's own threads
// beside them.
#include <linuxmt.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define CHECK(condition)                                                   \
    do {                                                                   \
        if (!(condition)) {                                                \
            std::printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);  \
            failures++;                                                    \
        }                                                                  \
    } while (0)

static std::atomic<int> failures, made, destroyed, late;

// -- thread_local ----------------------------------------------------------------------------------------------------

struct Counted {
    std::string text = "made";
    Counted() { made++; }
    ~Counted();
};

struct Late {
    int number = 5;
    ~Late() { late++; }
};

static thread_local Counted counted;
static thread_local Late used_late;
static thread_local std::vector<std::string> words{"one", "two"};

Counted::~Counted()
{
    CHECK(text == "made");
    used_late.number = 6; // made while others are being destroyed
    destroyed++;
}

static int use_thread_local(void *)
{
    counted.text += "";
    words.push_back("three");
    CHECK(words.size() == 3);
    return 0;
}

// -- Exceptions ------------------------------------------------------------------------------------------------------

static int depth(int n)
{
    if (n == 0)
        throw std::runtime_error("deep");
    std::string keep(100, 'x'); // to be destroyed on the way
    return depth(n - 1) + static_cast<int>(keep.size());
}

static int throw_and_catch(void *)
{
    for (int i = 0; i < 200; i++) {
        try {
            depth(50);
            failures++;
        } catch (const std::runtime_error &error) {
            CHECK(std::string(error.what()) == "deep");
            try {
                throw;
            } catch (const std::exception &again) {
                CHECK(&again == &error);
            }
        }
    }
    CHECK(std::uncaught_exceptions() == 0);
    return 0;
}

static std::exception_ptr carried;

static int throw_for_another(void *)
{
    try {
        throw std::out_of_range("from another thread");
    } catch (...) {
        carried = std::current_exception();
    }
    return 0;
}

// -- Leaving early ---------------------------------------------------------------------------------------------------

struct Guard {
    int *flag;
    ~Guard() { ++*flag; }
};

static int leave(void *arg)
{
    Guard guard{static_cast<int *>(arg)};
    try {
        pthread_exit(nullptr);
    } catch (...) {
        ++*static_cast<int *>(arg);
        throw; // as glibc wants it
    }
}

// -- The standard library --------------------------------------------------------------------------------------------

static std::mutex mutex;
static std::condition_variable condition;
static bool ready;

static int wait_for_std_thread(void *)
{
    std::thread other([] {
        std::lock_guard<std::mutex> lock(mutex);
        ready = true;
        condition.notify_all();
    });
    std::unique_lock<std::mutex> lock(mutex);
    condition.wait(lock, [] { return ready; });
    lock.unlock();
    other.join();
    return 0;
}

static int run(mt_fn *fn, void *arg)
{
    mt_task *task = mt_thread_spawn(fn, arg, nullptr);
    int outcome;

    if (!task || mt_task_join(task, MT_FOREVER))
        return -1000;
    outcome = mt_task_outcome(task);
    mt_task_release(task);
    return outcome;
}

static int throw_in_pool(void *)
{
    throw_and_catch(nullptr);
    use_thread_local(nullptr);
    words.pop_back();
    return 0;
}

static void in_a_pool()
{
    mt_pool_options options{};
    options.workers = 2;
    mt_pool *pool = mt_pool_open(&options);
    int before = destroyed;

    CHECK(pool != nullptr);
    for (int i = 0; i < 20; i++) {
        mt_future *future = mt_pool_apply(pool, throw_in_pool, nullptr, 0, MT_FOREVER);
        CHECK(future && mt_future_outcome(future) == 0);
        mt_future_release(future);
    }
    mt_pool_free(pool);
    CHECK(destroyed - before >= 1 && destroyed - before <= 2); // one for each worker that had a task
}

int main()
{
    int left = 0;

    for (int i = 0; i < 200; i++)
        CHECK(run(use_thread_local, nullptr) == 0);
    CHECK(made == 200 && destroyed == 200 && late == 200);
    CHECK(run(throw_and_catch, nullptr) == 0);
    CHECK(run(throw_for_another, nullptr) == 0);
    try {
        std::rethrow_exception(carried);
    } catch (const std::out_of_range &error) {
        CHECK(std::string(error.what()) == "from another thread");
    }
    CHECK(run(leave, &left) == -ECANCELED);
    CHECK(left == 2);
    CHECK(run(wait_for_std_thread, nullptr) == 0);
    in_a_pool();
    return failures != 0;
}
