/* SPDX-License-Identifier: MIT
 *
 * Reading, writing and connecting with a deadline, in every kind of task. See mt_read(3).
 *
 * Each does what the system call of that name does, for one descriptor, and waits for as long as its deadline allows.
 * In a coroutine only that one waits, whatever O_NONBLOCK says. A call that is cancelled, or late, has done nothing:
 * bytes that did come are returned, never lost.
 *
 * Common to all: -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED, the task has been killed; -EBADF, also when mt_close
 * closes the descriptor meanwhile; -ENOMEM; and what the system call gives.
 */
#ifndef LINUXMT_IO_H
#define LINUXMT_IO_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <sys/types.h>

MT__BEGIN

struct pollfd;
struct sockaddr;
struct msghdr;

/* The number of bytes, 0 at the end of the file; or -errno. */
ssize_t mt__read(int fd, void *buffer, size_t size, mt_deadline deadline, const char *place) MT__MUST_CHECK;
ssize_t mt__write(int fd, const void *buffer, size_t size, mt_deadline deadline, const char *place) MT__MUST_CHECK;
ssize_t mt__pread(int fd, void *buffer, size_t size, off_t offset, mt_deadline deadline,
                  const char *place) MT__MUST_CHECK;
ssize_t mt__pwrite(int fd, const void *buffer, size_t size, off_t offset, mt_deadline deadline,
                   const char *place) MT__MUST_CHECK;
#define mt_read(fd, buffer, size, deadline)           mt__read(fd, buffer, size, deadline, MT__HERE)
#define mt_write(fd, buffer, size, deadline)          mt__write(fd, buffer, size, deadline, MT__HERE)
#define mt_pread(fd, buffer, size, offset, deadline)  mt__pread(fd, buffer, size, offset, deadline, MT__HERE)
#define mt_pwrite(fd, buffer, size, offset, deadline) mt__pwrite(fd, buffer, size, offset, deadline, MT__HERE)

/* All of it: 0, or -errno after as much of it as *done says (done may be NULL). An end of the file in between is -EPIPE
 * when reading. */
int mt__read_all(int fd, void *buffer, size_t size, size_t *done, mt_deadline deadline,
                 const char *place) MT__MUST_CHECK;
int mt__write_all(int fd, const void *buffer, size_t size, size_t *done, mt_deadline deadline,
                  const char *place) MT__MUST_CHECK;
#define mt_read_all(fd, buffer, size, done, deadline)  mt__read_all(fd, buffer, size, done, deadline, MT__HERE)
#define mt_write_all(fd, buffer, size, done, deadline) mt__write_all(fd, buffer, size, done, deadline, MT__HERE)

/* Sockets. No SIGPIPE: a peer that has gone is -EPIPE. */
ssize_t mt__recv(int fd, void *buffer, size_t size, int flags, mt_deadline deadline, const char *place) MT__MUST_CHECK;
ssize_t mt__send(int fd, const void *buffer, size_t size, int flags, mt_deadline deadline,
                 const char *place) MT__MUST_CHECK;
ssize_t mt__recvmsg(int fd, struct msghdr *message, int flags, mt_deadline deadline, const char *place) MT__MUST_CHECK;
ssize_t mt__sendmsg(int fd, const struct msghdr *message, int flags, mt_deadline deadline,
                    const char *place) MT__MUST_CHECK;
#define mt_recv(fd, buffer, size, flags, deadline) mt__recv(fd, buffer, size, flags, deadline, MT__HERE)
#define mt_send(fd, buffer, size, flags, deadline) mt__send(fd, buffer, size, flags, deadline, MT__HERE)
#define mt_recvmsg(fd, message, flags, deadline)   mt__recvmsg(fd, message, flags, deadline, MT__HERE)
#define mt_sendmsg(fd, message, flags, deadline)   mt__sendmsg(fd, message, flags, deadline, MT__HERE)

/* The new descriptor, or -errno. address and size as for accept4(2), both NULL if nobody asks; flags SOCK_CLOEXEC and
 * SOCK_NONBLOCK. */
int mt__accept(int fd, struct sockaddr *address, unsigned *size, int flags, mt_deadline deadline,
               const char *place) MT__MUST_CHECK;
#define mt_accept(fd, address, size, flags, deadline) mt__accept(fd, address, size, flags, deadline, MT__HERE)

/* 0 once connected, or -errno. After -ETIMEDOUT or -ECANCELED the socket may still connect: close it. */
int mt__connect(int fd, const struct sockaddr *address, unsigned size, mt_deadline deadline,
                const char *place) MT__MUST_CHECK;
#define mt_connect(fd, address, size, deadline) mt__connect(fd, address, size, deadline, MT__HERE)

/* As poll(2): how many of the count descriptors have something in revents, at least one. */
int mt__poll(struct pollfd *fds, unsigned count, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_poll(fds, count, deadline) mt__poll(fds, count, deadline, MT__HERE)

/* Files. The descriptor (O_CLOEXEC is added), or -errno; 0 or -errno. In a thread, and where coroutines wait by epoll,
 * these wait for the disk, or a FIFO's other end, as the system calls do, whatever the deadline. */
int mt__open(const char *path, int flags, unsigned mode, mt_deadline deadline, const char *place) MT__MUST_CHECK;
int mt__fsync(int fd, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_open(path, flags, mode, deadline) mt__open(path, flags, mode, deadline, MT__HERE)
#define mt_fsync(fd, deadline)               mt__fsync(fd, deadline, MT__HERE)

/* Closes it. Coroutines of the calling thread that wait for it come back with -EBADF first; others wait on, as with
 * close(2). 0 or -errno. */
int mt_close(int fd);

MT__END

#endif
