/* SPDX-License-Identifier: MIT
 *
 * Inside the room: calls on descriptors. A descriptor is left as its owner has it, O_NONBLOCK included, which is shared
 * through dup and fork. A call is tried with a flag of its own that keeps it from blocking (MSG_DONTWAIT, RWF_NOWAIT);
 * only when it says -EAGAIN the descriptor is asked whether its owner wants that answer.
 */
#ifndef PATCH_FD_H
#define PATCH_FD_H

#include "patch/patch.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* A call that would block, and what its waits have in common. */
struct mt__block {
    int fd;
    short events;
    enum mt__name_number number;
    int known;
    mt_deadline deadline; /* of SO_RCVTIMEO or SO_SNDTIMEO */
};

#define MT__BLOCK_IN(fd, name)         \
    {                                  \
        fd, POLLIN, MT__N_##name, 0, 0 \
    }
#define MT__BLOCK_OUT(fd, name)         \
    {                                   \
        fd, POLLOUT, MT__N_##name, 0, 0 \
    }

/* It said -EAGAIN. 0: it is to be tried again; else the result: -EAGAIN (O_NONBLOCK, or the socket's timeout), ... */
int mt__block(struct mt__block *block);

/* Only asks the descriptor: 0, its call may wait until block->deadline, or -EAGAIN. */
int mt__block_ask(struct mt__block *block);
mt_deadline mt__block_deadline(const struct mt__block *block);

/* O_NONBLOCK, or a bad descriptor: the kernel's answer is what the caller wants. */
int mt__fd_is_nonblocking(int fd);

/* What the kernel makes of it, off the hub: any function of libc's whose arguments are integers and pointers, which
 * both of our ABIs pass alike. errno is set as it sets it. */
struct mt__off_call {
    void *function;
    long arguments[6];
    long result;
    int error;
};
void mt__off_call_run(void *call);
long mt__off(enum mt__name_number number, const long arguments[6]);

/* Looks a name up off the hub: errno and h_errno become what the call has left. */
long mt__look_up(enum mt__name_number number, void *function, const long arguments[], int count);

/* Its result or -errno. _int: of a function that returns an int, whose upper half is not there. */
static inline long mt__or_errno(long result)
{
    return result < 0 ? -errno : result;
}
#define mt__off_hub(name, ...)     mt__or_errno(mt__off(MT__N_##name, (const long[6]){__VA_ARGS__}))
#define mt__off_hub_int(name, ...) mt__or_errno((int)mt__off(MT__N_##name, (const long[6]){__VA_ARGS__}))

/* Until one of them is ready, with the caller's mask meanwhile if one is given: 0; -EBADF: one was closed, and its
 * revents says so; -ETIME, ... flags: beside being interrupted by any handler. */
int mt__patch_wait_any(struct pollfd *fds, nfds_t count, const sigset_t *mask, unsigned flags, mt_deadline deadline,
                       enum mt__name_number number);

/* Receiving and sending, tried until they need not wait: the result or -errno. */
long mt__receive(struct mt__block *block, void *buffer, size_t size, int flags, struct sockaddr *address,
                 socklen_t *length);
long mt__receive_message(struct mt__block *block, struct msghdr *message, int flags);
long mt__transmit(struct mt__block *block, const void *buffer, size_t size, int flags, const struct sockaddr *address,
                  socklen_t length);
long mt__transmit_message(struct mt__block *block, const struct msghdr *message, int flags);

/* Vectors of which some bytes are done. */
struct mt__vectors {
    struct iovec few[8], *all; /* all is to be freed if it is not `few` */
    struct iovec *at;
    size_t count;
};
int mt__vectors_copy(struct mt__vectors *vectors, const struct iovec *from, size_t count); /* 0 or -ENOMEM */
void mt__vectors_advance(struct mt__vectors *vectors, size_t bytes);
void mt__vectors_free(struct mt__vectors *vectors);
size_t mt__vectors_size(const struct iovec *vectors, size_t count);

/* A FIFO, or a device: opening it may wait for its other end. */
int mt__open_may_wait(const char *path);

/* Coroutines of this hub that wait for the descriptor come back with -EBADF: it is about to be closed. */
void mt__fd_closing(int fd);

#endif
