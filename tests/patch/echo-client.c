/* SPDX-License-Identifier: MIT
 *
 * The other side of echo-threads: opens COUNT connections to a port of this machine, all at once, sends a line of its
 * own through each, and looks at what comes back. Says "open" when all are there and have had an answer, and closes
 * them when its input ends.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what, int number)
{
    fprintf(stderr, "connection %d: ", number);
    perror(what);
    return 1;
}

static int is_answered(int fd, int number)
{
    char line[32], back[32] = "";
    ssize_t size = snprintf(line, sizeof line, "this is %d\n", number), got, all = 0;
    struct pollfd look = {.fd = fd, .events = POLLIN};

    if (write(fd, line, (size_t)size) != size)
        return 0;
    for (; all < size; all += got)
        if (poll(&look, 1, 60000) != 1 || (got = read(fd, back + all, sizeof back - (size_t)all)) <= 0)
            return 0;
    return !memcmp(line, back, (size_t)size);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int port = argc > 2 ? atoi(argv[1]) : 0, count = argc > 2 ? atoi(argv[2]) : 0;
    int *fds = calloc((size_t)count + 1, sizeof *fds);
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    address.sin_port = htons((uint16_t)port);
    for (int i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&address, sizeof address))
            return fail("connect", i);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < count; i++)
            if (!is_answered(fds[i], i))
                return fail("answer", i);
    printf("open %d\n", count);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    for (int i = 0; i < count; i++)
        close(fds[i]);
    free(fds);
    return 0;
}
