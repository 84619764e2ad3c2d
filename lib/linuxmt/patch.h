/* SPDX-License-Identifier: MIT
 *
 * libc's blocking calls, made to wait in the hub: unchanged code, the user's and that of client libraries, then lets
 * the other coroutines of its thread run while it waits. In a library of its own, liblinuxmt-patch: see
 * liblinuxmt-patch(7) for what becomes of each call, and mt_patch(3).
 *
 * A call made in a thread that has no coroutines goes to libc.
 */
#ifndef LINUXMT_PATCH_H
#define LINUXMT_PATCH_H

#include <linuxmt/compiler.h>
#include <stdint.h>

MT__BEGIN

enum mt_patch_class {
    MT_PATCH_SLEEP = 1,    /* sleep, nanosleep, ... */
    MT_PATCH_SOCKET = 2,   /* read, write, recv, send, accept, connect, ...: sockets, pipes, terminals */
    MT_PATCH_DNS = 4,      /* getaddrinfo, gethostbyname, ... */
    MT_PATCH_SELECT = 8,   /* poll, select, epoll_wait */
    MT_PATCH_FILE = 16,    /* open, fsync, flock, ...; read and write where they wait for a disk */
    MT_PATCH_STDIO = 32,   /* fgets, fread, printf, ... */
    MT_PATCH_PROCESS = 64, /* waitpid, system, pclose, ... */
    MT_PATCH_SIGNAL = 128, /* sigwait, pause, ... */
    MT_PATCH_THREAD = 256, /* pthread_create makes coroutines; turns LOCK on too */
    MT_PATCH_LOCK = 512,   /* pthread_mutex_lock, sem_wait, ... */
    MT_PATCH_ALL = 1023,
};

/* Turns classes on, for the process, from the next call on. 0; -EINVAL: a class that there is not; -ENOTSUP: the
 * library comes after libc in the order of linking, so that nobody calls it: link it before, or preload it. */
int mt_patch(unsigned classes);

/* Turns classes off. Calls that wait go on waiting as they began. 0 or -EINVAL. */
int mt_unpatch(unsigned classes);

/* 1 if all of these classes are on, else 0. */
int mt_is_patched(unsigned classes);

/* What the name means without this library, or NULL if it is no name of libc's (or of what comes after this library).
 */
void *mt_patch_original(const char *name);

/* How often coroutines have called the name and it blocked their thread, since it cannot wait in a hub; NULL: all names
 * together. Of pthread_create: how many threads have been the kernel's although MT_PATCH_THREAD was on. */
uint64_t mt_patch_passed(const char *name);

MT__END

#endif
