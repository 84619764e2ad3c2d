/* SPDX-License-Identifier: MIT
 *
 * System V's and POSIX's message queues and semaphores, and what else only the kernel can wait for: off the hub, unless
 * the caller does not want to wait.
 */
#include "patch/fd.h"
#include "patch/undeclared.h"

#include <aio.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <termios.h>

static long wait_off(enum mt__name_number number, int is_int, const long arguments[6])
{
    struct mt__patch_call call = mt__patch_begin();
    long result = mt__off(number, arguments);

    return mt__patch_end(call, mt__or_errno(is_int ? (int)result : result));
}

#define OFF(name, is_int, type, class, at_once, parameters, arguments, ...)        \
    MT__PATCHED type name parameters                                               \
    {                                                                              \
        if (!mt__patched(class) || (at_once))                                      \
            return mt__libc(name) arguments;                                       \
        return (type)wait_off(MT__N_##name, is_int, (const long[6]){__VA_ARGS__}); \
    }

static int none_waits(const struct sembuf *operations, size_t count)
{
    for (size_t i = 0; operations && i < count; i++)
        if (!(operations[i].sem_flg & IPC_NOWAIT) && operations[i].sem_op <= 0)
            return 0;
    return 1;
}

OFF(semop, 1, int, LOCK, none_waits(operations, count), (int id, struct sembuf *operations, size_t count),
    (id, operations, count), id, (long)operations, (long)count)
OFF(semtimedop, 1, int, LOCK, none_waits(operations, count),
    (int id, struct sembuf *operations, size_t count, const struct timespec *timeout), (id, operations, count, timeout),
    id, (long)operations, (long)count, (long)timeout)
OFF(msgsnd, 1, int, FILE, flags &IPC_NOWAIT, (int id, const void *message, size_t size, int flags),
    (id, message, size, flags), id, (long)message, (long)size, flags)
OFF(msgrcv, 0, ssize_t, FILE, flags &IPC_NOWAIT, (int id, void *message, size_t size, long type, int flags),
    (id, message, size, type, flags), id, (long)message, (long)size, type, flags)
OFF(mq_send, 1, int, FILE, mt__fd_is_nonblocking(queue),
    (mqd_t queue, const char *message, size_t size, unsigned priority), (queue, message, size, priority), queue,
    (long)message, (long)size, priority)
OFF(mq_timedsend, 1, int, FILE, mt__fd_is_nonblocking(queue),
    (mqd_t queue, const char *message, size_t size, unsigned priority, const struct timespec *until),
    (queue, message, size, priority, until), queue, (long)message, (long)size, priority, (long)until)
OFF(mq_receive, 0, ssize_t, FILE, mt__fd_is_nonblocking(queue),
    (mqd_t queue, char *message, size_t size, unsigned *priority), (queue, message, size, priority), queue,
    (long)message, (long)size, (long)priority)
OFF(mq_timedreceive, 0, ssize_t, FILE, mt__fd_is_nonblocking(queue),
    (mqd_t queue, char *restrict message, size_t size, unsigned *restrict priority,
     const struct timespec *restrict until),
    (queue, message, size, priority, until), queue, (long)message, (long)size, (long)priority, (long)until)
OFF(tcdrain, 1, int, FILE, 0, (int fd), (fd), fd)
OFF(aio_suspend, 1, int, FILE, 0, (const struct aiocb *const list[], int count, const struct timespec *timeout),
    (list, count, timeout), (long)list, count, (long)timeout)
