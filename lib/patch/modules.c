/* SPDX-License-Identifier: MIT
 *
 * What is loaded: the variables of threads that it has, and runtimes whose threads must be the kernel's.
 *
 * All is asked of dl_iterate_phdr and read from what is mapped: pthread_create may be called in the middle of dlopen,
 * of another thread too, so nothing here takes the lock of that.
 *
 * What is the kernel thread's, and no coroutine's: the variables of libc (malloc's caches, the locale) and of this
 * project's libraries, among which is the hub; and those of allocators that stand before libc's, which have what they
 * keep for a thread in lists, by its address.
 */
#include "patch/locks.h"
#include "patch/pthreads.h"
#include "patch/layout.h"
#include "patch/patch.h"
#include "patch/ring.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

/* -- A module's symbols -------------------------------------------------------------------------------------------- */

struct symbols {
    const uint32_t *hash; /* DT_GNU_HASH */
    const ElfW(Sym) * table;
    const char *names;
    size_t names_size;
};

/* The dynamic linker has made addresses of these, but for modules that it has not mapped. */
static const void *address_of(const struct dl_phdr_info *info, const ElfW(Dyn) * entry)
{
    return (const void *)(entry->d_un.d_ptr < info->dlpi_addr ? entry->d_un.d_ptr + info->dlpi_addr
                                                              : entry->d_un.d_ptr);
}

static int find_symbols(const struct dl_phdr_info *info, struct symbols *symbols)
{
    *symbols = (struct symbols){0};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        for (const ElfW(Dyn) *entry = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
             entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_GNU_HASH)
                symbols->hash = address_of(info, entry);
            else if (entry->d_tag == DT_SYMTAB)
                symbols->table = address_of(info, entry);
            else if (entry->d_tag == DT_STRTAB)
                symbols->names = address_of(info, entry);
            else if (entry->d_tag == DT_STRSZ)
                symbols->names_size = entry->d_un.d_val;
    }
    return symbols->hash && symbols->table && symbols->names;
}

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;

    while (*name)
        hash = hash * 33 + (unsigned char)*name++;
    return hash;
}

static int defines(const struct symbols *symbols, const char *name)
{
    const uint32_t *hash = symbols->hash, *buckets = hash + 4 + hash[2] * (sizeof(ElfW(Addr)) / sizeof *hash);
    const uint32_t *chains = buckets + hash[0];
    uint32_t wanted = hash_of(name), at = hash[0] ? buckets[wanted % hash[0]] : 0;

    if (at < hash[1])
        return 0;
    for (;; at++) {
        uint32_t here = chains[at - hash[1]];
        if ((here | 1) == (wanted | 1) && symbols->table[at].st_shndx != SHN_UNDEF &&
            !strcmp(symbols->names + symbols->table[at].st_name, name))
            return 1;
        if (here & 1)
            return 0;
    }
}

/* -- The variables of threads -------------------------------------------------------------------------------------- */

static __thread int ours __attribute__((tls_model("initial-exec")));

static int has(const char *block, size_t size, const void *variable)
{
    return block && (const char *)variable >= block && (const char *)variable < block + size;
}

struct mt__code mt__allocator;

static int is_allocator(const struct dl_phdr_info *info)
{
    struct symbols symbols;

    return find_symbols(info, &symbols) && defines(&symbols, "malloc");
}

int mt__module_keeps(const struct dl_phdr_info *info)
{
    static const char *const names[] = {"malloc", "__tls_get_addr", "_Unwind_RaiseException"};
    struct symbols symbols;

    if (!find_symbols(info, &symbols))
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (defines(&symbols, names[i]))
            return 1;
    return 0;
}

/* The first is the one that is called. In the program its code is not known from the program's own. */
static int find_allocator(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t low = UINTPTR_MAX, high = 0;

    if (!*info->dlpi_name || !is_allocator(info))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_TLS && has(info->dlpi_tls_data, header->p_memsz, &errno))
            return 1; /* libc's */
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
            continue;
        low = start < low ? start : low;
        high = start + header->p_memsz > high ? start + header->p_memsz : high;
    }
    mt__allocator = (struct mt__code){low, high > low ? high - low : 0};
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    dl_iterate_phdr(find_allocator, NULL);
}

/* liblinuxmt, by itself or in the program. */
static int is_this_project(const struct dl_phdr_info *info)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS)
            return has(info->dlpi_tls_data, info->dlpi_phdr[i].p_memsz, &mt__hub);
    return 0;
}

static int may_be_static(const struct dl_phdr_info *info)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            for (const ElfW(Dyn) *entry = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
                 entry->d_tag != DT_NULL; entry++)
                if (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_STATIC_TLS)
                    return 1;
    return MT__ARCH_TLS_DESCRIPTORS;
}

/* What it has; NULL: no variables of threads, or none that coroutines are to have of their own. */
static const ElfW(Phdr) * read_module(const struct dl_phdr_info *info, struct mt__module *module)
{
    const ElfW(Phdr) *header = info->dlpi_phdr, *end = header + info->dlpi_phnum;

    while (header < end && header->p_type != PT_TLS)
        header++;
    if (header == end || !info->dlpi_tls_modid || !header->p_memsz)
        return NULL;
    *module = (struct mt__module){
        .id = info->dlpi_tls_modid, .base = info->dlpi_addr, .size = header->p_memsz, .block = info->dlpi_tls_data};
    if (has(module->block, module->size, &errno) || has(module->block, module->size, &mt__hub) ||
        has(module->block, module->size, &ours) || is_allocator(info))
        return NULL;
    module->is_static = may_be_static(info);
    return header;
}

struct list {
    struct mt__module *modules;
    unsigned room, count;
    char *image;
    size_t image_room, size;
};

static int add(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct list *list = arg;
    struct mt__module module;
    const ElfW(Phdr) *header = read_module(info, &module);

    if (!header)
        return 0;
    if (list->count < list->room)
        list->modules[list->count] = module;
    if (list->image && module.size <= list->image_room - list->size) /* else it has come since */
        memcpy(list->image + list->size, (const char *)(info->dlpi_addr + header->p_vaddr), header->p_filesz);
    else
        list->image = NULL;
    list->count++;
    list->size += module.size;
    return 0;
}

unsigned mt__modules_list(struct mt__module *modules, unsigned room, char *image, size_t *size)
{
    struct list list = {.modules = modules, .room = room, .image = image, .image_room = *size};

    dl_iterate_phdr(add, &list);
    *size = list.size;
    return list.count;
}

static int look(struct dl_phdr_info *info, size_t size, void *changes)
{
    *(uint64_t *)changes = info->dlpi_adds + info->dlpi_subs;
    return 1;
}

uint64_t mt__modules_changes(void)
{
    uint64_t changes = 0;

    dl_iterate_phdr(look, &changes);
    return changes;
}

/* -- Whose threads must be the kernel's ---------------------------------------------------------------------------- */

/* What only they define, and what they do: stop their threads by signals, and wait for the answer of each; or wait by
 * system calls of their own for threads that would never run, as their hub is what waits; or have lists through
 * variables of threads. */
static const char *const runtimes[] = {
    "JNI_CreateJavaVM",          /* Java's virtual machines */
    "coreclr_initialize",        /* .NET's */
    "mono_jit_init",             /* and Mono's */
    "GC_init",                   /* the collector of Boehm, Demers and Weiser */
    "create_main_lisp_thread",   /* Steel Bank Common Lisp */
    "GOMP_parallel",             /* OpenMP's, GNU's */
    "__kmpc_fork_call",          /* and LLVM's */
    "urcu_memb_register_thread", /* userspace RCU: lists whose nodes are variables of threads */
    "urcu_mb_register_thread",
    "urcu_qsbr_register_thread",
    "_Z11mysqld_mainiPPc", /* MariaDB's server: commits wait in a list of such nodes */
#if !MT__ASAN && !MT__TSAN /* which else have been told of our stacks */
    "__asan_init",
    "__tsan_init",
    "__msan_init",
#endif
};

static int is_go(const struct dl_phdr_info *info)
{
    static const char owner[] = "Go\0\0";

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const char *at = (const char *)(info->dlpi_addr + header->p_vaddr), *end = at + header->p_memsz;
        if (header->p_type != PT_NOTE || header->p_align > 4)
            continue;
        while ((size_t)(end - at) >= sizeof(ElfW(Nhdr)) + sizeof owner - 1) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
            if (note->n_namesz == sizeof owner - 1 && !memcmp(note + 1, owner, sizeof owner - 1))
                return 1;
            at += sizeof *note + ((note->n_namesz + 3) & ~3u) + ((note->n_descsz + 3) & ~3u);
            if (at > end)
                break;
        }
    }
    return 0;
}

/* Its channels tell threads apart by the address of a variable of theirs, as crates do that it is used with. It is
 * linked into what uses it, without symbols: but it has destructors of such variables registered, and the places of its
 * sources for messages. */
static int is_rust(const struct dl_phdr_info *info, const struct symbols *symbols)
{
    static const char registers[] = "__cxa_thread_atexit_impl", place[] = "library/std/src/";

    if (!info->dlpi_tls_modid || defines(symbols, registers) || defines(symbols, "__cxa_thread_atexit") ||
        !memmem(symbols->names, symbols->names_size, registers, sizeof registers))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && header->p_flags & PF_R && !(header->p_flags & PF_W) &&
            memmem((const char *)(info->dlpi_addr + header->p_vaddr), header->p_filesz, place, sizeof place - 1))
            return 1;
    }
    return 0;
}

static int names(const struct symbols *symbols, const char *name)
{
    return memmem(symbols->names, symbols->names_size, name, strlen(name) + 1) != NULL;
}

#define COVERED 7

static int can_wait_for_rings(void)
{
#if HAVE_URING
    return mt__ring_can_wait();
#else
    return 0;
#endif
}

/* liburing waits by system calls of its own: ring.c has them, but for the last of these, where it can wait. Who has
 * liburing linked into himself names nothing. */
static const char *find_ring(const struct dl_phdr_info *info, const struct symbols *symbols)
{
    static const char *const waits[] = {"__io_uring_get_cqe",
                                        "io_uring_wait_cqes",
                                        "io_uring_wait_cqe_timeout",
                                        "io_uring_submit_and_wait",
                                        "io_uring_submit_and_wait_timeout",
                                        "io_uring_enter",
                                        "io_uring_enter2",
                                        "io_uring_wait_cqes_min_timeout",
                                        "io_uring_submit_and_wait_min_timeout",
                                        "io_uring_submit_and_wait_reg"};

    if (is_this_project(info))
        return NULL;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
        if (names(symbols, waits[i]) && !defines(symbols, waits[i]) && (i >= COVERED || !can_wait_for_rings()))
            return "waits of liburing's";
    return NULL;
}

/* What it has; NULL: nothing. */
static const char *find_runtime(const struct dl_phdr_info *info)
{
    struct symbols symbols;

    if (is_go(info))
        return "Go's runtime";
    if (!find_symbols(info, &symbols))
        return NULL;
    for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++)
        if (defines(&symbols, runtimes[i]))
            return runtimes[i];
    if (is_rust(info, &symbols))
        return "Rust's library";
    return find_ring(info, &symbols);
}

struct search {
    uint64_t seen, changes;
    size_t size;
    unsigned count;
    char why[256];
};

static int search(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    struct mt__module module;
    const char *runtime;

    search->changes = info->dlpi_adds + info->dlpi_subs;
    if (search->changes == search->seen)
        return 1;
    runtime = find_runtime(info);
    if (info->dlpi_tls_data && info->dlpi_tls_data != mt__layout_entry(info->dlpi_tls_modid))
        runtime = "variables of threads whose place is not where it should be"; /* another dynamic linker */
#if !MT__ASAN && !MT__TSAN
    if (!runtime && !search->count && info->dlpi_tls_modid && is_allocator(info)) /* it is the program itself */
        runtime = "an allocator, and variables of threads";
#endif
    if (runtime) {
        snprintf(search->why, sizeof search->why, "%s has %s", *info->dlpi_name ? info->dlpi_name : "the program",
                 runtime);
        return 1;
    }
    if (read_module(info, &module))
        search->size += module.size;
    search->count++;
    return 0;
}

static struct mt__mini guard;
static struct search found; /* the last time; why, once it says anything, stays */

const char *mt__patch_refused(void)
{
    return found.why[0] ? found.why : NULL;
}

int mt__modules_refuse(void)
{
    struct search now = {0};

    mt__mini_acquire(&guard);
    if (!found.why[0]) {
        now.seen = found.changes;
        dl_iterate_phdr(search, &now);
        if (!now.why[0] && now.size > MT__STORAGE_MOST)
            snprintf(now.why, sizeof now.why, "they have %zu bytes of variables of their own", now.size);
        if (now.changes != found.changes)
            found = now;
    }
    mt__mini_release(&guard);
    return found.why[0] != 0;
}

void mt__modules_forked(void)
{
    guard = (struct mt__mini){0};
}
