/* SPDX-License-Identifier: MIT
 *
 * Names for people: demangling, what counts as runtime, and the one text form of frames and variables.
 */
#include "symbols-internal.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Between the user's code and the kernel in a wait; a user asking "where?" means the line that called into these. */
static const char *const runtime_modules[] = {
    "libc",
    "ld",
    "ld-linux",
    "ld-linux-x86-64",
    "ld-linux-aarch64",
    "ld-musl-x86_64",
    "ld-musl-aarch64",
    "libpthread",
    "librt",
    "libstdc++",
    "libc++",
    "libc++abi",
    "libgcc_s",
    "liblinuxmt",
    "liblinuxmt-patch",
    "liburing",
    "[vdso]",
};

/* The same code linked into the program itself. */
static const char *const runtime_functions[] = {
    "__lll_", "___lll_",    "pthread_", "__pthread_", "___pthread_",         "__futex_", "__new_sem_", "__libc_", "mt_",
    "mt__",   "__gthread_", "syscall",  "__syscall_", "__internal_syscall_", "__futex",  "futex_",     "futex",
};

bool symbols_is_runtime_module(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = name[0] == '[' ? strlen(name) : strcspn(name, ".");
    for (size_t i = 0; i < sizeof(runtime_modules) / sizeof(*runtime_modules); i++) {
        const char *known = runtime_modules[i];
        if (strlen(known) == length && !strncmp(name, known, length))
            return true;
        /* libc-2.31.so */
        if (!strncmp(name, known, strlen(known)) && name[strlen(known)] == '-' &&
            strchr("0123456789", name[strlen(known) + 1]))
            return true;
    }
    return false;
}

/* The name behind the type that a demangled instance of a template begins with. */
static const char *without_type(const char *function)
{
    const char *name = function;
    int depth = 0;
    for (const char *at = function; *at && (depth || *at != '('); at++) {
        depth += (*at == '<') - (*at == '>');
        if (*at == ' ' && !depth)
            name = at + 1;
    }
    return name;
}

bool symbols_is_runtime_function(const char *function)
{
    if (!strncmp(without_type(function), "std::", 5))
        return true;
    for (size_t i = 0; i < sizeof(runtime_functions) / sizeof(*runtime_functions); i++) {
        const char *known = runtime_functions[i];
        size_t length = strlen(known);
        bool whole = known[length - 1] != '_' && known[length - 1] != ':';
        if (whole ? !strcmp(function, known) : !strncmp(function, known, length))
            return true;
    }
    return false;
}

/* libstdc++ is asked only when a C++ name turns up: mtrace itself is C and does not link it. */
const char *symbols_demangle(struct symbols *symbols, const char *name)
{
    typedef char *demangle_fn(const char *, char *, size_t *, int *);
    static demangle_fn *demangle;
    static bool looked;
    char plain_name[512];
    size_t length = name ? strcspn(name, "@") : 0;
    if (length && name[length] && length < sizeof(plain_name)) { /* pthread_mutex_lock@GLIBC_2.2.5 */
        memcpy(plain_name, name, length);
        plain_name[length] = 0;
        name = plain_name;
    }
    if (!name || strncmp(name, "_Z", 2))
        return symbols_string(symbols, name);
    if (!looked) {
        void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
        demangle = library ? (demangle_fn *)dlsym(library, "__cxa_demangle") : NULL;
        looked = true;
    }
    int status = -1;
    char *plain = demangle ? demangle(name, NULL, NULL, &status) : NULL;
    const char *kept = symbols_string(symbols, plain && !status ? plain : name);
    free(plain);
    return kept;
}

/* A static helper of a liblinuxmt that is linked into the program itself: it has no name of the library's, but another
 * function that has called it, directly or over one more. The outermost frame does not count: there the library's
 * threads begin. */
static bool is_helper(const struct symbols_frame *frames, size_t count, size_t at)
{
    for (size_t i = at + 1; i <= at + 2 && i + 1 < count; i++)
        if (frames[i].runtime && frames[i].function && !strncmp(frames[i].function, "mt_", 3))
            return true;
    return false;
}

const struct symbols_frame *symbols_caller(const struct symbols_frame *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!frames[i].runtime && (frames[i].module || frames[i].function) && !is_helper(frames, count, i))
            return &frames[i];
    return count ? frames : NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

int symbols_frame_text(const struct symbols_frame *frame, char *text, size_t size)
{
    if (frame->function && frame->file && frame->line)
        return snprintf(text, size, "%s at %s:%d", frame->function, base_name(frame->file), frame->line);
    if (frame->function && frame->module)
        return snprintf(text, size, "%s+0x%" PRIx64 " (%s)", frame->function, frame->offset, base_name(frame->module));
    if (frame->function)
        return snprintf(text, size, "%s+0x%" PRIx64, frame->function, frame->offset);
    if (frame->module)
        return snprintf(text, size, "%s+0x%" PRIx64, base_name(frame->module), frame->module_offset);
    return snprintf(text, size, "0x%" PRIx64, frame->address);
}

int symbols_object_text(const struct symbols_object *object, char *text, size_t size)
{
    switch (object->place) {
    case SYMBOLS_VARIABLE:
        if (object->offset)
            return snprintf(text, size, "%s%s+0x%" PRIx64, object->name, object->member ? object->member : "",
                            object->offset);
        return snprintf(text, size, "%s%s", object->name, object->member ? object->member : "");
    case SYMBOLS_MODULE:
        return snprintf(text, size, "%s+0x%" PRIx64, base_name(object->module), object->offset);
    case SYMBOLS_HEAP:
        return snprintf(text, size, "heap 0x%" PRIx64, object->address);
    case SYMBOLS_STACK:
        return snprintf(text, size, "stack 0x%" PRIx64, object->address);
    case SYMBOLS_ANONYMOUS:
        return snprintf(text, size, "memory 0x%" PRIx64, object->address);
    case SYMBOLS_SHARED:
        return snprintf(text, size, "shared 0x%" PRIx64 "%s%s", object->address, object->module ? " in " : "",
                        object->module ? base_name(object->module) : "");
    case SYMBOLS_FILE:
        return snprintf(text, size, "%s+0x%" PRIx64, base_name(object->module), object->offset);
    case SYMBOLS_UNMAPPED:
        break;
    }
    return snprintf(text, size, "0x%" PRIx64, object->address);
}
