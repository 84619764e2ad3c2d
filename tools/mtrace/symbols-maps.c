/* SPDX-License-Identifier: MIT
 *
 * The snapshot of a process's mappings: /proc/PID/maps as a table, and the ELF files in it, opened while the process
 * lives.
 *
 * Invariant: modules never overlap; a module of an earlier snapshot stays until something else is mapped at its place.
 * A file is taken only if it is the very inode that is mapped: a newer file of the same name would give wrong names in
 * silence.
 */
#include "symbols-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_memory(pid_t tid)
{
    char path[64], byte;
    snprintf(path, sizeof(path), "/proc/%d/maps", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool has = fd >= 0 && read(fd, &byte, 1) == 1;
    if (fd >= 0)
        close(fd);
    return has;
}

pid_t symbols_living_thread(pid_t pid)
{
    char path[64];
    struct dirent *entry;
    pid_t found = pid;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *folder = has_memory(pid) ? NULL : opendir(path);
    while (folder && found == pid && (entry = readdir(folder)))
        if (atoi(entry->d_name) > 0 && has_memory(atoi(entry->d_name)))
            found = atoi(entry->d_name);
    if (folder)
        closedir(folder);
    return found;
}

static bool parse_line(struct symbols *symbols, const char *line, size_t length, struct mapping *mapping)
{
    static const char gone[] = " (deleted)";
    char text[4352], permissions[5];
    unsigned long long start, end, offset, inode;
    int path_at = 0;
    if (length >= sizeof(text))
        return false;
    memcpy(text, line, length);
    text[length] = 0;
    if (sscanf(text, "%llx-%llx %4s %llx %*x:%*x %llu %n", &start, &end, permissions, &offset, &inode, &path_at) < 5 ||
        !path_at || end <= start || strlen(permissions) != 4)
        return false;
    char *path = text + path_at;
    size_t path_length = strlen(path);
    bool deleted = path_length > strlen(gone) && !strcmp(path + path_length - strlen(gone), gone);
    if (deleted)
        path[path_length - strlen(gone)] = 0;
    *mapping = (struct mapping){.start = start,
                                .end = end,
                                .offset = offset,
                                .inode = inode,
                                .executable = permissions[2] == 'x',
                                .shared = permissions[3] == 's',
                                .path = symbols_string(symbols, path),
                                .deleted = deleted};
    return mapping->path;
}

int symbols_read_mappings(struct symbols *symbols, const char *maps)
{
    size_t count = 0, room = 1;
    for (const char *at = maps; *at; at++)
        room += *at == '\n';
    struct mapping *table = calloc(room, sizeof(*table));
    if (!table)
        return -ENOMEM;
    for (const char *at = maps; *at;) {
        const char *line_end = strchrnul(at, '\n');
        if (parse_line(symbols, at, line_end - at, &table[count]) &&
            (!count || table[count].start >= table[count - 1].end))
            count++;
        at = *line_end ? line_end + 1 : line_end;
    }
    free(symbols->mappings);
    symbols->mappings = table;
    symbols->mapping_count = count;
    return 0;
}

const struct mapping *symbols_mapping_at(const struct symbols *symbols, uint64_t address)
{
    size_t low = 0, high = symbols->mapping_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct mapping *mapping = &symbols->mappings[middle];
        if (address < mapping->start)
            high = middle;
        else if (address >= mapping->end)
            low = middle + 1;
        else
            return mapping;
    }
    return NULL;
}

/* A process may have mapped a file that blocks its reader: only regular files are taken, and never waited for. */
static int open_inode(const char *path, uint64_t inode)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_ino != inode)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* The mapped file itself: by the mapping (works when deleted, needs CAP_CHECKPOINT_RESTORE), by its name as the process
 * sees it, as the process's own program, and by its name as we see it. */
static int open_mapped(const struct symbols *symbols, const struct mapping *mapping)
{
    char path[4400];
    int fd, pid = symbols->living;
    snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)mapping->start,
             (unsigned long long)mapping->end);
    if ((fd = open_inode(path, mapping->inode)) >= 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/%d/root%s", pid, mapping->path);
    if ((fd = open_inode(path, mapping->inode)) >= 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    if ((fd = open_inode(path, mapping->inode)) >= 0)
        return fd;
    return open_inode(mapping->path, mapping->inode);
}

void symbols_free_module(struct module *module)
{
    if (module->fd >= 0)
        close(module->fd);
    free(module->ranges);
    free(module->variables);
    free(module);
}

static struct module *known_module(struct symbols *symbols, const struct module *wanted)
{
    for (size_t i = 0; i < symbols->module_count; i++) {
        struct module *module = symbols->modules[i];
        if (module->start == wanted->start && module->end == wanted->end && module->inode == wanted->inode &&
            module->path == wanted->path)
            return module;
    }
    return NULL;
}

static int add_module(struct symbols *symbols, const struct module *wanted, const struct mapping *first, bool *changed)
{
    struct module *module = known_module(symbols, wanted);
    if (module) {
        module->seen = true;
        return 0;
    }
    module = malloc(sizeof(*module));
    struct module **table = reallocarray(symbols->modules, symbols->module_count + 1, sizeof(*table));
    if (table)
        symbols->modules = table;
    if (!module || !table) {
        free(module);
        return -ENOMEM;
    }
    *module = *wanted;
    module->seen = true;
    module->runtime = symbols_is_runtime_module(module->path);
    module->fd = first->path[0] == '/' ? open_mapped(symbols, first) : -1;
    table[symbols->module_count++] = module;
    *changed = true;
    return 0;
}

/* Drops the modules of earlier snapshots in whose place something else is mapped now. */
static void drop_overlapped(struct symbols *symbols, bool *changed)
{
    size_t kept = 0;
    for (size_t i = 0; i < symbols->module_count; i++) {
        struct module *module = symbols->modules[i];
        bool overlapped = false;
        for (size_t j = 0; j < symbols->mapping_count && !module->seen; j++)
            overlapped |= symbols->mappings[j].start < module->end && module->start < symbols->mappings[j].end;
        if (overlapped) {
            symbols_free_module(module);
            *changed = true;
        } else {
            symbols->modules[kept++] = module;
        }
    }
    symbols->module_count = kept;
}

int symbols_update_modules(struct symbols *symbols, bool *changed)
{
    for (size_t i = 0; i < symbols->module_count; i++)
        symbols->modules[i]->seen = false;
    for (size_t i = 0; i < symbols->mapping_count;) {
        const struct mapping *first = &symbols->mappings[i++], *last = first;
        if (first->path[0] != '/' && strcmp(first->path, "[vdso]"))
            continue;
        bool executable = first->executable;
        while (i < symbols->mapping_count && symbols->mappings[i].path == first->path &&
               symbols->mappings[i].inode == first->inode) {
            last = &symbols->mappings[i++];
            executable |= last->executable;
        }
        if (!executable)
            continue;
        if (i < symbols->mapping_count && !symbols->mappings[i].path[0] && symbols->mappings[i].start == last->end)
            last = &symbols->mappings[i++];
        struct module wanted = {.start = first->start, .end = last->end, .inode = first->inode, .path = first->path};
        int error = add_module(symbols, &wanted, first, changed);
        if (error)
            return error;
    }
    drop_overlapped(symbols, changed);
    return 0;
}
