/* SPDX-License-Identifier: MIT
 *
 * Files, FIFOs, terminals, and what moves bytes between descriptors: what each call says, to the letter. See
 * scenario.h.
 */
#include "scenario.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>

#define FAR  (5ll << 30)
#define MUCH (1 << 20)

static char folder[] = "/tmp/mt-files-XXXXXX";
static char path[64];
static char many[MUCH], back[MUCH];

static int new_file(int flags)
{
    snprintf(path, sizeof path, "%s/file", folder);
    unlink(path);
    return open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0640);
}

static void regular(void)
{
    struct iovec vectors[2] = {{back, 3}, {back + 3, 3}};
    struct stat stat;
    int fd = new_file(0);

    for (int i = 0; i < MUCH; i++)
        many[i] = (char)(i * 7);
    fstat(fd, &stat);
    say("  mode %o\n", stat.st_mode & 0777 & ~022);
    TELL(open(path, O_RDWR | O_CREAT | O_EXCL, 0640));
    TELL(open("/nonexistent/file", O_RDONLY));
    TELL(openat(AT_FDCWD, "/nonexistent/file", O_RDONLY));
    TELL(write(fd, many, MUCH));
    TELL(lseek(fd, 0, SEEK_SET));
    TELL(read(fd, back, MUCH));
    say("  the same: %d\n", !memcmp(many, back, MUCH));
    TELL(read(fd, back, 10));
    TELL(pread(fd, back, MUCH, MUCH - 100));
    TELL(pread(fd, back, 10, -1));
    TELL(pwrite(fd, "0123456789", 10, FAR));
    TELL(pread64(fd, back, 100, FAR + 4));
    say("  %.6s\n", back);
    TELL(preadv(fd, vectors, 2, FAR));
    TELL(preadv2(fd, vectors, 2, FAR + 6, 0));
    TELL(pwritev(fd, vectors, 2, FAR + 10));
    TELL(lseek(fd, 0, SEEK_END) == FAR + 16);
    TELL(lseek(fd, FAR, SEEK_SET) == FAR);
    TELL(readv(fd, vectors, 2));
    TELL(lseek(fd, 0, SEEK_CUR) == FAR + 6);
    TELL(ftruncate(fd, 0));
    TELL(fsync(fd));
    TELL(fdatasync(fd));
    TELL(syncfs(fd));
    TELL(posix_fallocate(fd, 0, 4096));
    TELL(posix_fallocate(fd, -1, 4096));
    TELL(fallocate(fd, 0, 0, -1));
    TELL(fsync(12345));
    close(fd);
    fd = open(path, O_RDONLY);
    TELL(write(fd, "x", 1));
    TELL(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1));
    close(fd);
    fd = open(path, O_WRONLY | O_DSYNC | O_APPEND);
    TELL(read(fd, back, 1));
    TELL(write(fd, "abc", 3));
    TELL(lseek(fd, 0, SEEK_CUR));
    close(fd);
    fd = open(folder, O_RDONLY | O_DIRECTORY);
    TELL(read(fd, back, 1));
    close(fd);
    fd = creat(path, 0600);
    TELL(lseek(fd, 0, SEEK_END));
    close(fd);
}

static void opens_fifo(int flags)
{
    int fd;

    pause_ms(10);
    fd = open(path, flags);
    if (flags == O_WRONLY && write(fd, "fifo", 4) != 4)
        abort();
    pause_ms(2);
    close(fd);
}

static void fifos(void)
{
    struct peer *peer;
    int fd;

    snprintf(path, sizeof path, "%s/fifo", folder);
    TELL(mkfifo(path, 0600));
    TELL(open(path, O_WRONLY | O_NONBLOCK));
    peer = peer_start(opens_fifo, O_WRONLY);
    fd = open(path, O_RDONLY);
    TELL(read(fd, back, 10));
    TELL(read(fd, back, 10));
    peer_end(peer);
    close(fd);
    peer = peer_start(opens_fifo, O_RDONLY);
    fd = openat(AT_FDCWD, path, O_WRONLY);
    say("  opened: %d\n", fd >= 0);
    peer_end(peer);
    close(fd);
}

/* -- Commands and locks ------------------------------------------------------------------------------------------- */

static void commands(void)
{
    int fd = new_file(O_CLOEXEC), other;

    TELL(fcntl(fd, F_GETFD));
    other = fcntl(fd, F_DUPFD, 500);
    say("  %d\n", other);
    TELL(fcntl(other, F_GETFD));
    TELL(fcntl(other, 123456, 1));
    TELL(fcntl(fd, F_SETFL, O_APPEND));
    TELL((fcntl(other, F_GETFL) & O_APPEND) != 0);
    TELL(fcntl(12345, F_GETFL));
    TELL(dup2(fd, other) == other);
    TELL(dup2(12345, other));
    TELL(dup3(fd, fd, 0));
    TELL(dup3(fd, other, O_CLOEXEC) == other);
    TELL(close(other));
    TELL(close(other));
    TELL(close(fd));
}

static struct flock whole(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

/* A child has a lock; how it takes it is the caller's to say. It tells of it by a pipe, and is told by one to end soon.
 */
static pid_t holds(int (*take)(int fd), int ready, int go)
{
    pid_t pid = fork();
    char byte;
    int fd;

    if (pid)
        return pid;
    fd = open(path, O_RDWR);
    if (take(fd) || write(ready, "x", 1) != 1 || read(go, &byte, 1) != 1)
        _exit(1);
    pause_ms(10);
    _exit(0);
}

static int by_flock(int fd)
{
    return flock(fd, LOCK_EX);
}

static int by_fcntl(int fd)
{
    struct flock lock = whole(F_WRLCK);

    return fcntl(fd, F_SETLKW, &lock);
}

static int by_lockf(int fd)
{
    return lockf(fd, F_LOCK, 0);
}

static int by_ofd(int fd)
{
    struct flock lock = whole(F_WRLCK);

    return fcntl(fd, F_OFD_SETLKW, &lock);
}

static void locks(void)
{
    static int (*const ways[])(int fd) = {by_flock, by_fcntl, by_lockf, by_ofd};
    struct flock lock = whole(F_WRLCK);
    int fd = new_file(0), ready[2], go[2], status;
    char byte;
    pid_t pid;

    if (pipe(ready) || pipe(go))
        abort();
    for (int i = 0; i < 4; i++) {
        pid = holds(ways[i], ready[1], go[0]);
        TELL(read(ready[0], &byte, 1));
        if (i == 0)
            TELL(flock(fd, LOCK_EX | LOCK_NB));
        if (i == 1)
            TELL(fcntl(fd, F_SETLK, &lock));
        if (i == 2)
            TELL(lockf(fd, F_TLOCK, 0));
        TELL(write(go[1], "x", 1));
        TELL(ways[i](fd));
        TELL(waitpid(pid, &status, 0) == pid);
        TELL(status);
        TELL(flock(fd, LOCK_UN));
        TELL(lockf(fd, F_ULOCK, 0));
    }
    TELL(flock(12345, LOCK_EX));
    TELL(flock(fd, 12345));
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    close(go[1]);
    close(fd);
}

/* -- From one to another ------------------------------------------------------------------------------------------ */

static void drains(int fd)
{
    static char buffer[65536];
    long sum = 0, result;

    pause_ms(5);
    while (sum < MUCH && (result = read(fd, buffer, sizeof buffer)) > 0)
        sum += result;
}

static void moves(void)
{
    off_t offset = 100;
    loff_t at = 0;
    struct peer *peer;
    int fd = new_file(0), pair[2], ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(ends) || write(fd, many, MUCH) != MUCH)
        abort();
    peer = peer_start(drains, pair[1]);
    TELL(sendfile(pair[0], fd, &offset, MUCH - 100));
    TELL(offset == MUCH);
    TELL(sendfile(pair[0], fd, &offset, 100));
    TELL(write(pair[0], many, 100));
    peer_end(peer);
    TELL(splice(fd, &at, ends[1], NULL, 4096, 0));
    TELL(splice(ends[0], NULL, pair[0], NULL, 4096, 0));
    TELL(read(pair[1], back, 8192));
    TELL(splice(ends[0], NULL, pair[0], NULL, 4096, SPLICE_F_NONBLOCK));
    TELL(vmsplice(ends[1], &(struct iovec){many, 10}, 1, 0));
    TELL(read(ends[0], back, 100));
    at = 0;
    TELL(copy_file_range(fd, &at, fd, &(loff_t){MUCH}, 1000, 0));
    close(fd);
    close(pair[0]);
    close(pair[1]);
    close(ends[0]);
    close(ends[1]);
}

/* -- A terminal --------------------------------------------------------------------------------------------------- */

static void types(int fd)
{
    pause_ms(10);
    if (write(fd, "line\n", 5) != 5)
        abort();
}

static void terminal(void)
{
    struct termios termios;
    struct peer *peer;
    int master = posix_openpt(O_RDWR | O_NOCTTY), fd;

    if (master < 0 || grantpt(master) || unlockpt(master) || (fd = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0) {
        say("  none\n");
        return;
    }
    peer = peer_start(types, master);
    TELL(read(fd, back, 100));
    peer_end(peer);
    TELL(write(fd, "out\n", 4));
    TELL(read(master, back, 100) > 0);
    tcgetattr(fd, &termios);
    termios.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    termios.c_cc[VMIN] = 0;
    termios.c_cc[VTIME] = 1;
    tcsetattr(fd, TCSANOW, &termios);
    TELL(read(fd, back, 100));
    close(fd);
    close(master);
}

static void begin(void)
{
    say("  %d\n", mkdtemp(folder) != NULL);
}

static void end(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    TELL(system(command));
}

const struct scenario scenarios[] = {
    {"a folder", begin}, {"files", regular},       {"FIFOs", fifos}, {"commands", commands}, {"locks", locks},
    {"moving", moves},   {"a terminal", terminal}, {"the end", end}, {NULL, NULL},
};
