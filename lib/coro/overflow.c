/* SPDX-License-Identifier: MIT
 *
 * A coroutine that runs into its guard is told by name, then the fault takes its course: to the handler that was there
 * before, or to the default that kills. The handler needs a stack of its own, which each thread with coroutines gets.
 */
#include "base/sys.h"
#include "coro/stack.h"

#include <errno.h>
#include <linuxmt/task.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIGNAL_STACK (32 * 1024)

static pthread_once_t installed = PTHREAD_ONCE_INIT;
static pthread_key_t signal_stack;
static struct sigaction before;

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* there is nowhere left to say it */
}

static void say_number(size_t number)
{
    char digits[24];
    char *at = digits + sizeof digits - 1;

    *at = 0;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    say(at);
}

static void tell(const struct mt__stack *stack)
{
    say("linuxmt: the stack of ");
    say(stack->owner && *stack->owner ? stack->owner : "a coroutine");
    say(" has overflowed: it has ");
    say_number(stack->size / 1024);
    say(" KiB; give it more by its stack_size\n");
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    const struct mt__stack *stack = info->si_code > 0 ? mt__stack_find(info->si_addr) : NULL;

    if (stack && (char *)info->si_addr < stack->low)
        tell(stack);
    if (before.sa_flags & SA_SIGINFO && before.sa_sigaction) {
        before.sa_sigaction(number, info, context);
        return;
    }
    if (!(before.sa_flags & SA_SIGINFO) && before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
        return;
    }
    signal(number, SIG_DFL); /* the instruction faults again and kills */
    if (info->si_code <= 0)
        raise(number); /* unless somebody only sent it */
}

static void forget(void *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    sigaltstack(&none, NULL);
    munmap(stack, SIGNAL_STACK);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    pthread_key_create(&signal_stack, forget);
    sigaction(SIGSEGV, &action, &before);
}

/* Without memory for it an overflow still kills, only silently. A stack that the program has set for signals is left
 * alone. */
void mt__stack_watch(void)
{
    stack_t now;
    long memory;

    pthread_once(&installed, install);
    if (sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE))
        return;
    memory = mt__sys(SYS_mmap, NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0 && memory > -4096)
        return;
    now = (stack_t){.ss_sp = (void *)memory, .ss_size = SIGNAL_STACK};
    if (sigaltstack(&now, NULL) < 0)
        munmap((void *)memory, SIGNAL_STACK);
    else
        pthread_setspecific(signal_stack, (void *)memory);
}
