/* SPDX-License-Identifier: MIT
 *
 * Finding and probing liblinuxmt. Probes are attached to the file, not to a process, so that forks are followed. For a
 * command that is the file which the loader will choose: it is looked for in the loader's order, before the exec, that
 * no early wait is missed. If that fails, the first reading of the process's mappings finds it.
 */
#include "library.h"
#include "records.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "wait.skel.h"

#define SONAME "liblinuxmt.so"

/* The library's probes: names of locks and threads, and what a task waits for in the library's own words. Without the
 * privilege for them the task records tell some of that. */
static void attach_probes(struct session *session, const char *path)
{
    struct wait_bpf *bpf = session->bpf;
    const struct {
        struct bpf_program *program;
        const char *name;
        unsigned wanted_by; /* enum session_probes, 0: always */
    } probes[] = {
        {bpf->progs.library_wait_begin, "wait__begin", 0},
        {bpf->progs.library_wait_end, "wait__end", 0},
        {bpf->progs.library_thread_start, "thread__start", 0},
        {bpf->progs.library_inversion, "lock__inversion", 0},
        {bpf->progs.library_queue_open, "queue__open", SESSION_QUEUES},
        {bpf->progs.library_queue_put, "queue__put", SESSION_QUEUES},
        {bpf->progs.library_queue_get, "queue__get", SESSION_QUEUES},
        {bpf->progs.library_queue_wait_begin, "wait__begin", SESSION_QUEUES},
        {bpf->progs.library_queue_wait_end, "wait__end", SESSION_QUEUES},
        {bpf->progs.library_pool_queued, "pool__queued", SESSION_POOLS},
        {bpf->progs.library_pool_started, "pool__started", SESSION_POOLS},
        {bpf->progs.library_pool_done, "pool__done", SESSION_POOLS},
        {bpf->progs.library_pool_cancelled, "pool__cancelled", SESSION_POOLS},
        {bpf->progs.library_coro_spawn, "coro__spawn", SESSION_COROS},
        {bpf->progs.library_task_name, "task__name", SESSION_COROS},
        {bpf->progs.library_coro_switch, "coro__switch", SESSION_COROS},
        {bpf->progs.library_coro_park, "coro__park", SESSION_COROS},
        {bpf->progs.library_coro_unpark, "coro__unpark", SESSION_COROS},
        {bpf->progs.library_coro_exit, "coro__exit", SESSION_COROS},
        {bpf->progs.library_hub_sleep, "hub__sleep", SESSION_HUBS},
        {bpf->progs.library_hub_turn, "hub__turn", SESSION_HUBS},
        {bpf->progs.library_hub_passed, "hub__passed", SESSION_HUBS},
        {bpf->progs.library_op_begin, "hub__op_begin", SESSION_HUBS},
        {bpf->progs.library_op_end, "hub__op_end", SESSION_HUBS},
    };
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        if (probes[i].wanted_by && !(probes[i].wanted_by & session->probes))
            continue;
        struct bpf_link *link = bpf_program__attach_usdt(probes[i].program, -1, path, "linuxmt", probes[i].name, NULL);
        if (!link && errno == ENOENT && i) /* a library of an earlier release has fewer */
            continue;
        if (session_keep_link(session, link))
            continue;
        session_note(session, "liblinuxmt's probes could not be attached, mtrace doctor says why: its names are those "
                              "that its task records had when they were looked at");
        if (!session->records)
            session->records = records_open();
        return;
    }
}

/* From now on the kernel trusts the names and places in this process's locks. */
static void trust_library_user(struct session *session, pid_t tgid)
{
    __u32 key = (__u32)tgid, value = WAIT_TASK_LINUXMT;
    bpf_map_update_elem(bpf_map__fd(session->bpf->maps.processes), &key, &value, BPF_ANY);
    for (__u32 slot = 1; slot < session->bpf->data->tasks_used && slot < session->slots; slot++)
        if (session->tasks[slot].tgid == key)
            __atomic_fetch_or(&session->tasks[slot].flags, WAIT_TASK_LINUXMT, __ATOMIC_RELAXED);
}

/* Who is there when the process is met: later some of them may have ended, with their names. */
static void meet_tasks(struct session *session, pid_t tgid)
{
    if (!(session->probes & SESSION_COROS) || session->user_count == SESSION_USERS)
        return;
    if (!session->users)
        session->users = calloc(SESSION_USERS, sizeof *session->users);
    if (!session->users)
        return;
    struct tasks *tasks = &session->users[session->user_count++];
    if (tasks_open(tasks, tgid) || tasks_read(tasks))
        tasks->count = 0;
}

static void use_library_user(struct session *session, pid_t tgid)
{
    trust_library_user(session, tgid);
    meet_tasks(session, tgid);
    records_add(session->records, tgid);
    if (records_error(session->records))
        session_note(session, records_error(session->records));
}

void library_attach(struct session *session)
{
    const char *path;
    pid_t tgid;
    while ((path = names_new_library(session->names)))
        attach_probes(session, path);
    while ((tgid = names_library_user(session->names)))
        use_library_user(session, tgid);
}

struct wanted {
    char needed[256]; /* the name that the command asks for, "" if it does not */
    char runpath[4096];
};

static void read_dynamic(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, struct wanted *wanted)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Dyn entry;
        const char *text = NULL;
        if (gelf_getdyn(data, (int)i, &entry) &&
            (entry.d_tag == DT_NEEDED || entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH))
            text = elf_strptr(elf, header->sh_link, entry.d_un.d_val);
        if (!text)
            continue;
        if (entry.d_tag != DT_NEEDED)
            snprintf(wanted->runpath, sizeof wanted->runpath, "%s", text);
        else if (!strncmp(text, SONAME, strlen(SONAME)))
            snprintf(wanted->needed, sizeof wanted->needed, "%s", text);
    }
}

static void read_wanted(const char *path, struct wanted *wanted)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    elf_version(EV_CURRENT);
    Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
    Elf_Scn *section = NULL;
    while (elf && (section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNAMIC)
            read_dynamic(elf, section, &header, wanted);
    }
    elf_end(elf);
    if (fd >= 0)
        close(fd);
}

/* Looks for name in a list of folders; $ORIGIN at the start of one is the folder of the file that asks. */
static char *search(const char *folders, const char *name, const char *asker)
{
    char path[4096 + 512];
    const char *slash = asker ? strrchr(asker, '/') : NULL;
    while (folders && *folders) {
        int length = (int)strcspn(folders, ":");
        const char *rest = folders;
        int prefix = 0;
        if (slash && (!strncmp(folders, "$ORIGIN", 7) || !strncmp(folders, "${ORIGIN}", 9))) {
            prefix = (int)(slash - asker);
            rest += folders[1] == '{' ? 9 : 7;
        }
        snprintf(path, sizeof path, "%.*s%.*s/%s", prefix, asker ? asker : "", length - (int)(rest - folders), rest,
                 name);
        if (!access(path, R_OK))
            return realpath(path, NULL);
        folders += length + (folders[length] == ':');
    }
    return NULL;
}

char *library_of_command(const char *command)
{
    struct wanted wanted = {0};
    char *path = strchr(command, '/') ? realpath(command, NULL) : search(getenv("PATH"), command, NULL), *found = NULL;
    if (path)
        read_wanted(path, &wanted);
    if (wanted.needed[0])
        found = search(getenv("LD_LIBRARY_PATH"), wanted.needed, path);
    if (wanted.needed[0] && !found)
        found = search(wanted.runpath, wanted.needed, path);
    if (wanted.needed[0] && !found)
        found = search("/usr/local/lib:/lib:/usr/lib:/lib64:/usr/lib64:/lib/x86_64-linux-gnu:/lib/aarch64-linux-gnu",
                       wanted.needed, path);
    free(path);
    return found;
}
