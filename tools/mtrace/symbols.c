/* SPDX-License-Identifier: MIT
 *
 * A symbol context: the snapshot of one process, given to libdwfl.
 *
 * Invariant: libdwfl's modules are exactly ours (symbols-maps.c), each with the file descriptor that we opened while
 * the process lived; libdwfl itself never opens a name out of /proc/PID/maps.
 */
#include "symbols-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

const char *symbols_string(struct symbols *symbols, const char *text)
{
    if (!text)
        return NULL;
    char **found = tfind(text, &symbols->strings, (__compar_fn_t)strcmp);
    if (found)
        return *found;
    char *copy = strdup(text);
    if (copy && !tsearch(copy, &symbols->strings, (__compar_fn_t)strcmp)) {
        free(copy);
        copy = NULL;
    }
    return copy;
}

__attribute__((format(printf, 2, 3))) static void set_error(struct symbols *symbols, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    if (format && vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    free(symbols->error);
    symbols->error = text;
}

const char *symbols_error(const struct symbols *symbols)
{
    return symbols->error;
}

/* The kernel maps one vDSO into every process of this architecture: ours stands for the target's. That of a 32-bit
 * program is another. */
static Elf *vdso_elf(const struct module *module)
{
    char *image = (char *)getauxval(AT_SYSINFO_EHDR);
    return image && module->end > SYMBOLS_NARROW ? elf_memory(image, module->end - module->start) : NULL;
}

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, char **file_name, Elf **elf)
{
    const struct module *module = *userdata;
    (void)mod, (void)name, (void)base;
    *file_name = NULL;
    if (module && module->fd < 0 && !strcmp(module->path, "[vdso]"))
        *elf = vdso_elf(module);
    if (!module || module->fd < 0)
        return -1;
    *file_name = strdup(module->path);
    return fcntl(module->fd, F_DUPFD_CLOEXEC, 0);
}

/* Debug files of this machine only. elfutils would otherwise ask servers named by DEBUGINFOD_URLS, and wait for them.
 */
static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, const char *file,
                          const char *link, GElf_Word crc, char **debuginfo)
{
    static const char variable[] = "DEBUGINFOD_URLS";
    const char *value = getenv(variable);
    char *servers = value ? strdup(value) : NULL;
    if (value)
        unsetenv(variable);
    int fd = dwfl_standard_find_debuginfo(mod, userdata, name, base, file, link, crc, debuginfo);
    if (servers)
        setenv(variable, servers, 1);
    free(servers);
    return fd;
}

static const Dwfl_Callbacks callbacks = {.find_elf = find_elf, .find_debuginfo = find_debuginfo};

/* Tells libdwfl of the modules. A module that it knows already (same name and place) keeps what was read of it. */
static int report_modules(struct symbols *symbols)
{
    dwfl_report_begin(symbols->dwfl);
    for (size_t i = 0; i < symbols->module_count; i++) {
        struct module *module = symbols->modules[i];
        Dwfl_Module *mod = dwfl_report_module(symbols->dwfl, module->path, module->start, module->end);
        void **userdata;
        if (mod && dwfl_module_info(mod, &userdata, NULL, NULL, NULL, NULL, NULL, NULL))
            *userdata = module;
    }
    return dwfl_report_end(symbols->dwfl, NULL, NULL) ? -ENOMEM : 0;
}

/* A program of the other width has been executed: libdwfl takes a CPU once. */
static int start_over(struct symbols *symbols)
{
    Dwfl *dwfl = dwfl_begin(&callbacks);
    if (!dwfl)
        return -ENOMEM;
    dwfl_end(symbols->dwfl);
    elf_end(symbols->cpu);
    symbols->dwfl = dwfl;
    symbols->unwinds = symbols_attach(symbols);
    return 0;
}

int symbols_refresh_from(struct symbols *symbols, const char *maps)
{
    bool changed = false;
    int error = symbols_read_mappings(symbols, maps);
    if (!error)
        error = symbols_update_modules(symbols, &changed);
    if (!error && symbols->cpu && symbols->mapping_count && symbols_is_narrow(symbols) != symbols->narrow)
        error = start_over(symbols), changed = true;
    if (!error && changed) {
        error = report_modules(symbols);
        symbols_forget_code(symbols);
    }
    if (!error && symbols->mapping_count)
        set_error(symbols, NULL);
    return error;
}

static char *read_whole(int fd)
{
    size_t size = 0, room = 0;
    char *text = NULL;
    for (;;) {
        if (room - size < 4096) {
            char *larger = realloc(text, room = room ? room * 2 : 1 << 16);
            if (!larger)
                break;
            text = larger;
        }
        ssize_t got = read(fd, text + size, room - size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        if (!got) {
            text[size] = 0;
            return text;
        }
        size += got;
    }
    int error = errno;
    free(text);
    errno = error;
    return NULL;
}

int symbols_refresh(struct symbols *symbols)
{
    char path[64];
    symbols->living = symbols_living_thread(symbols->pid);
    snprintf(path, sizeof(path), "/proc/%d/maps", symbols->living);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *maps = fd >= 0 ? read_whole(fd) : NULL;
    int error = maps ? 0 : errno;
    if (fd >= 0)
        close(fd);
    if (maps && *maps) {
        error = -symbols_refresh_from(symbols, maps);
    } else if (!error || error == ENOENT || error == ESRCH) {
        error = ESRCH; /* a process that is ending has an empty table */
        if (!symbols->mapping_count)
            set_error(symbols, "process %d ended before its mappings were read: no function names", symbols->pid);
    } else if (!symbols->mapping_count) {
        set_error(symbols, "no function names: /proc/%d/maps cannot be read (%s); CAP_SYS_PTRACE lets mtrace read it",
                  symbols->pid, strerror(error));
    }
    free(maps);
    return error == EPERM ? -EACCES : -error;
}

struct symbols *symbols_open(pid_t pid)
{
    struct symbols *symbols = calloc(1, sizeof(*symbols));
    if (!symbols)
        return NULL;
    symbols->pid = symbols->living = pid;
    symbols->dwfl = dwfl_begin(&callbacks);
    if (!symbols->dwfl) {
        free(symbols);
        return NULL;
    }
    symbols_refresh(symbols); /* a failure is kept in symbols_error: the context works without names */
    symbols->unwinds = symbols_attach(symbols);
    return symbols;
}

void symbols_close(struct symbols *symbols)
{
    if (!symbols)
        return;
    dwfl_end(symbols->dwfl);
    elf_end(symbols->cpu);
    symbols_forget_code(symbols);
    for (size_t i = 0; i < symbols->module_count; i++)
        symbols_free_module(symbols->modules[i]);
    free(symbols->modules);
    free(symbols->mappings);
    free(symbols->error);
    tdestroy(symbols->strings, free);
    free(symbols);
}

Dwfl_Module *symbols_module_at(struct symbols *symbols, uint64_t address, struct module **module)
{
    void **userdata;
    Dwfl_Module *mod = dwfl_addrmodule(symbols->dwfl, address);
    if (!mod || !dwfl_module_info(mod, &userdata, NULL, NULL, NULL, NULL, NULL, NULL) || !*userdata)
        return NULL;
    *module = *userdata;
    return address >= (*module)->start && address < (*module)->end ? mod : NULL;
}
