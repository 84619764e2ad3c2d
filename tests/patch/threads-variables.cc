/* SPDX-License-Identifier: MIT
 *
 * C++'s thread_local: built and destroyed once in each thread, by itself; exceptions under way while others run; and
 * the variables of a module that is loaded meanwhile, whose name is the argument. The same with and without the patch.
 */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <mutex>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

static std::atomic<int> built, destroyed, wrong;

struct counted {
    std::string name;
    counted()
    {
        built++;
    }
    ~counted()
    {
        destroyed++;
        wrong += name.empty();
    }
};

struct says {
    const char *text;
    ~says()
    {
        std::printf("destroyed: %s\n", text);
    }
};

static thread_local counted each;
static thread_local std::vector<int> numbers{1, 2, 3};
static thread_local int depth = 5;
static pthread_key_t key;

static void key_ends(void *value)
{
    static thread_local says late{"made by a key's destructor"};
    std::printf("key: %s, %s\n", static_cast<char *>(value), late.text);
}

static void work(int id)
{
    each.name = std::string(40, static_cast<char>('a' + id % 26)) + std::to_string(id);
    numbers.push_back(id);
    depth += id;
    for (int i = 0; i < 10; i++) {
        std::this_thread::yield();
        try {
            if (i % 2)
                throw std::runtime_error(each.name);
            throw id;
        } catch (const std::exception &error) {
            std::this_thread::sleep_for(std::chrono::microseconds(50));
            try {
                std::this_thread::yield();
                throw; /* what is thrown again is this one's own */
            } catch (const std::runtime_error &again) {
                if (again.what() != each.name)
                    wrong++;
            }
            if (error.what() != each.name)
                wrong++;
        } catch (int thrown) {
            std::this_thread::yield();
            if (thrown != id || std::uncaught_exceptions())
                wrong++;
        }
    }
    if (numbers.size() != 4 || numbers.back() != id || depth != 5 + id)
        wrong++;
}

static void many()
{
    std::vector<std::thread> threads;

    for (int i = 0; i < 50; i++)
        threads.emplace_back(work, i);
    for (auto &thread : threads)
        thread.join();
    std::printf("built %d destroyed %d wrong %d\n", built.load(), destroyed.load(), wrong.load());
}

static void in_order()
{
    std::thread([] {
        static thread_local says first{"first"};
        static thread_local says second{"second"};
        pthread_setspecific(key, const_cast<char *>("after both"));
        std::printf("%s %s\n", first.text, second.text);
    }).join();
    std::thread([] {
        static thread_local says left{"left by pthread_exit"};
        std::printf("%s\n", left.text);
        pthread_exit(nullptr);
    }).join();
}

/* In the child of a thread nobody else's are destroyed. */
static void in_child()
{
    std::thread([] {
        static thread_local says forks{"of who forks"};
        pid_t child;
        int status = 0;
        std::printf("%s\n", forks.text);
        std::fflush(stdout);
        child = fork();
        if (child) {
            waitpid(child, &status, 0);
            std::printf("status %d\n", status);
        }
    }).join();
}

/* -- A module ----------------------------------------------------------------------------------------------------- */

static void with_module(const char *path)
{
    std::vector<std::thread> threads;
    std::atomic<int (*)(int)> add{nullptr};
    std::atomic<int> good{0}, ready{0};

    for (int i = 0; i < 10; i++)
        threads.emplace_back([&, i] {
            ready++;
            while (!add)
                std::this_thread::sleep_for(std::chrono::microseconds(100));
            for (int round = 1; round <= 5; round++) {
                good += add.load()(i) == 1000 + i * round;
                std::this_thread::yield();
            }
        });
    while (ready < 10)
        std::this_thread::yield();
    void *module = dlopen(path, RTLD_NOW);
    if (!module) {
        std::printf("%s\n", dlerror());
        std::exit(1);
    }
    auto found = reinterpret_cast<int (*)(int)>(dlsym(module, "add"));
    found(7);
    add = found;
    for (auto &thread : threads)
        thread.join();
    std::printf("module: %d, main's %d\n", good.load(), found(0));
    dlclose(module);
    for (int i = 0; i < 2; i++) { /* loaded and unloaded again, by threads */
        std::thread([&] {
            void *again = dlopen(path, RTLD_NOW);
            auto here = reinterpret_cast<int (*)(int)>(dlsym(again, "add"));
            std::printf("again: %d %d\n", here(1), here(1));
            dlclose(again);
            std::this_thread::yield();
        }).join();
    }
}

int main(int argc, char **argv)
{
    static thread_local says mains{"main's"};

    std::printf("%s\n", mains.text);
    pthread_key_create(&key, key_ends);
    many();
    in_order();
    in_child();
    if (argc > 1)
        with_module(argv[1]);
    if (argc > 2) /* and then main's are nobody's to destroy */
        std::thread([] {
            static thread_local says last{"of who calls exit"};
            std::printf("%s\n", last.text);
            std::exit(3);
        }).join();
    return 0;
}
