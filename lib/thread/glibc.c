/* SPDX-License-Identifier: MIT
 *
 * What a thread owes glibc. pthread_create fills in a struct pthread that no header describes; a thread that we clone
 * ourselves needs the same fields. Their places come from three sources, and what they say must agree, or raw threads
 * are refused (mt__glibc_check):
 *
 *   1. the descriptors that glibc exports for debuggers (libthread_db): symbols _thread_db_*, each {bits, count,
 * offset};
 *   2. what the kernel knows of the running thread: the address of its tid word and of its robust list;
 *   3. a probe: a thread made by pthread_create on a stack of ours, whose struct pthread must hold that stack's address
 * and size, and its "user stack" flag, where we think.
 *
 * The functions are GLIBC_PRIVATE, looked up by dlvsym, so that a glibc without them is a reason, not a link error. The
 * version list is needed besides: _dl_allocate_tls_init got a second argument in 2.36 whose meaning 2.41 turned round,
 * and no cross-check can see that.
 *
 * The probe has a second use: the first pthread_create of a process flips glibc's hidden "single-threaded" flags, which
 * malloc, stdio and the mutexes rely on.
 */
#include "thread/glibc.h"
#include "thread/thread.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <link.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <unistd.h>

static const char *const tested_versions[] = {"2.36"};

struct node { /* glibc's list_t */
    struct node *next, *previous;
};

struct robust_head {
    void *list;
    long futex_offset;
    void *pending;
};

static struct {
    void *(*allocate_tls)(void *);
    void *(*allocate_tls_init)(void *, int);
    void (*static_info)(size_t *, size_t *);
    void (*call_tls_dtors)(void);
    struct key {
        uintptr_t sequence;
        void (*destructor)(void *);
    } * keys;
    unsigned *thread_count;
    struct node *threads; /* _dl_stack_user: threads on stacks that are not glibc's */
    int *threads_lock;

    size_t pthread_size, tls_size, tls_align;
    size_t tid, list, specific, robust, user_stack, cancelhandling, stack_block;
    ptrdiff_t libc_tls; /* libc's own TLS block, from the thread pointer */
    size_t libc_tls_size;
} glibc;

static char why[160];

/* struct pthread, from the thread pointer: the same on x86-64, just below on aarch64. */
static char *pthread_of(char *thread_pointer)
{
    return MT__TLS_BLOCKS_BELOW ? thread_pointer : thread_pointer - glibc.pthread_size;
}

/* -- The cross-checks --------------------------------------------------------------------------------------------- */

static void *symbol(const char *name)
{
    void *found = dlvsym(RTLD_DEFAULT, name, "GLIBC_PRIVATE");

    if (!found && !why[0])
        snprintf(why, sizeof why, "glibc %s does not export %s", gnu_get_libc_version(), name);
    return found;
}

/* The offset that a debugger's descriptor gives. */
static size_t offset(const char *field)
{
    char name[64];
    const uint32_t *descriptor;

    snprintf(name, sizeof name, "_thread_db_%s", field);
    descriptor = symbol(name);
    return descriptor ? descriptor[2] : 0;
}

static int find_libc_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
    if (!strstr(info->dlpi_name, "libc.so.6") || !info->dlpi_tls_data)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_TLS)
            continue;
        glibc.libc_tls = (char *)info->dlpi_tls_data - mt__arch_thread_pointer();
        glibc.libc_tls_size = info->dlpi_phdr[i].p_memsz;
    }
    return 1;
}

static void find_symbols(void)
{
    char *rtld = symbol("_rtld_global");
    const uint32_t *size = symbol("_thread_db_sizeof_pthread");

    glibc.allocate_tls = (void *(*)(void *))symbol("_dl_allocate_tls");
    glibc.allocate_tls_init = (void *(*)(void *, int))symbol("_dl_allocate_tls_init");
    glibc.static_info = (void (*)(size_t *, size_t *))symbol("_dl_get_tls_static_info");
    glibc.call_tls_dtors = (void (*)(void))symbol("__call_tls_dtors");
    glibc.keys = symbol("__pthread_keys");
    glibc.thread_count = symbol("__nptl_nthreads");
    glibc.tid = offset("pthread_tid");
    glibc.list = offset("pthread_list");
    glibc.specific = offset("pthread_specific");
    glibc.cancelhandling = offset("pthread_cancelhandling");
    glibc.user_stack = offset("pthread_report_events") + 1;
    if (why[0])
        return;
    glibc.pthread_size = *size;
    glibc.threads = (struct node *)(rtld + offset("rtld_global__dl_stack_user"));
    /* After it in struct rtld_global: _dl_stack_cache (a node), its size, _dl_in_flight_stack, then the lock. */
    glibc.threads_lock = (int *)((char *)glibc.threads + 2 * sizeof(struct node) + 2 * sizeof(size_t));
    glibc.static_info(&glibc.tls_size, &glibc.tls_align);
    dl_iterate_phdr(find_libc_tls, NULL);
}

static void check_against_kernel(void)
{
    char *self = pthread_of(mt__arch_thread_pointer());
    int *tid = NULL;
    struct robust_head *head = NULL;
    size_t size = 0;

    if (prctl(PR_GET_TID_ADDRESS, &tid) == 0 && getpid() == (pid_t)mt__sys(SYS_gettid) &&
        (char *)tid != self + glibc.tid)
        snprintf(why, sizeof why, "the kernel's address of the tid word is not where glibc's debug descriptor says");
    else if (mt__sys(SYS_get_robust_list, 0, &head, &size) == 0 && head)
        glibc.robust = (size_t)((char *)head - self);
    else
        glibc.robust = glibc.tid + 16; /* emulators have no robust lists: nothing will look there */
    if (!why[0] && glibc.robust >= glibc.pthread_size)
        snprintf(why, sizeof why, "the robust list is outside struct pthread");
}

struct probe {
    char *stack;
    size_t stack_size;
};

/* On the probe thread: where its struct pthread keeps the stack that we gave it. */
static void *look_for_stack(void *arg)
{
    struct probe *probe = arg;
    char *self = pthread_of(mt__arch_thread_pointer());

    mt__sys(SYS_prctl, PR_SET_NAME, "linuxmt-check"); /* for who looks from outside */
    for (size_t at = 0; at + 2 * sizeof(void *) <= glibc.pthread_size; at += sizeof(void *)) {
        void *address;
        size_t size;
        memcpy(&address, self + at, sizeof address);
        memcpy(&size, self + at + sizeof address, sizeof size);
        if (address == probe->stack && size == probe->stack_size)
            glibc.stack_block = at;
    }
    if (!glibc.stack_block)
        snprintf(why, sizeof why, "struct pthread does not hold its stack where it should");
    else if (self[glibc.user_stack] != 1)
        snprintf(why, sizeof why, "struct pthread's user-stack flag is not where it should be");
    else if (*(int *)(self + glibc.tid) != (int)mt__sys(SYS_gettid))
        snprintf(why, sizeof why, "struct pthread's tid is not where it should be");
    else if (glibc.threads->next != (struct node *)(self + glibc.list) &&
             glibc.threads->previous != (struct node *)(self + glibc.list))
        snprintf(why, sizeof why, "glibc's list of threads is not where it should be");
    return NULL;
}

static void check_by_probe(void)
{
    struct probe probe = {NULL, 128 * 1024};
    pthread_attr_t attributes;
    pthread_t thread;

    probe.stack = mmap(NULL, probe.stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (probe.stack == MAP_FAILED) {
        snprintf(why, sizeof why, "no memory for the probe thread's stack");
        return;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, probe.stack, probe.stack_size);
    if (pthread_create(&thread, &attributes, look_for_stack, &probe))
        snprintf(why, sizeof why, "pthread_create does not work");
    else
        pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    munmap(probe.stack, probe.stack_size);
}

static int version_is_tested(void)
{
    for (size_t i = 0; i < sizeof tested_versions / sizeof *tested_versions; i++)
        if (!strcmp(gnu_get_libc_version(), tested_versions[i]))
            return 1;
    return 0;
}

const char *mt__glibc_check(int any_version)
{
    if (!any_version && !version_is_tested())
        snprintf(why, sizeof why, "glibc %s is not on the list of tested versions", gnu_get_libc_version());
    if (!why[0])
        find_symbols();
    if (!why[0])
        check_against_kernel();
    if (!why[0])
        check_by_probe();
    if (!why[0] && *glibc.threads_lock)
        snprintf(why, sizeof why, "glibc's lock on its list of threads is not where it should be");
    return why[0] ? why : NULL;
}

/* -- The block ---------------------------------------------------------------------------------------------------- */

size_t mt__glibc_size(void)
{
    return glibc.tls_size + glibc.pthread_size + 2 * glibc.tls_align + 128;
}

char *mt__glibc_place(char *end, char **thread_pointer)
{
    uintptr_t mask = ~(uintptr_t)(glibc.tls_align - 1);
    char *tp, *low;

    if (MT__TLS_BLOCKS_BELOW) {
        tp = (char *)((uintptr_t)(end - glibc.pthread_size - 16) & mask);
        low = tp + glibc.pthread_size - glibc.tls_size; /* tls_size counts struct pthread */
    } else {
        tp = (char *)((uintptr_t)(end - glibc.tls_size) & mask);
        low = tp - glibc.pthread_size;
    }
    *thread_pointer = tp;
    return (char *)((uintptr_t)low & ~(uintptr_t)63);
}

int mt__glibc_first(char *thread_pointer)
{
    char *self = pthread_of(thread_pointer);

    if (!glibc.allocate_tls(thread_pointer))
        return -ENOMEM;
    mt__arch_tcb_init(thread_pointer, mt__arch_thread_pointer());
    *(int *)(self + MT__ARCH_MULTIPLE_THREADS) = 1;
    /* The first block of thread-specific data lies within, just before the table that points to it: 32 entries of two
     * words. */
    *(void **)(self + glibc.specific) = self + glibc.specific - 32 * 2 * sizeof(void *);
    return 0;
}

struct dtv {
    void *value, *to_free;
};

void mt__glibc_again(char *thread_pointer)
{
    struct dtv *dtv = *(struct dtv **)(thread_pointer + MT__ARCH_DTV_OFFSET);
    size_t count = (size_t)dtv[-1].value;
    char kept[2048];
    int keep = glibc.libc_tls_size <= sizeof kept;

    for (size_t i = 1; i <= count; i++)
        free(dtv[i].to_free);
    memset(dtv, 0, (count + 1) * sizeof *dtv);
    if (keep)
        memcpy(kept, thread_pointer + glibc.libc_tls, glibc.libc_tls_size);
    glibc.allocate_tls_init(thread_pointer, 1);
    if (keep)
        memcpy(thread_pointer + glibc.libc_tls, kept, glibc.libc_tls_size);
}

void mt__glibc_prepare(char *thread_pointer, char *stack, size_t stack_size)
{
    char *self = pthread_of(thread_pointer);
    struct robust_head *robust = (struct robust_head *)(self + glibc.robust);
    struct robust_head *mine = (struct robust_head *)(pthread_of(mt__arch_thread_pointer()) + glibc.robust);
    struct node *node = (struct node *)(self + glibc.list);

    robust->list = robust;
    robust->futex_offset = mine->futex_offset;
    robust->pending = NULL;
    ((void **)robust)[-1] = robust; /* glibc's robust_prev */
    if (__rseq_size)
        ((struct rseq *)(thread_pointer + __rseq_offset))->cpu_id = (uint32_t)RSEQ_CPU_ID_UNINITIALIZED;
    node->next = node->previous = node;
    self[glibc.user_stack] = 1;
    *(int *)(self + glibc.cancelhandling) = 0; /* a predecessor may have been cancelled */
    *(void **)(self + glibc.stack_block) = stack;
    *(size_t *)(self + glibc.stack_block + sizeof(void *)) = stack_size;
}

int *mt__glibc_tid(char *thread_pointer)
{
    return (int *)(pthread_of(thread_pointer) + glibc.tid);
}

/* -- The list of threads ------------------------------------------------------------------------------------------ */

/* glibc's own protocol: 0 free, 1 held, 2 held with waiters. */
void mt__glibc_list_acquire(void)
{
    int seen = 0;

    if (__atomic_compare_exchange_n(glibc.threads_lock, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(glibc.threads_lock, 2, __ATOMIC_ACQUIRE))
        mt__arch_syscall(SYS_futex, (long)glibc.threads_lock, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, 0, 0, 0);
}

void mt__glibc_list_release(void)
{
    if (__atomic_exchange_n(glibc.threads_lock, 0, __ATOMIC_RELEASE) == 2)
        mt__arch_syscall(SYS_futex, (long)glibc.threads_lock, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

void mt__glibc_list_add(char *thread_pointer)
{
    struct node *node = (struct node *)(pthread_of(thread_pointer) + glibc.list);

    node->next = glibc.threads->next;
    node->previous = glibc.threads;
    glibc.threads->next->previous = node;
    glibc.threads->next = node;
}

void mt__glibc_count(int change)
{
    if (__atomic_add_fetch(glibc.thread_count, (unsigned)change, __ATOMIC_ACQ_REL) == 0)
        exit(0); /* main had left by pthread_exit, and this was the last thread */
}

/* -- In the thread ------------------------------------------------------------------------------------------------ */

/* Restartable sequences, or the mark that there are none, so that sched_getcpu() asks the kernel. */
static void register_rseq(char *thread_pointer)
{
    struct rseq *area = (struct rseq *)(thread_pointer + __rseq_offset);
    unsigned size = __rseq_size < 32 ? 32 : __rseq_size; /* the kernel takes the first version's size for all */

    if (!__rseq_size || mt__sys(SYS_rseq, area, size, 0, RSEQ_SIG) != 0)
        area->cpu_id = (uint32_t)RSEQ_CPU_ID_REGISTRATION_FAILED;
}

void mt__glibc_enter(char *thread_pointer, struct __res_state *resolver)
{
    register_rseq(thread_pointer);
    mt__sys(SYS_set_robust_list, pthread_of(thread_pointer) + glibc.robust, sizeof(struct robust_head));
    uselocale(LC_GLOBAL_LOCALE); /* sets up ctype's tables too */
    if (resolver) {
        /* A thread-local pointer: looked up in the thread, it is the thread's own. */
        struct __res_state **slot = dlvsym(RTLD_DEFAULT, "__resp", "GLIBC_PRIVATE");
        if (slot)
            *slot = resolver;
    }
    errno = 0;
}

static void run_key_destructors(char *self)
{
    struct value {
        uintptr_t sequence;
        void *data;
    } **blocks = (struct value **)(self + glibc.specific);
    int again = 1;

    for (int round = 0; again && round < PTHREAD_DESTRUCTOR_ITERATIONS; round++) {
        again = 0;
        for (int key = 0; key < PTHREAD_KEYS_MAX; key++) {
            struct value *value = blocks[key / 32] ? &blocks[key / 32][key % 32] : NULL;
            void *data = value ? value->data : NULL;
            if (!data)
                continue;
            value->data = NULL;
            if (value->sequence == glibc.keys[key].sequence && glibc.keys[key].destructor) {
                again = 1;
                glibc.keys[key].destructor(data);
            }
        }
    }
    memset(blocks[0], 0, 32 * sizeof(struct value));
    for (int block = 1; block < PTHREAD_KEYS_MAX / 32; block++) {
        free(blocks[block]);
        blocks[block] = NULL;
    }
}

void mt__glibc_destructors(char *thread_pointer)
{
    glibc.call_tls_dtors();
    run_key_destructors(pthread_of(thread_pointer));
}

void mt__glibc_leave(char *thread_pointer)
{
    struct node *node = (struct node *)(pthread_of(thread_pointer) + glibc.list);

    mt__glibc_list_acquire();
    node->next->previous = node->previous;
    node->previous->next = node->next;
    node->next = node->previous = node;
    mt__glibc_list_release();
}
