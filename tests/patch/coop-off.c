/* SPDX-License-Identifier: MIT
 *
 * What can only block, and so is off the hub: names, locks on files, messages; and children.
 */
#include "coop.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int resolver(void *arg)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    char number[16];
    struct hostent *host;

    CHECK(getaddrinfo("localhost", "80", &hints, &found) == 0);
    freeaddrinfo(found);
    snprintf(number, sizeof number, "127.0.0.%d", (int)(intptr_t)arg);
    host = gethostbyname(number);
    usleep(1000); /* another's answer does not come into ours */
    CHECK(host && !strcmp(host->h_name, number) && host->h_addr_list[0][3] == (char)(intptr_t)arg);
    return 0;
}

static void resolves(void)
{
    uint64_t before = mt_patch_passed(NULL);

    run_many(resolver, MANY);
    CHECK(mt_patch_passed(NULL) == before); /* how many at once: a thread may be through before its caller waits */
}

static char lock_path[] = "/tmp/mt-coop-XXXXXX";

static int locker(void *arg)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(lock_path, O_RDWR), ofd = (intptr_t)arg % 2;

    CHECK((ofd ? fcntl(fd, F_OFD_SETLKW, &lock) : flock(fd, LOCK_EX)) == 0);
    enter();
    usleep(1000);
    leave();
    return close(fd) ? -errno : 0;
}

static void locks(void)
{
    int fd = mkstemp(lock_path);

    CHECK(fd >= 0);
    run_many(locker, 20);
    CHECK(most <= 2 && most >= 1); /* one of each kind */
    unlink(lock_path);
    close(fd);
}

static int ends[2];

static int parent(void *arg)
{
    int status = 0, number = (int)(intptr_t)arg;
    pid_t pid = fork();
    char byte;

    if (!pid) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) ? 99 : number);
    }
    enter();
    if (most == 10)
        close(ends[1]); /* all are waited for now, and end */
    if (number % 2) {
        CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == number);
    } else {
        siginfo_t info;
        CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 && info.si_status == number);
    }
    leave();
    return 0;
}

static void children(void)
{
    CHECK(pipe(ends) == 0);
    run_many(parent, 10);
    CHECK(most == 10);
    close(ends[0]);
}

/* -- For each other ----------------------------------------------------------------------------------------------- */

static int queue;

struct message {
    long type;
    char text[8];
};

static int passes_messages(void *arg)
{
    struct message message = {.type = 1};

    if ((intptr_t)arg < MANY)
        CHECK(msgrcv(queue, &message, sizeof message.text, 0, 0) == sizeof message.text);
    else
        CHECK(msgsnd(queue, &message, sizeof message.text, 0) == 0);
    return 0;
}

/* All of the first half wait before the second, which ends that. */
static void messages(void)
{
    queue = msgget(IPC_PRIVATE, 0600);
    if (queue < 0)
        return; /* a kernel without them, or a sandbox */
    run_many(passes_messages, 2 * MANY);
    CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
}

const struct coop_test off_tests[] = {
    {"100 names at once", resolves},
    {"locks on files", locks},
    {"ten children at once", children},
    {"100 messages, awaited first", messages},
    {NULL, NULL},
};
