/* SPDX-License-Identifier: MIT
 *
 * The checks that try: each kind of program that mtrace uses is loaded, attached, made to run, and taken away again.
 */
#include "caps.h"
#include "doctor.h"
#include "doctor.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct hook {
    const char *key;
    const char *title;
    const char *program;
    enum verdict without; /* what its lack means */
    const char *good;     /* what it gives */
    const char *lost;     /* what is lost without it */
    /* Attaches and makes it run; 0, or -errno. */
    int (*try)(struct doctor_bpf *skeleton, struct bpf_program *program);
};

/* A function that stays one, for a probe to be put on. */
__attribute__((noinline)) void doctor_probed(void);
void doctor_probed(void)
{
    __asm__ volatile("" ::: "memory");
}

static void sleep_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static int try_switch(struct doctor_bpf *skeleton, struct bpf_program *program)
{
    struct bpf_link *link = bpf_program__attach(program);
    if (!link)
        return -errno;
    sleep_a_little();
    bpf_link__destroy(link);
    return program != skeleton->progs.on_switch || skeleton->bss->switches ? 0 : -ENODATA;
}

static int try_iterator(struct doctor_bpf *skeleton, struct bpf_program *program)
{
    char nothing[64];
    skeleton->bss->doctor_tgid = getpid();
    struct bpf_link *link = bpf_program__attach_iter(program, NULL);
    if (!link)
        return -errno;
    int fd = bpf_iter_create(bpf_link__fd(link));
    int error = fd < 0 ? -errno : 0;
    if (fd >= 0 && read(fd, nothing, sizeof(nothing)) < 0)
        error = -errno;
    if (fd >= 0)
        close(fd);
    bpf_link__destroy(link);
    if (!error && skeleton->bss->tasks && !skeleton->bss->read_user)
        return -EFAULT;
    return error; /* in a pid namespace of its own it does not meet itself; that it ran is enough */
}

static int try_uprobe(struct doctor_bpf *skeleton, struct bpf_program *program)
{
    LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = "doctor_probed");
    struct bpf_link *link = bpf_program__attach_uprobe_opts(program, 0, "/proc/self/exe", 0, &options);
    if (!link)
        return -errno;
    for (int i = 0; i < 4; i++)
        doctor_probed();
    bpf_link__destroy(link);
    return skeleton->bss->calls ? 0 : -ENODATA;
}

static const struct hook hooks[] = {
    {"sched", "scheduler hooks", "on_switch", VERDICT_NO, "tp_btf/sched_switch loads, attaches and runs",
     "nothing can be recorded", try_switch},
    {"task_storage", "task storage", "on_switch_storage", VERDICT_NO, "a record of its own for each thread",
     "nothing can be recorded", try_switch},
    {"ring_buffer", "ring buffer", "on_switch_ring", VERDICT_NO, "events can be sent", "nothing can be recorded",
     try_switch},
    {"iterator", "task iterator", "on_task", VERDICT_LESS, "a stuck process can be read without stopping it",
     "mtrace deadlock reads your own processes only", try_iterator},
    {"uprobe", "probes in programs", "on_call", VERDICT_LESS,
     "uprobes attach and run: liblinuxmt's probes (USDT) are seen",
     "of liblinuxmt's names only those in its task records are seen", try_uprobe},
};

/* Loads the one program, tries it, and puts everything away. */
static int try_hook(const struct hook *hook)
{
    struct bpf_program *program, *wanted;
    struct doctor_bpf *skeleton = doctor_bpf__open();
    if (!skeleton)
        return -errno;
    bpf_object__for_each_program(program, skeleton->obj) bpf_program__set_autoload(program, false);
    wanted = bpf_object__find_program_by_name(skeleton->obj, hook->program);
    bpf_program__set_autoload(wanted, true);
    bpf_map__set_autocreate(skeleton->maps.of_task, !strcmp(hook->program, "on_switch_storage"));
    bpf_map__set_autocreate(skeleton->maps.events, !strcmp(hook->program, "on_switch_ring"));
    int error = doctor_bpf__load(skeleton);
    if (!error)
        error = hook->try(skeleton, wanted);
    doctor_bpf__destroy(skeleton);
    return error;
}

static void check_statistics(struct checks *checks)
{
    int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (fd >= 0) {
        close(fd);
        checks_add(checks, "statistics", "cost of eBPF", VERDICT_OK,
                   "the kernel can time the programs: mtrace's own cost is told");
        return;
    }
    checks_add(checks, "statistics", "cost of eBPF", VERDICT_LESS,
               "not told: the kernel does not time the programs (%s)", strerror(errno));
    checks_mend(checks, "run mtrace itself by sudo");
}

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level, (void)format, (void)arguments;
    return 0;
}

void check_hooks(struct checks *checks)
{
    if (!caps_can_trace()) {
        for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++)
            checks_add(checks, hooks[i].key, hooks[i].title, hooks[i].without,
                       "not tried: needs CAP_BPF and CAP_PERFMON");
        return;
    }
    libbpf_print_fn_t before = libbpf_set_print(silent);
    for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++) {
        const struct hook *hook = &hooks[i];
        int error = try_hook(hook);
        if (!error) {
            checks_add(checks, hook->key, hook->title, VERDICT_OK, "%s", hook->good);
            continue;
        }
        checks_add(checks, hook->key, hook->title, hook->without, "%s (%s)", hook->lost, strerror(-error));
        if ((error == -EPERM || error == -EACCES) && !caps_have(CAP_SYS_ADMIN))
            checks_mend(checks, "run mtrace itself by sudo: the kernel lets only CAP_SYS_ADMIN have them");
    }
    check_statistics(checks);
    libbpf_set_print(before);
}
