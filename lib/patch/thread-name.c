/* SPDX-License-Identifier: MIT
 *
 * Names of threads that are coroutines: the task's, which tracers show, and what the program is told. The kernel's name
 * is that of the thread that carries the hub, and stays.
 */
#include "patch/pthreads.h"

#include <string.h>
#include <sys/prctl.h>

static void set(struct mt__pthread *thread, const char *name)
{
    strcpy(thread->name, name);
    mt__mini_acquire(&thread->guard);
    if (thread->task)
        mt_task_set_name(thread->task, name);
    mt__mini_release(&thread->guard);
}

MT__PATCHED int pthread_setname_np(pthread_t handle, const char *name)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_setname_np)(handle, name);
    if (strlen(name) >= sizeof thread->name)
        return ERANGE;
    set(thread, name);
    return 0;
}

MT__PATCHED int pthread_getname_np(pthread_t handle, char *name, size_t size)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_getname_np)(handle, name, size);
    if (size < sizeof thread->name)
        return ERANGE; /* as libc, whatever the name's length */
    strcpy(name, thread->name);
    return 0;
}

/* One that is too long is cut off, as the kernel does. */
static int set_own(struct mt__pthread *thread, const char *name)
{
    char kept[sizeof thread->name] = "";

    strncpy(kept, name, sizeof kept - 1);
    set(thread, kept);
    return 0;
}

long mt__prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) __asm__("prctl");

MT__PATCHED long mt__prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    struct mt__pthread *thread = option == PR_SET_NAME || option == PR_GET_NAME ? mt__pthread_if_known() : NULL;

    if (thread && option == PR_SET_NAME)
        return set_own(thread, (const char *)a);
    if (thread) {
        memcpy((char *)a, thread->name, sizeof thread->name);
        return 0;
    }
    return ((__typeof__(&mt__prctl))mt__original(MT__N_prctl))(option, a, b, c, d);
}
