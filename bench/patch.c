/* SPDX-License-Identifier: MIT
 *
 * What a patched call costs outside of coroutines: read(2) of nothing much, patched (mt), and libc's own (libc).
 * usage: patch mt|libc; prints "call ns VALUE".
 */
#include <fcntl.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLS 2000000

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void call(ssize_t (*reads)(int fd, void *buffer, size_t size))
{
    int fd = open("/dev/null", O_RDONLY);
    int64_t start = mt_now();
    char byte;

    for (int i = 0; i < CALLS; i++)
        if ((reads ? reads(fd, &byte, 1) : read(fd, &byte, 1)) != 0)
            die("read");
    printf("call ns %.2f\n", (double)(mt_now() - start) / CALLS);
    close(fd);
}

int main(int argc, char **argv)
{
    ssize_t (*libc_read)(int fd, void *buffer, size_t size);

    *(void **)&libc_read = mt_patch_original("read");
    if (argc > 1 && !strcmp(argv[1], "libc")) {
        call(libc_read);
        return 0;
    }
    if (mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK)))
        die("mt_patch");
    call(NULL);
    return 0;
}
