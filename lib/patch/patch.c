/* SPDX-License-Identifier: MIT
 *
 * The switch, the table of names, and what libc's names meant before. All is looked up when the library is loaded; what
 * is called before that (by other libraries' constructors) is looked up by the call.
 */
#include "patch/patch.h"
#include "patch/slice.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct mt__name mt__names[MT__NAMES] = {
#define NAME(name, class, verdict, why) {#name, MT_PATCH_##class, MT__##verdict, why},
#include "patch/names.def"
#undef NAME
};

void *mt__originals[MT__NAMES];
uint32_t mt__patch_on;

static uint64_t passed[MT__NAMES];

/* A program that was linked against a newer libc than it runs on may have a name that is not there. */
void *mt__original_find(enum mt__name_number number)
{
    void *original = dlsym(RTLD_NEXT, mt__names[number].name);

    __atomic_store_n(&mt__originals[number], original, __ATOMIC_RELAXED);
    return original;
}

static const struct mt__name *find(const char *name)
{
    for (unsigned i = 0; i < MT__NAMES; i++)
        if (!strcmp(mt__names[i].name, name))
            return &mt__names[i];
    return NULL;
}

void *mt_patch_original(const char *name)
{
    const struct mt__name *row = find(name);

    return row ? mt__original((enum mt__name_number)(row - mt__names)) : dlsym(RTLD_NEXT, name);
}

/* -- What passes -------------------------------------------------------------------------------------------------- */

void mt__patch_passes(enum mt__name_number number)
{
    __atomic_fetch_add(&passed[number], 1, __ATOMIC_RELAXED);
}

uint64_t mt_patch_passed(const char *name)
{
    const struct mt__name *row = name ? find(name) : NULL;
    uint64_t sum = 0;

    if (name)
        return row ? __atomic_load_n(&passed[row - mt__names], __ATOMIC_RELAXED) : 0;
    for (unsigned i = 0; i < MT__NAMES; i++)
        sum += __atomic_load_n(&passed[i], __ATOMIC_RELAXED);
    return sum;
}

/* Straight to the kernel: at the end of a process the streams may be gone. */
static void report(void)
{
    const char *why = mt__patch_refused();
    char line[400];
    int length;

    for (unsigned i = 0; i < MT__NAMES; i++) {
        uint64_t count = __atomic_load_n(&passed[i], __ATOMIC_RELAXED);
        if (!count)
            continue;
        length = snprintf(line, sizeof line, "linuxmt: %s %s %llu time%s\n", mt__names[i].name,
                          i == MT__N_pthread_create ? "made a thread of the kernel" : "blocked its hub",
                          (unsigned long long)count, count == 1 ? "" : "s");
        mt__sys(SYS_write, STDERR_FILENO, line, length);
    }
    mt__slice_report();
    if (why) {
        length = snprintf(line, sizeof line, "linuxmt: its threads are the kernel's: %s\n", why);
        mt__sys(SYS_write, STDERR_FILENO, line, length);
    }
}

/* -- The switch --------------------------------------------------------------------------------------------------- */

/* Whether the program's calls come here at all. */
static int is_before_libc(void)
{
    return dlsym(RTLD_DEFAULT, "nanosleep") != mt__original(MT__N_nanosleep);
}

int mt_patch(unsigned classes)
{
    if (!classes || classes & ~(unsigned)MT_PATCH_ALL)
        return -EINVAL;
    if (!is_before_libc())
        return -ENOTSUP;
    if (classes &
        MT_PATCH_THREAD) /* a lock that one coroutine holds, and another waits for in the kernel, stays held */
        classes |= MT_PATCH_LOCK;
    if (classes & MT_PATCH_THREAD)
        mt__slice_prepare();
    mt__own_high();
    __atomic_fetch_or(&mt__patch_on, classes, __ATOMIC_RELEASE);
    if (classes & MT_PATCH_SIGNAL)
        mt__patch_handlers();
    return 0;
}

int mt_unpatch(unsigned classes)
{
    if (!classes || classes & ~(unsigned)MT_PATCH_ALL)
        return -EINVAL;
    __atomic_fetch_and(&mt__patch_on, ~classes, __ATOMIC_RELEASE);
    return 0;
}

int mt_is_patched(unsigned classes)
{
    return classes && (__atomic_load_n(&mt__patch_on, __ATOMIC_ACQUIRE) & classes) == classes;
}

/* -- LINUXMT_PATCH ------------------------------------------------------------------------------------------------ */

static unsigned class_of(const char *word, size_t length)
{
    static const struct {
        const char *name;
        unsigned class;
    } classes[] = {{"sleep", MT_PATCH_SLEEP},     {"socket", MT_PATCH_SOCKET}, {"dns", MT_PATCH_DNS},
                   {"select", MT_PATCH_SELECT},   {"file", MT_PATCH_FILE},     {"stdio", MT_PATCH_STDIO},
                   {"process", MT_PATCH_PROCESS}, {"signal", MT_PATCH_SIGNAL}, {"thread", MT_PATCH_THREAD},
                   {"lock", MT_PATCH_LOCK},       {"all", MT_PATCH_ALL}};

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == length && !memcmp(classes[i].name, word, length))
            return classes[i].class;
    return 0;
}

/* "all,-dns": from left to right. */
static unsigned classes_of(const char *list)
{
    unsigned classes = 0, class;

    while (*list) {
        size_t length = strcspn(list, ",");
        int minus = *list == '-';
        class = class_of(list + minus, length - (size_t)minus);
        if (!class && length)
            fprintf(stderr, "linuxmt: LINUXMT_PATCH: there is no class %.*s, and it is ignored\n", (int)length, list);
        classes = minus ? classes & ~class : classes | class;
        list += length + (list[length] == ',');
    }
    return classes;
}

__attribute__((constructor)) static void begin(void)
{
    const char *asked = secure_getenv("LINUXMT_PATCH"), *wants_report = secure_getenv("LINUXMT_PATCH_REPORT");
    unsigned classes = asked ? classes_of(asked) : 0;

    for (unsigned i = 0; i < MT__NAMES; i++)
        mt__original_find((enum mt__name_number)i);
    if (classes && mt_patch(classes))
        fprintf(stderr, "linuxmt: LINUXMT_PATCH: liblinuxmt-patch comes after libc: link it before, or preload it\n");
    if (wants_report && *wants_report && strcmp(wants_report, "0"))
        atexit(report);
}
