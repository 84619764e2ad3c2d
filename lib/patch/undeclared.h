/* SPDX-License-Identifier: MIT
 *
 * Names of libc's that no header declares, or only with _FORTIFY_SOURCE.
 */
#ifndef PATCH_UNDECLARED_H
#define PATCH_UNDECLARED_H

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

int __nanosleep(const struct timespec *time, struct timespec *left);

ssize_t __read(int fd, void *buffer, size_t size);
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __write(int fd, const void *buffer, size_t size);
ssize_t __pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __pwrite64(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __pread_chk(int fd, void *buffer, size_t size, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *buffer, size_t size, off_t offset, size_t room);

ssize_t __recv(int fd, void *buffer, size_t size, int flags);
ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags, struct sockaddr *address,
                       socklen_t *length);
ssize_t __send(int fd, const void *buffer, size_t size, int flags);
int __sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __connect(int fd, const struct sockaddr *address, socklen_t length);
int __close(int fd);
int __dup2(int fd, int number);

int __poll(struct pollfd *fds, nfds_t count, int timeout);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room);
int __select(int count, fd_set *reads, fd_set *writes, fd_set *excepts, struct timeval *timeout);

int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);
int __fcntl(int fd, int command, ...);

pid_t __wait(int *status);
pid_t __waitpid(pid_t pid, int *status, int options);
int __sigsuspend(const sigset_t *mask);
int __sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);

#endif
