/* SPDX-License-Identifier: MIT
 *
 * Reading from streams. A call that is killed while it waits returns what it returns at an error, with ECANCELED.
 */
#include "patch/stream.h"
#include "patch/undeclared.h"

#include <stdarg.h>
#include <string.h>

/* -- One byte ----------------------------------------------------------------------------------------------------- */

/* What its wait says; MT__OFF cannot be meant. The byte is read by the original, off the hub only if another thread has
 * the stream. */
static int one_byte(enum mt__name_number number, FILE *stream)
{
    struct mt__patch_call call = mt__patch_begin();
    int way = mt__stream_input(stream, mt__stream_available(stream) > 0, 1, number), result;

    if (way < 0)
        return (int)mt__patch_end(call, way);
    if (way == MT__OFF)
        result = (int)mt__off(number, (const long[6]){(long)stream});
    else
        result = ((int (*)(FILE *))mt__original(number))(stream);
    if (result == EOF && errno != call.error)
        return (int)mt__patch_end(call, -errno);
    mt__patch_end(call, 0);
    return result;
}

#define ONE_BYTE(name)                         \
    MT__PATCHED int name(FILE *stream)         \
    {                                          \
        if (!mt__patched(STDIO))               \
            return mt__libc(name)(stream);     \
        return one_byte(MT__N_##name, stream); \
    }
#undef getc
#undef getc_unlocked
ONE_BYTE(fgetc)
ONE_BYTE(getc)
ONE_BYTE(_IO_getc)
ONE_BYTE(fgetc_unlocked)
ONE_BYTE(getc_unlocked)
ONE_BYTE(__uflow)
ONE_BYTE(__underflow)

MT__PATCHED int getchar(void)
{
    return mt__patched(STDIO) ? one_byte(MT__N_getc, stdin) : mt__libc(getchar)();
}

#undef getchar_unlocked
MT__PATCHED int getchar_unlocked(void)
{
    return mt__patched(STDIO) ? one_byte(MT__N_getc_unlocked, stdin) : mt__libc(getchar_unlocked)();
}

/* -- Lines and blocks --------------------------------------------------------------------------------------------- */

/* The call as arguments. `failed` is what it returns at an error. */
static long read_stream(enum mt__name_number number, FILE *stream, int enough, long failed, const long arguments[6])
{
    struct mt__patch_call call = mt__patch_begin();
    int way = mt__stream_input(stream, enough, 0, number);
    struct mt__off_call here = {.function = mt__original(number)};
    long result;

    if (way < 0) {
        mt__patch_end(call, way);
        return failed;
    }
    memcpy(here.arguments, arguments, sizeof here.arguments);
    if (way == MT__OFF)
        mt__patch_off(mt__off_call_run, &here, number);
    else
        mt__off_call_run(&here);
    result = here.result;
    mt__patch_end(call, here.error ? -here.error : 0);
    return result;
}

static int has_line(const FILE *stream, int delimiter, size_t most)
{
    size_t available = mt__stream_available(stream);

    return available && (available >= most || memchr(stream->_IO_read_ptr, delimiter, available));
}

static char *get_line(enum mt__name_number number, int size, FILE *stream, const long arguments[6])
{
    int enough = size <= 1 || has_line(stream, '\n', (size_t)size - 1);

    return (char *)read_stream(number, stream, enough, 0, arguments);
}

#define FGETS(name)                                                                                     \
    MT__PATCHED char *name(char *restrict buffer, int size, FILE *restrict stream)                      \
    {                                                                                                   \
        if (!mt__patched(STDIO))                                                                        \
            return mt__libc(name)(buffer, size, stream);                                                \
        return get_line(MT__N_##name, size, stream, (const long[6]){(long)buffer, size, (long)stream}); \
    }
FGETS(fgets)
FGETS(fgets_unlocked)

#define FGETS_CHK(name)                                                                                             \
    MT__PATCHED char *name(char *restrict buffer, size_t room, int size, FILE *restrict stream)                     \
    {                                                                                                               \
        if (!mt__patched(STDIO))                                                                                    \
            return mt__libc(name)(buffer, room, size, stream);                                                      \
        return get_line(MT__N_##name, size, stream, (const long[6]){(long)buffer, (long)room, size, (long)stream}); \
    }
FGETS_CHK(__fgets_chk)
FGETS_CHK(__fgets_unlocked_chk)

#define GETDELIM(name)                                                                                          \
    MT__PATCHED ssize_t name(char **restrict line, size_t *restrict size, int delimiter, FILE *restrict stream) \
    {                                                                                                           \
        if (!mt__patched(STDIO))                                                                                \
            return mt__libc(name)(line, size, delimiter, stream);                                               \
        return read_stream(MT__N_##name, stream, has_line(stream, delimiter, SIZE_MAX), -1,                     \
                           (const long[6]){(long)line, (long)size, delimiter, (long)stream});                   \
    }
GETDELIM(getdelim)
GETDELIM(__getdelim)

MT__PATCHED ssize_t getline(char **restrict line, size_t *restrict size, FILE *restrict stream)
{
    if (!mt__patched(STDIO))
        return mt__libc(getline)(line, size, stream);
    return read_stream(MT__N_getline, stream, has_line(stream, '\n', SIZE_MAX), -1,
                       (const long[6]){(long)line, (long)size, (long)stream});
}

static int has_bytes(const FILE *stream, size_t size, size_t count)
{
    size_t bytes;

    return !__builtin_mul_overflow(size, count, &bytes) && mt__stream_available(stream) >= bytes;
}

#undef fread_unlocked
#define FREAD(name)                                                                                       \
    MT__PATCHED size_t name(void *restrict buffer, size_t size, size_t count, FILE *restrict stream)      \
    {                                                                                                     \
        if (!mt__patched(STDIO))                                                                          \
            return mt__libc(name)(buffer, size, count, stream);                                           \
        return (size_t)read_stream(MT__N_##name, stream, has_bytes(stream, size, count), 0,               \
                                   (const long[6]){(long)buffer, (long)size, (long)count, (long)stream}); \
    }
FREAD(fread)
FREAD(fread_unlocked)

#define FREAD_CHK(name)                                                                                               \
    MT__PATCHED size_t name(void *restrict buffer, size_t room, size_t size, size_t count, FILE *restrict stream)     \
    {                                                                                                                 \
        if (!mt__patched(STDIO))                                                                                      \
            return mt__libc(name)(buffer, room, size, count, stream);                                                 \
        return (size_t)read_stream(MT__N_##name, stream, has_bytes(stream, size, count), 0,                           \
                                   (const long[6]){(long)buffer, (long)room, (long)size, (long)count, (long)stream}); \
    }
FREAD_CHK(__fread_chk)
FREAD_CHK(__fread_unlocked_chk)

/* -- scanf -------------------------------------------------------------------------------------------------------- */

struct scan {
    int (*function)(FILE *stream, const char *format, va_list list);
    FILE *stream;
    const char *format;
    va_list list;
    int result, error;
};

static void scan_run(void *arg)
{
    struct scan *scan = arg;

    errno = 0;
    scan->result = scan->function(scan->stream, scan->format, scan->list);
    scan->error = errno;
}

/* `number` is that of the form with a list. */
static int scan(enum mt__name_number number, FILE *stream, const char *format, va_list list)
{
    struct scan scan = {
        .function = (int (*)(FILE *, const char *, va_list))mt__original(number), .stream = stream, .format = format};
    struct mt__patch_call call;
    int way;

    if (!mt__patched(STDIO))
        return scan.function(stream, format, list);
    call = mt__patch_begin();
    way = mt__stream_input(stream, 0, 0, number);
    if (way < 0)
        return (int)mt__patch_end(call, way);
    va_copy(scan.list, list);
    if (way == MT__OFF)
        mt__patch_off(scan_run, &scan, number);
    else
        scan_run(&scan);
    va_end(scan.list);
    mt__patch_end(call, scan.error ? -scan.error : 0);
    return scan.result;
}

#define SCANF(fscanf, scanf, vfscanf, vscanf)                               \
    MT__PATCHED int vfscanf(FILE *stream, const char *format, va_list list) \
    {                                                                       \
        return scan(MT__N_##vfscanf, stream, format, list);                 \
    }                                                                       \
    MT__PATCHED int vscanf(const char *format, va_list list)                \
    {                                                                       \
        return scan(MT__N_##vfscanf, stdin, format, list);                  \
    }                                                                       \
    MT__PATCHED int fscanf(FILE *stream, const char *format, ...)           \
    {                                                                       \
        va_list list;                                                       \
        int result;                                                         \
        va_start(list, format);                                             \
        result = scan(MT__N_##vfscanf, stream, format, list);               \
        va_end(list);                                                       \
        return result;                                                      \
    }                                                                       \
    MT__PATCHED int scanf(const char *format, ...)                          \
    {                                                                       \
        va_list list;                                                       \
        int result;                                                         \
        va_start(list, format);                                             \
        result = scan(MT__N_##vfscanf, stdin, format, list);                \
        va_end(list);                                                       \
        return result;                                                      \
    }

/* What C programs of each standard call; the header makes one of the others of the plain name, so that one has to be
 * told by its symbol. */
int mt__fscanf(FILE *stream, const char *format, ...) __asm__("fscanf");
int mt__scanf(const char *format, ...) __asm__("scanf");
int mt__vfscanf(FILE *stream, const char *format, va_list list) __asm__("vfscanf");
int mt__vscanf(const char *format, va_list list) __asm__("vscanf");
#define MT__N_mt__vfscanf MT__N_vfscanf
SCANF(mt__fscanf, mt__scanf, mt__vfscanf, mt__vscanf)
SCANF(__isoc99_fscanf, __isoc99_scanf, __isoc99_vfscanf, __isoc99_vscanf)
SCANF(__isoc23_fscanf, __isoc23_scanf, __isoc23_vfscanf, __isoc23_vscanf)
