/* SPDX-License-Identifier: MIT
 *
 * What the addresses of another process mean: functions with their source lines and inlined callers, variables, stacks.
 *
 * One context serves one process. It keeps a snapshot of the process's mappings with every mapped file open, so that it
 * goes on answering after the process has ended: call symbols_refresh early and again whenever the process has changed
 * (exec, dlopen). A process that mtrace may not look into has an empty snapshot; its addresses are then answered as
 * bare numbers, never as an error.
 *
 * Every string given out lives until symbols_close. Nothing is downloaded: debug files are those found on this machine
 * (/usr/lib/debug/.build-id, .gnu_debuglink, .gnu_debugdata). Not for use by several threads at once.
 */
#ifndef MTRACE_SYMBOLS_H
#define MTRACE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct symbols;

/* A context for a process, with a first snapshot. NULL only without memory. symbols_error says why the snapshot is
 * empty. */
struct symbols *symbols_open(pid_t pid);
void symbols_close(struct symbols *symbols);

/* Reads the mappings again: cheap (one read of /proc/PID/maps, an open for each file not seen before). What was known
 * stays known unless something else is mapped there now. 0; -ESRCH if the process has ended, -EACCES if mtrace may not
 * look. */
int symbols_refresh(struct symbols *symbols);

/* The same from the text of a maps file that the caller got by other means. */
int symbols_refresh_from(struct symbols *symbols, const char *maps);

/* The thread through which /proc shows the process: pid itself, or another one if the first thread has ended before the
 * rest. */
pid_t symbols_living_thread(pid_t pid);

/* NULL, or a sentence that says why there are no names. */
const char *symbols_error(const struct symbols *symbols);

/* -- Code -----------------------------------------------------------------------------------------------------------
 */

struct symbols_frame {
    uint64_t address;
    const char *function;   /* demangled; NULL if unknown */
    uint64_t offset;        /* from the function's start */
    const char *file;       /* source file as the compiler saw it; NULL if unknown */
    int line;               /* 0 if unknown */
    const char *module;     /* path of the mapped file as the process sees it; NULL if the address is in none */
    uint64_t module_offset; /* address in the file's own numbering, as addr2line takes it */
    bool inlined;           /* the next frame contains this one */
    bool runtime; /* libc, the loader, a language's runtime or liblinuxmt: not where the user wants to be taken */
};

/* What stands at a code address, innermost inlined function first. With after_call the address is a return address: the
 * call itself is looked up. Returns the number of frames, at least 1 if max is. */
size_t symbols_code(struct symbols *symbols, uint64_t address, bool after_call, struct symbols_frame *frames,
                    size_t max);

/* The registers of a stopped thread, by DWARF's numbering of the CPU: see symbols_regs_set. */
#define SYMBOLS_REGS 33
struct symbols_regs {
    uint64_t ip;
    uint64_t value[SYMBOLS_REGS];
    uint64_t known; /* bit N: value[N] is known */
    uint64_t sp;
    bool narrow; /* a 32-bit program's on x86-64: by i386's numbers */
};

/* Starts a register set with those that every sample has. bp 0: the frame pointer is not known. */
void symbols_regs_set(struct symbols_regs *regs, uint64_t ip, uint64_t sp, uint64_t bp);

/* The same from a whole struct pt_regs (x86_64: 21 words) or struct user_pt_regs (aarch64: 34 words) of this CPU:
 * callee-saved registers that a function's unwind table needs are then all there. */
#if defined(__x86_64__)
#define SYMBOLS_PT_REGS_WORDS 21
#else
#define SYMBOLS_PT_REGS_WORDS 34
#endif
void symbols_regs_set_all(struct symbols_regs *regs, const void *pt_regs);

/* Unwinds a stack by the unwind tables of the code: no frame pointers needed. stack is a copy of size bytes from the
 * stack pointer upward; where it ends, the trace ends. Inlined frames are included. Returns the number of frames, at
 * least 1 if max is. */
size_t symbols_unwind(struct symbols *symbols, const struct symbols_regs *regs, const void *stack, size_t size,
                      struct symbols_frame *frames, size_t max);

/* The first frame that is not runtime: the line to show to people. The innermost frame if all are runtime; NULL if
 * count is 0. */
const struct symbols_frame *symbols_caller(const struct symbols_frame *frames, size_t count);

#define SYMBOLS_TEXT_MAX 4096 /* names of C++ may be long */

/* "transfer at bank.c:42", "transfer+0x1c", "libfoo.so+0x1234" or "0x7f..."; returns what snprintf would. */
int symbols_frame_text(const struct symbols_frame *frame, char *text, size_t size);

/* -- Data -----------------------------------------------------------------------------------------------------------
 */

enum symbols_place {
    SYMBOLS_UNMAPPED,  /* nothing is known of this address */
    SYMBOLS_VARIABLE,  /* in a named variable of a module */
    SYMBOLS_MODULE,    /* in a module, in no named variable */
    SYMBOLS_HEAP,      /* [heap] */
    SYMBOLS_STACK,     /* the main thread's stack */
    SYMBOLS_ANONYMOUS, /* anonymous memory: malloc's arenas, thread stacks, mmap */
    SYMBOLS_SHARED,    /* a mapping shared with other processes */
    SYMBOLS_FILE,      /* another mapped file */
};

struct symbols_object {
    uint64_t address;
    enum symbols_place place;
    const char *name;   /* the variable, demangled; else NULL */
    const char *member; /* the part of the variable, "[1].lock"; NULL if it is not known or all of it */
    uint64_t offset;    /* from the variable's or its part's start; else from the start of the module or mapping */
    const char *module; /* path of the mapped file or name of the mapping; NULL if it has none */
};

/* What lies at a data address. Always fills the object. */
void symbols_data(struct symbols *symbols, uint64_t address, struct symbols_object *object);

/* "stats_lock", "accounts[1].lock", "accounts+0x30", "bank+0x4060", "heap 0x55..."; returns what snprintf would. */
int symbols_object_text(const struct symbols_object *object, char *text, size_t size);

#endif
