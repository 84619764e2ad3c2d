/* SPDX-License-Identifier: MIT
 *
 * The life of a recording. Order matters: the processes are put in the map, then the programs are attached, then the
 * snapshot gives slots to the tasks that are there; a task born in between is found by the fork program through the map
 * of processes.
 */
#include "session.h"
#include "caps.h"
#include "library.h"
#include "queues.h"
#include "../../bpf/coro.h"
#include "records.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "wait.skel.h"

#define WEIGH_NS 100000000

uint64_t session_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t own_cpu_time(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list ap)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return getenv("MTRACE_DEBUG") ? vfprintf(stderr, format, ap) : 0;
#pragma GCC diagnostic pop
}

/* Which of the three forms of the tracepoint this kernel has: see wait.bpf.c. */
static struct bpf_program *choose_switch(struct wait_bpf *bpf)
{
    struct bpf_program *chosen = bpf->progs.switch_state_last;
    struct btf *btf = btf__load_vmlinux_btf();
    if (!btf)
        return chosen;
    int id = btf__find_by_name_kind(btf, "btf_trace_sched_switch", BTF_KIND_TYPEDEF);
    const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
    type = type ? btf__type_by_id(btf, type->type) : NULL;
    type = type && btf_is_ptr(type) ? btf__type_by_id(btf, type->type) : NULL;
    if (type && btf_is_func_proto(type)) {
        /* void *, bool, then either two tasks, or two tasks and a number in one of two orders. */
        if (btf_vlen(type) == 4)
            chosen = bpf->progs.switch_no_state;
        else if (btf_vlen(type) == 5 && !btf_is_ptr(btf__type_by_id(btf, btf_params(type)[2].type)))
            chosen = bpf->progs.switch_state_second;
    }
    btf__free(btf);
    return chosen;
}

/* What is not asked for takes no room. */
static void size_probe_maps(struct wait_bpf *bpf, const struct options *options, unsigned probes)
{
    __u32 waits = options->max_waits + 1, slots = options->max_tasks + 1;
    if (probes & SESSION_QUEUES) {
        bpf_map__set_max_entries(bpf->maps.queue_handles, 4 * QUEUE_MAX);
        bpf_map__set_max_entries(bpf->maps.queue_inodes, QUEUE_MAX);
        bpf_map__set_max_entries(bpf->maps.queue_users, slots);
    }
    if (probes & SESSION_COROS) {
        bpf_map__set_max_entries(bpf->maps.coros, 4 * slots + CORO_KEPT);
        bpf_map__set_max_entries(bpf->maps.coro_waits, waits);
    }
    if (probes & SESSION_HUBS) {
        bpf_map__set_max_entries(bpf->maps.coro_ops, CORO_OPS);
        bpf->rodata->blocked_above = (__u64)(options->threshold * 1e9);
    }
    if (probes & SESSION_POOLS) {
        bpf_map__set_max_entries(bpf->maps.pool_tasks, 4 * waits);
        bpf_map__set_max_entries(bpf->maps.pool_workers, slots);
    }
}

static void size_maps(struct wait_bpf *bpf, const struct options *options)
{
    __u32 slots = options->max_tasks + 1;
    bpf->rodata->max_tasks = slots;
    bpf->rodata->max_stacks = options->max_stacks;
    bpf_map__set_max_entries(bpf->maps.tasks, slots);
    bpf_map__set_max_entries(bpf->maps.processes, slots);
    bpf_map__set_max_entries(bpf->maps.tids, 2 * slots);
    bpf->rodata->max_waits = options->max_waits + 1;
    bpf_map__set_max_entries(bpf->maps.waits, options->max_waits + 1);
    bpf_map__set_max_entries(bpf->maps.wait_indexes, options->max_waits + 1);
    bpf_map__set_max_entries(bpf->maps.locks, options->max_waits + 1);
    bpf_map__set_max_entries(bpf->maps.lock_indexes, options->max_waits + 1);
    bpf_map__set_max_entries(bpf->maps.holders, options->max_waits);
    bpf_map__set_max_entries(bpf->maps.wakers, options->max_waits + 1);
    bpf_map__set_max_entries(bpf->maps.waker_indexes, options->max_waits + 1);
    bpf_map__set_max_entries(bpf->maps.stacks, options->max_stacks);
}

static int take_news(void *context, void *data, size_t size)
{
    struct session *session = context;
    const struct wait_news *item = data;
    if (size < sizeof *item)
        return 0;
    if (item->kind == WAIT_NEWS_STACK)
        names_touch(session->names, (pid_t)item->tgid);
    else if (item->kind == WAIT_NEWS_EXEC)
        names_changed(session->names, (pid_t)item->tgid);
    else if (item->kind == WAIT_NEWS_QUEUE && session->queues)
        queues_scan(session->queues, (pid_t)item->tgid);
    return 0;
}

/* The kernel lays out the entries at multiples of 8 bytes, which the size of one is. */
static size_t tasks_bytes(const struct session *session)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (session->slots * sizeof(struct wait_task) + page - 1) / page * page;
}

/* Runs the task iterator once. */
static bool take_snapshot(struct session *session, unsigned pass)
{
    session->bpf->bss->snapshot_pass = pass;
    struct bpf_link *link = bpf_program__attach_iter(session->bpf->progs.snapshot, NULL);
    int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
    char nothing[64];
    ssize_t got = -1;
    if (fd >= 0) {
        while ((got = read(fd, nothing, sizeof nothing)) > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
            continue;
        close(fd);
    }
    bpf_link__destroy(link);
    return got == 0;
}

bool session_open(struct session *session, const struct options *options, unsigned probes)
{
    *session = (struct session){.stats_fd = -1, .probes = probes, .threshold = (uint64_t)(options->threshold * 1e9)};
    libbpf_set_print(print_libbpf);
    session->names = names_open();
    session->bpf = wait_bpf__open();
    session->queues = probes & SESSION_QUEUES ? queues_open() : NULL;
    if (!session->names || !session->bpf || (probes & SESSION_QUEUES && !session->queues)) {
        complain("out of memory");
        return false;
    }
    bpf_program__set_autoload(choose_switch(session->bpf), true);
    size_maps(session->bpf, options);
    size_probe_maps(session->bpf, options, probes);
    int error = wait_bpf__load(session->bpf);
    if (error) {
        caps_explain(-error, "the programs that follow tasks");
        return false;
    }
    if (!take_snapshot(session, 0)) {
        caps_explain(errno, "the iterator over tasks");
        return false;
    }
    session->slots = options->max_tasks + 1;
    session->tasks =
        mmap(NULL, tasks_bytes(session), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(session->bpf->maps.tasks), 0);
    if (session->tasks == MAP_FAILED) {
        session->tasks = NULL;
        complain("out of memory: try a smaller --max-tasks");
        return false;
    }
    session->ring = ring_buffer__new(bpf_map__fd(session->bpf->maps.news), take_news, session, NULL);
    if (!session->ring) {
        complain("out of memory");
        return false;
    }
    return true;
}

void session_close(struct session *session)
{
    for (size_t i = 0; i < session->link_count; i++)
        bpf_link__destroy(session->links[i]);
    ring_buffer__free(session->ring);
    if (session->tasks)
        munmap(session->tasks, tasks_bytes(session));
    wait_bpf__destroy(session->bpf);
    names_close(session->names);
    records_close(session->records);
    queues_close(session->queues);
    for (size_t i = 0; i < session->user_count; i++)
        tasks_close(&session->users[i]);
    free(session->users);
    if (session->stats_fd >= 0)
        close(session->stats_fd);
    *session = (struct session){.stats_fd = -1};
}

bool session_follow(struct session *session, pid_t tgid)
{
    __u32 key = (__u32)tgid, value = 0;
    if (bpf_map_update_elem(bpf_map__fd(session->bpf->maps.processes), &key, &value, BPF_ANY)) {
        complain("no room for process %d: raise --max-tasks", tgid);
        return false;
    }
    names_touch(session->names, tgid);
    if (session->queues)
        queues_scan(session->queues, tgid);
    return true;
}

bool session_has(const struct session *session, pid_t tgid)
{
    for (size_t slot = 1; slot < session->bpf->data->tasks_used && slot < session->slots; slot++)
        if (session->tasks[slot].tgid == (__u32)tgid)
            return true;
    return false;
}

bool session_lost_tasks(const struct session *session)
{
    return session->bpf->bss->lost.tasks != 0;
}

void session_note(struct session *session, const char *sentence)
{
    size_t length = strlen(session->note);
    if (!strstr(session->note, sentence))
        snprintf(session->note + length, sizeof session->note - length, "%s%s", length ? "; " : "", sentence);
}

bool session_keep_link(struct session *session, struct bpf_link *link)
{
    if (!link || session->link_count == SESSION_LINKS) {
        bpf_link__destroy(link);
        return false;
    }
    session->links[session->link_count++] = link;
    return true;
}

static bool attach_all(struct session *session)
{
    struct bpf_program *program;
    bpf_object__for_each_program(program, session->bpf->obj)
    {
        if (!bpf_program__autoload(program) || bpf_program__type(program) != BPF_PROG_TYPE_TRACING ||
            bpf_program__expected_attach_type(program) == BPF_TRACE_ITER)
            continue;
        if (!session_keep_link(session, bpf_program__attach(program))) {
            caps_explain(errno, "the programs that follow tasks");
            return false;
        }
    }
    return true;
}

/* Having the kernel time every run of a program costs more than the programs themselves. So that is done for a tenth of
 * the recording, beginning with its start, and the cost computed from that. */
static void weigh(struct session *session)
{
    uint64_t now = session_clock();
    if (session->stats_fd >= 0 && now - session->weighed_at >= WEIGH_NS) {
        close(session->stats_fd);
        session->stats_fd = -1;
        session->weighed_ns += now - session->weighed_at;
    } else if (session->stats_fd < 0 && now - session->weighed_at >= 10 * WEIGH_NS) {
        session->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
        session->weighed_at = now;
    }
}

bool session_start(struct session *session, pid_t launched)
{
    library_attach(session);
    session->bpf->bss->launched = (__u32)launched;
    session->started = session->bpf->bss->recorded_at = session_clock();
    weigh(session);
    session->bpf->bss->recording = true;
    if (!attach_all(session))
        return false;
    if (!take_snapshot(session, 1) || !take_snapshot(session, 2)) {
        caps_explain(errno, "the iterator over tasks");
        return false;
    }
    session->own_ns = own_cpu_time();
    return true;
}

unsigned session_poll(struct session *session, int milliseconds)
{
    ring_buffer__poll(session->ring, milliseconds);
    session->busy = names_tick(session->names);
    weigh(session);
    library_attach(session);
    records_look(session->records);
    if (records_wanted(session->records))
        session->busy = true;
    if (session->queues) {
        session_look_at_queues(session);
        session->busy = true;
    }
    return session->bpf->bss->tasks_alive;
}

int session_fd(const struct session *session)
{
    return ring_buffer__epoll_fd(session->ring);
}

static void add_program_cost(struct session *session)
{
    struct bpf_program *program;
    bpf_object__for_each_program(program, session->bpf->obj)
    {
        struct bpf_prog_info info = {0};
        __u32 size = sizeof info;
        if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
            continue;
        session->bpf_ns += info.run_time_ns;
        session->missed += info.recursion_misses;
    }
}

void session_stop(struct session *session)
{
    if (session->queues)
        session_finish_queues(session);
    session->bpf->bss->recording = false;
    session->stopped = session_clock();
    session->own_ns = own_cpu_time() - session->own_ns;
    if (session->stats_fd >= 0)
        session->weighed_ns += session->stopped - session->weighed_at;
    if (session->bpf->bss->launched_at)
        session->started = session->bpf->bss->launched_at;
    add_program_cost(session);
    for (size_t i = 0; i < session->link_count; i++)
        bpf_link__destroy(session->links[i]);
    session->link_count = 0;
    take_snapshot(session, 2); /* the names that threads have by now */
}
