/* SPDX-License-Identifier: MIT
 *
 * Names of libc's that no header declares, or only with _FORTIFY_SOURCE.
 */
#ifndef PATCH_UNDECLARED_H
#define PATCH_UNDECLARED_H

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

void __longjmp_chk(struct __jmp_buf_tag place[1], int value) __attribute__((noreturn));
int __nanosleep(const struct timespec *time, struct timespec *left);

ssize_t __read(int fd, void *buffer, size_t size);
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __write(int fd, const void *buffer, size_t size);
ssize_t __pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __pwrite64(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __pread_chk(int fd, void *buffer, size_t size, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *buffer, size_t size, off_t offset, size_t room);

ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags, struct sockaddr *address,
                       socklen_t *length);
ssize_t __send(int fd, const void *buffer, size_t size, int flags);
int __connect(int fd, const struct sockaddr *address, socklen_t length);
int __close(int fd);
int __dup2(int fd, int number);

int __cxa_thread_atexit_impl(void (*destroy)(void *object), void *object, void *module);

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

pid_t _Fork(void);
pid_t __wait(int *status);
pid_t __waitpid(pid_t pid, int *status, int options);
int __sigaction(int signal, const struct sigaction *action, struct sigaction *before);
int __sigsuspend(const sigset_t *mask);

int _IO_getc(FILE *stream);
int _IO_putc(int byte, FILE *stream);
int __uflow(FILE *stream);
int __underflow(FILE *stream);
int __overflow(FILE *stream, int byte);
char *__fgets_chk(char *restrict buffer, size_t room, int size, FILE *restrict stream);
char *__fgets_unlocked_chk(char *restrict buffer, size_t room, int size, FILE *restrict stream);
ssize_t __getdelim(char **restrict line, size_t *restrict size, int delimiter, FILE *restrict stream);
size_t __fread_chk(void *restrict buffer, size_t room, size_t size, size_t count, FILE *restrict stream);
size_t __fread_unlocked_chk(void *restrict buffer, size_t room, size_t size, size_t count, FILE *restrict stream);
int __isoc99_fscanf(FILE *stream, const char *format, ...);
int __isoc99_scanf(const char *format, ...);
int __isoc99_vfscanf(FILE *stream, const char *format, va_list list);
int __isoc99_vscanf(const char *format, va_list list);
int __isoc23_fscanf(FILE *stream, const char *format, ...);
int __isoc23_scanf(const char *format, ...);
int __isoc23_vfscanf(FILE *stream, const char *format, va_list list);
int __isoc23_vscanf(const char *format, va_list list);
int __printf_chk(int flag, const char *restrict format, ...);
int __fprintf_chk(FILE *restrict stream, int flag, const char *restrict format, ...);
int __vprintf_chk(int flag, const char *restrict format, va_list list);
int __vfprintf_chk(FILE *restrict stream, int flag, const char *restrict format, va_list list);
int __dprintf_chk(int fd, int flag, const char *restrict format, ...);
int __vdprintf_chk(int fd, int flag, const char *restrict format, va_list list);
int __vasprintf_chk(char **restrict text, int flag, const char *restrict format, va_list list);
void __syslog_chk(int priority, int flag, const char *format, ...);
void __vsyslog_chk(int priority, int flag, const char *format, va_list list);

#endif
