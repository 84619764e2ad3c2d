/* SPDX-License-Identifier: MIT
 *
 * Writing to streams. What is formatted is measured first, if it may not fit: how much is written decides whether the
 * call may have to wait.
 */
#include "patch/stream.h"
#include "patch/belief.h"
#include "patch/undeclared.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

/* -- Bytes -------------------------------------------------------------------------------------------------------- */

static long write_stream(enum mt__name_number number, FILE *stream, size_t size, int flush, long failed,
                         const long arguments[6])
{
    struct mt__patch_call call = mt__patch_begin();
    int way = mt__stream_output(stream, size, flush, number);
    struct mt__off_call here = {.function = mt__original(number)};

    if (way < 0) {
        mt__patch_end(call, way);
        return failed;
    }
    memcpy(here.arguments, arguments, sizeof here.arguments);
    if (way == MT__OFF)
        mt__patch_off(mt__off_call_run, &here, number);
    else
        mt__off_call_run(&here);
    mt__patch_end(call, here.error ? -here.error : 0);
    return here.result;
}

#undef fwrite_unlocked
#define FWRITE(name)                                                                                       \
    MT__PATCHED size_t name(const void *restrict buffer, size_t size, size_t count, FILE *restrict stream) \
    {                                                                                                      \
        size_t bytes;                                                                                      \
        if (!mt__patched(STDIO) || __builtin_mul_overflow(size, count, &bytes))                            \
            return mt__libc(name)(buffer, size, count, stream);                                            \
        return (size_t)write_stream(MT__N_##name, stream, bytes, 0, 0,                                     \
                                    (const long[6]){(long)buffer, (long)size, (long)count, (long)stream}); \
    }
FWRITE(fwrite)
FWRITE(fwrite_unlocked)

#define FPUTS(name)                                                          \
    MT__PATCHED int name(const char *restrict text, FILE *restrict stream)   \
    {                                                                        \
        if (!mt__patched(STDIO))                                             \
            return mt__libc(name)(text, stream);                             \
        return (int)write_stream(MT__N_##name, stream, strlen(text), 0, EOF, \
                                 (const long[6]){(long)text, (long)stream}); \
    }
FPUTS(fputs)
FPUTS(fputs_unlocked)

MT__PATCHED int puts(const char *text)
{
    if (!mt__patched(STDIO))
        return mt__libc(puts)(text);
    return (int)write_stream(MT__N_puts, stdout, strlen(text) + 1, 0, EOF, (const long[6]){(long)text});
}

#undef putc
#undef putc_unlocked
#define FPUTC(name)                                                                                     \
    MT__PATCHED int name(int byte, FILE *stream)                                                        \
    {                                                                                                   \
        if (!mt__patched(STDIO))                                                                        \
            return mt__libc(name)(byte, stream);                                                        \
        return (int)write_stream(MT__N_##name, stream, 1, 0, EOF, (const long[6]){byte, (long)stream}); \
    }
FPUTC(fputc)
FPUTC(putc)
FPUTC(_IO_putc)
FPUTC(fputc_unlocked)
FPUTC(putc_unlocked)

MT__PATCHED int __overflow(FILE *stream, int byte)
{
    if (!mt__patched(STDIO))
        return mt__libc(__overflow)(stream, byte);
    return (int)write_stream(MT__N___overflow, stream, 1, 0, EOF, (const long[6]){(long)stream, byte});
}

#undef putchar
#undef putchar_unlocked
MT__PATCHED int putchar(int byte)
{
    return mt__patched(STDIO) ? putc(byte, stdout) : mt__libc(putchar)(byte);
}

MT__PATCHED int putchar_unlocked(int byte)
{
    return mt__patched(STDIO) ? putc_unlocked(byte, stdout) : mt__libc(putchar_unlocked)(byte);
}

/* -- The end of them ---------------------------------------------------------------------------------------------- */

/* All streams, of which any may wait. */
static int flush_all(enum mt__name_number number)
{
    struct mt__patch_call call = mt__patch_begin();
    int result = (int)mt__off(number, (const long[6]){0});

    return (int)mt__patch_end(call, result < 0 ? -errno : 0);
}

#define FFLUSH(name)                                                                              \
    MT__PATCHED int name(FILE *stream)                                                            \
    {                                                                                             \
        if (!mt__patched(STDIO))                                                                  \
            return mt__libc(name)(stream);                                                        \
        if (!stream)                                                                              \
            return flush_all(MT__N_##name);                                                       \
        return (int)write_stream(MT__N_##name, stream, 0, 1, EOF, (const long[6]){(long)stream}); \
    }
FFLUSH(fflush)
FFLUSH(fflush_unlocked)

MT__PATCHED int fclose(FILE *stream)
{
    mt__belief_ends(stream->_fileno);
    if (!mt__patched(STDIO))
        return mt__libc(fclose)(stream);
    mt__fd_closing(stream->_fileno);
    return (int)write_stream(MT__N_fclose, stream, 0, 1, EOF, (const long[6]){(long)stream});
}

#define FOPEN(name)                                                                                                  \
    MT__PATCHED FILE *name(const char *restrict path, const char *restrict mode)                                     \
    {                                                                                                                \
        struct mt__patch_call call;                                                                                  \
        struct mt__off_call there = {.function = mt__original(MT__N_##name), .arguments = {(long)path, (long)mode}}; \
        if (!mt__patched(STDIO) || !mt__open_may_wait(path))                                                         \
            return mt__libc(name)(path, mode);                                                                       \
        call = mt__patch_begin();                                                                                    \
        mt__patch_off(mt__off_call_run, &there, MT__N_##name);                                                       \
        mt__patch_end(call, there.result ? 0 : -there.error);                                                        \
        return (FILE *)there.result;                                                                                 \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* -- printf ------------------------------------------------------------------------------------------------------- */

/* Any of the forms with a list: on a stream, or (NULL) to the system's log. */
struct print {
    enum mt__name_number number;
    FILE *stream;
    int flag; /* of the _chk forms; the priority of the log's */
    const char *format;
    va_list list;
    int result, error; /* errno: the caller's, and then what came of it */
};

static int print_libc(enum mt__name_number number, FILE *stream, int flag, const char *format, va_list list)
{
    if (number == MT__N___vfprintf_chk)
        return mt__libc(__vfprintf_chk)(stream, flag, format, list);
    if (number == MT__N_vfprintf)
        return mt__libc(vfprintf)(stream, format, list);
    mt__libc(vsyslog)(flag, format, list);
    return 0;
}

static void print_run(void *arg)
{
    struct print *print = arg;

    errno = print->error; /* for %m */
    print->result = print_libc(print->number, print->stream, print->flag, print->format, print->list);
    print->error = errno;
}

static int measure(const char *format, va_list list)
{
    va_list copy;
    int size;

    va_copy(copy, list);
    size = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    return size < 0 ? 0 : size;
}

static int print(enum mt__name_number number, FILE *stream, int flag, const char *format, va_list list)
{
    struct print print = {.number = number, .stream = stream, .flag = flag, .format = format};
    struct mt__patch_call call;
    int way;

    if (!mt__patched(STDIO))
        return print_libc(number, stream, flag, format, list);
    call = mt__patch_begin();
    print.error = call.error;
    va_copy(print.list, list);
    way = stream ? mt__stream_output(stream, (size_t)measure(format, list), 0, number) : MT__OFF;
    if (way == MT__OFF)
        mt__patch_off(print_run, &print, number);
    else if (way == MT__DIRECT)
        print_run(&print);
    va_end(print.list);
    if (way < 0)
        return (int)mt__patch_end(call, way);
    mt__patch_end(call, print.result < 0 ? -print.error : 0);
    return print.result;
}

#define PASS_LIST(number, stream, flag)                         \
    va_list list;                                               \
    int result;                                                 \
    va_start(list, format);                                     \
    result = print(MT__N_##number, stream, flag, format, list); \
    va_end(list);                                               \
    return result;

MT__PATCHED int vfprintf(FILE *restrict stream, const char *restrict format, va_list list)
{
    return print(MT__N_vfprintf, stream, 0, format, list);
}

MT__PATCHED int vprintf(const char *restrict format, va_list list)
{
    return print(MT__N_vfprintf, stdout, 0, format, list);
}

MT__PATCHED int fprintf(FILE *restrict stream, const char *restrict format, ...){PASS_LIST(vfprintf, stream, 0)}

MT__PATCHED int printf(const char *restrict format, ...){PASS_LIST(vfprintf, stdout, 0)}

MT__PATCHED int __vfprintf_chk(FILE *restrict stream, int flag, const char *restrict format, va_list list)
{
    return print(MT__N___vfprintf_chk, stream, flag, format, list);
}

MT__PATCHED int __vprintf_chk(int flag, const char *restrict format, va_list list)
{
    return print(MT__N___vfprintf_chk, stdout, flag, format, list);
}

MT__PATCHED int __fprintf_chk(FILE *restrict stream, int flag, const char *restrict format,
                              ...){PASS_LIST(__vfprintf_chk, stream, flag)}

MT__PATCHED int __printf_chk(int flag, const char *restrict format, ...)
{
    PASS_LIST(__vfprintf_chk, stdout, flag)
}

/* -- To a descriptor ---------------------------------------------------------------------------------------------- */

static int write_text(int fd, char *text, int size)
{
    ssize_t written;

    for (int at = 0; at < size; at += (int)written) {
        written = write(fd, text + at, (size_t)(size - at));
        if (written < 0) {
            size = -1;
            break;
        }
    }
    free(text);
    return size;
}

MT__PATCHED int vdprintf(int fd, const char *restrict format, va_list list)
{
    char *text;
    int size;

    if (!mt__patched(STDIO))
        return mt__libc(vdprintf)(fd, format, list);
    size = vasprintf(&text, format, list);
    return size < 0 ? size : write_text(fd, text, size);
}

MT__PATCHED int __vdprintf_chk(int fd, int flag, const char *restrict format, va_list list)
{
    char *text;
    int size;

    if (!mt__patched(STDIO))
        return mt__libc(__vdprintf_chk)(fd, flag, format, list);
    size = __vasprintf_chk(&text, flag, format, list);
    return size < 0 ? size : write_text(fd, text, size);
}

MT__PATCHED int dprintf(int fd, const char *restrict format, ...)
{
    va_list list;
    int result;

    va_start(list, format);
    result = vdprintf(fd, format, list);
    va_end(list);
    return result;
}

MT__PATCHED int __dprintf_chk(int fd, int flag, const char *restrict format, ...)
{
    va_list list;
    int result;

    va_start(list, format);
    result = __vdprintf_chk(fd, flag, format, list);
    va_end(list);
    return result;
}

/* -- To the system's log ------------------------------------------------------------------------------------------ */

MT__PATCHED void vsyslog(int priority, const char *format, va_list list)
{
    print(MT__N_vsyslog, NULL, priority, format, list);
}

MT__PATCHED void syslog(int priority, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsyslog(priority, format, list);
    va_end(list);
}

MT__PATCHED void __vsyslog_chk(int priority, int flag, const char *format, va_list list)
{
    if (mt__patched(STDIO))
        vsyslog(priority, format, list);
    else
        mt__libc(__vsyslog_chk)(priority, flag, format, list);
}

MT__PATCHED void __syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    __vsyslog_chk(priority, flag, format, list);
    va_end(list);
}
