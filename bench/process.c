/* SPDX-License-Identifier: MIT
 *
 * Processes that do nothing: started and waited for, one at a time. usage: process VARIANT; prints "metric unit value"
 * a line.
 *
 *   fork-join          from a small parent
 *   large-fork         from a parent of 400 MB
 *   large-spawn        from that parent by MT_SPAWN; the peer forks, which is what it can do to run a function
 *   large-forkserver   the same by MT_FORKSERVER
 *
 * The 400 MB are in pages of 4 KiB, as a heap that has grown bit by bit is: of huge ones a fork copies next to nothing.
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE (400u << 20)

static int nothing(void *arg)
{
    return 0;
}

static void mt_one(enum mt_start_method method)
{
    struct mt_process_options options = {.start = method};
    struct mt_task *task = mt_process_spawn(nothing, NULL, 0, &options);

    if (!task || mt_task_join(task, MT_FOREVER))
        abort();
    mt_task_release(task);
}

static void fork_one(enum mt_start_method method)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(0);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
}

static double timed(void (*one)(enum mt_start_method), enum mt_start_method method, int rounds)
{
    int64_t start;

    one(method); /* warm */
    start = mt_now();
    for (int i = 0; i < rounds; i++)
        one(method);
    return (double)(mt_now() - start) / 1000 / rounds;
}

int main(int argc, char **argv)
{
    int mt = argc == 2 && !strcmp(argv[1], "mt");
    void (*one)(enum mt_start_method) = mt ? mt_one : fork_one;
    char *large;

    mt_process_init();
    if (argc != 2 || (!mt && strcmp(argv[1], "fork"))) {
        fprintf(stderr, "usage: process mt|fork\n");
        return 2;
    }
    printf("fork-join us %.3f\n", timed(one, MT_FORK, 500));
    large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (large == MAP_FAILED || madvise(large, LARGE, MADV_NOHUGEPAGE))
        return 1;
    memset(large, 1, LARGE);
    printf("large-fork us %.3f\n", timed(one, MT_FORK, 20));
    printf("large-spawn us %.3f\n", timed(one, MT_SPAWN, 50));
    printf("large-forkserver us %.3f\n", timed(one, MT_FORKSERVER, 50));
    munmap(large, LARGE);
    return 0;
}
