/* SPDX-License-Identifier: MIT
 *
 * Threads come and go while others load modules with variables of threads, use them, and unload them: four, whose names
 * are the arguments. The same with and without the patch.
 */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <thread>
#include <unistd.h>
#include <vector>

static const int rounds = 1000;
static thread_local int mine = 5;
static std::atomic<int> wrong, done;

static void load_and_use(const char *path, bool pauses)
{
    void *module = dlopen(path, RTLD_NOW);
    if (!module) {
        std::printf("%s\n", dlerror());
        std::exit(1);
    }
    auto add = reinterpret_cast<int (*)(int)>(dlsym(module, "add"));
    int before = add(1);
    std::this_thread::yield();
    wrong += add(1) != before + 1;
    if (pauses)
        usleep(10);
    dlclose(module);
}

static void keep(int id)
{
    mine = id;
    std::this_thread::yield();
    wrong += mine != id;
}

static void come_and_go(int id)
{
    std::thread([=] {
        wrong += mine != 5;
        keep(id);
    }).join();
}

int main(int argc, char **argv)
{
    std::vector<std::thread> threads;

    if (argc < 5)
        return 1;
    for (int id = 0; id < 12; id++)
        threads.emplace_back([=] {
            for (int round = 0; round < rounds; round++)
                if (id < 4)
                    load_and_use(argv[1 + (id + round) % 4], round % 2);
                else if (id < 8)
                    come_and_go(id);
                else
                    keep(id);
            done++;
        });
    for (auto &thread : threads)
        thread.join();
    std::printf("wrong %d done %d\n", wrong.load(), done.load());
    return 0;
}
