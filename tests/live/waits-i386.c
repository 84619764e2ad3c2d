/* SPDX-License-Identifier: MIT
 *
 * Waits of a 32-bit program on x86-64, arranged without a libc, as that of the other width is seldom installed: a lock
 * that the parent holds for its children, a poll, a socket, a sleep; with an argument a mutex that its holder wants
 * again. It calls the kernel by way of the vDSO, as libc does.
 */
enum { FORK = 2, EXIT = 1, WAITPID = 7, SOCKETCALL = 102, NANOSLEEP = 162, POLL = 168, MMAP2 = 192, GETPID = 20 };
enum { FUTEX = 240, SOCKETPAIR = 8, RECV = 10, AT_SYSINFO = 32 };

static unsigned gate; /* the way into the kernel */

/* A macro, so that the line is the caller's. */
#define call(number, first, second, third, fourth, fifth)                                                              \
    ({                                                                                                                 \
        int result;                                                                                                    \
        __asm__ volatile("call *%[gate]"                                                                               \
                         : "=a"(result)                                                                                \
                         : "0"(number), "b"(first), "c"(second), "d"(third), "S"(fourth), "D"(fifth), [gate] "m"(gate) \
                         : "memory");                                                                                  \
        result;                                                                                                        \
    })

/* glibc's mutex of this width. */
struct mutex {
    unsigned word, count, owner, kind, users;
};

static void sleep_ms(unsigned ms)
{
    unsigned time[2] = {ms / 1000, ms % 1000 * 1000000};
    call(NANOSLEEP, (unsigned)time, 0, 0, 0, 0);
}

static __attribute__((noinline)) void wait_for_lock(struct mutex *mutex)
{
    call(FUTEX, (unsigned)mutex, 0 /* FUTEX_WAIT */, 2, 0, 0);
    __asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void receive(int fd)
{
    char byte;
    unsigned arguments[4] = {(unsigned)fd, (unsigned)&byte, 1, 0};
    call(SOCKETCALL, RECV, (unsigned)arguments, 0, 0, 0);
    __asm__ volatile("" ::: "memory");
}

static void as_child(void (*body)(struct mutex *), struct mutex *mutex)
{
    if (call(FORK, 0, 0, 0, 0, 0) == 0) {
        body(mutex);
        call(EXIT, 0, 0, 0, 0, 0);
    }
}

static void wait_in_poll(struct mutex *mutex)
{
    (void)mutex;
    call(POLL, 0, 0, 400, 0, 0);
}

static void wait_for_peer(struct mutex *mutex)
{
    int fds[2];
    unsigned arguments[4] = {1 /* AF_UNIX */, 1 /* SOCK_STREAM */, 0, (unsigned)fds};
    (void)mutex;
    if (call(SOCKETCALL, SOCKETPAIR, (unsigned)arguments, 0, 0, 0))
        return;
    if (call(FORK, 0, 0, 0, 0, 0) == 0) {
        sleep_ms(300);
        return; /* and its end closes the other side, once the parent has closed it too */
    }
    call(6 /* close */, fds[1], 0, 0, 0, 0);
    receive(fds[0]);
}

static __attribute__((noinline)) void take_again(struct mutex *mutex)
{
    for (;;)
        call(FUTEX, (unsigned)mutex, 128 /* FUTEX_WAIT_PRIVATE */, 2, 0, 0);
}

__attribute__((used, noreturn)) static void start(unsigned *stack)
{
    unsigned *at = stack + 1 + stack[0] + 1;
    struct mutex *mutex;

    while (*at++)
        ;
    for (; at[0]; at += 2)
        if (at[0] == AT_SYSINFO)
            gate = at[1];
    mutex = (struct mutex *)call(MMAP2, 0, 4096, 3, 0x21 /* MAP_SHARED | MAP_ANONYMOUS */, -1u);
    mutex->word = 2;
    mutex->users = 1;
    mutex->owner = (unsigned)call(GETPID, 0, 0, 0, 0, 0);
    if (stack[0] > 1)
        take_again(mutex);
    as_child(wait_for_lock, mutex);
    as_child(wait_in_poll, mutex);
    as_child(wait_for_peer, mutex);
    sleep_ms(500);
    mutex->word = 0;
    call(FUTEX, (unsigned)mutex, 1 /* FUTEX_WAKE */, 1, 0, 0);
    sleep_ms(200);
    while (call(WAITPID, -1u, 0, 0, 0, 0) > 0)
        ;
    for (;;)
        call(EXIT, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall start\n");
