/* SPDX-License-Identifier: MIT
 *
 * wprintf, wscanf and their kin. How much is printed cannot be asked, as it can of printf: so it is printed to memory
 * first, and what does not fit there goes off the hub if the stream is one that waits.
 */
#include "patch/stream.h"
#include "patch/undeclared.h"

#include <stdarg.h>
#include <wchar.h>

#define SHORT 256

/* Any of the forms with a list. */
struct format {
    enum mt__name_number number;
    FILE *stream;
    int flag;
    const wchar_t *format;
    va_list list;
    int result, error; /* errno: the caller's, and then what came of it */
};

int __vfwprintf_chk(FILE *restrict stream, int flag, const wchar_t *restrict format, va_list list);
int __vwprintf_chk(int flag, const wchar_t *restrict format, va_list list);
int __fwprintf_chk(FILE *restrict stream, int flag, const wchar_t *restrict format, ...);
int __wprintf_chk(int flag, const wchar_t *restrict format, ...);
int __isoc99_vfwscanf(FILE *restrict stream, const wchar_t *restrict format, va_list list);
int __isoc99_vwscanf(const wchar_t *restrict format, va_list list);
int __isoc99_fwscanf(FILE *restrict stream, const wchar_t *restrict format, ...);
int __isoc99_wscanf(const wchar_t *restrict format, ...);
int __isoc23_vfwscanf(FILE *restrict stream, const wchar_t *restrict format, va_list list);
int __isoc23_vwscanf(const wchar_t *restrict format, va_list list);
int __isoc23_fwscanf(FILE *restrict stream, const wchar_t *restrict format, ...);
int __isoc23_wscanf(const wchar_t *restrict format, ...);

static int in_libc(enum mt__name_number number, FILE *stream, int flag, const wchar_t *format, va_list list)
{
    if (number == MT__N___vfwprintf_chk)
        return mt__libc(__vfwprintf_chk)(stream, flag, format, list);
    return ((int (*)(FILE *, const wchar_t *, va_list))mt__original(number))(stream, format, list);
}

static void run(void *arg)
{
    struct format *format = arg;

    errno = format->error; /* for %m */
    format->result = in_libc(format->number, format->stream, format->flag, format->format, format->list);
    format->error = errno;
}

/* More than SHORT: 0. */
static size_t measure(const wchar_t *format, va_list list)
{
    wchar_t text[SHORT];
    va_list copy;
    int size;

    va_copy(copy, list);
    size = vswprintf(text, SHORT, format, copy);
    va_end(copy);
    return size < 0 ? 0 : (size_t)size + 1;
}

static int ask(struct format *format, int prints)
{
    size_t size;

    if (!prints)
        return mt__stream_input(format->stream, 0, 0, format->number);
    size = measure(format->format, format->list);
    return mt__stream_output_wide(format->stream, size ? size : SIZE_MAX / 64, format->number);
}

static int work(int prints, enum mt__name_number number, FILE *stream, int flag, const wchar_t *text, va_list list)
{
    struct format format = {.number = number, .stream = stream, .flag = flag, .format = text};
    struct mt__patch_call call;
    int way;

    if (!mt__patched(STDIO))
        return in_libc(number, stream, flag, text, list);
    call = mt__patch_begin();
    va_copy(format.list, list);
    errno = call.error;
    way = ask(&format, prints);
    format.error = call.error;
    if (way == MT__OFF)
        mt__patch_off(run, &format, number);
    else if (way == MT__DIRECT)
        run(&format);
    va_end(format.list);
    if (way < 0)
        return (int)mt__patch_end(call, way);
    mt__patch_end(call, format.result < 0 ? -format.error : 0);
    return format.result;
}

#define PASS_LIST(prints, number, stream, flag)                        \
    va_list list;                                                      \
    int result;                                                        \
    va_start(list, format);                                            \
    result = work(prints, MT__N_##number, stream, flag, format, list); \
    va_end(list);                                                      \
    return result;

MT__PATCHED int vfwprintf(FILE *restrict stream, const wchar_t *restrict format, va_list list)
{
    return work(1, MT__N_vfwprintf, stream, 0, format, list);
}

MT__PATCHED int vwprintf(const wchar_t *restrict format, va_list list)
{
    return work(1, MT__N_vfwprintf, stdout, 0, format, list);
}

MT__PATCHED int fwprintf(FILE *restrict stream, const wchar_t *restrict format, ...){PASS_LIST(1, vfwprintf, stream, 0)}

MT__PATCHED int wprintf(const wchar_t *restrict format, ...){PASS_LIST(1, vfwprintf, stdout, 0)}

MT__PATCHED int __vfwprintf_chk(FILE *restrict stream, int flag, const wchar_t *restrict format, va_list list)
{
    return work(1, MT__N___vfwprintf_chk, stream, flag, format, list);
}

MT__PATCHED int __vwprintf_chk(int flag, const wchar_t *restrict format, va_list list)
{
    return work(1, MT__N___vfwprintf_chk, stdout, flag, format, list);
}

MT__PATCHED int __fwprintf_chk(FILE *restrict stream, int flag, const wchar_t *restrict format,
                               ...){PASS_LIST(1, __vfwprintf_chk, stream, flag)}

MT__PATCHED int __wprintf_chk(int flag, const wchar_t *restrict format, ...)
{
    PASS_LIST(1, __vfwprintf_chk, stdout, flag)
}

#define SCANF(fwscanf, wscanf, vfwscanf, vwscanf)                                                 \
    MT__PATCHED int vfwscanf(FILE *restrict stream, const wchar_t *restrict format, va_list list) \
    {                                                                                             \
        return work(0, MT__N_##vfwscanf, stream, 0, format, list);                                \
    }                                                                                             \
    MT__PATCHED int vwscanf(const wchar_t *restrict format, va_list list)                         \
    {                                                                                             \
        return work(0, MT__N_##vfwscanf, stdin, 0, format, list);                                 \
    }                                                                                             \
    MT__PATCHED int fwscanf(FILE *restrict stream, const wchar_t *restrict format,                \
                            ...){PASS_LIST(0, vfwscanf, stream, 0)} MT__PATCHED int               \
    wscanf(const wchar_t *restrict format, ...)                                                   \
    {                                                                                             \
        PASS_LIST(0, vfwscanf, stdin, 0)                                                          \
    }

/* As for scanf: the header makes one of the others of the plain name. */
int mt__fwscanf(FILE *restrict stream, const wchar_t *restrict format, ...) __asm__("fwscanf");
int mt__wscanf(const wchar_t *restrict format, ...) __asm__("wscanf");
int mt__vfwscanf(FILE *restrict stream, const wchar_t *restrict format, va_list list) __asm__("vfwscanf");
int mt__vwscanf(const wchar_t *restrict format, va_list list) __asm__("vwscanf");
#define MT__N_mt__vfwscanf MT__N_vfwscanf
SCANF(mt__fwscanf, mt__wscanf, mt__vfwscanf, mt__vwscanf)
SCANF(__isoc99_fwscanf, __isoc99_wscanf, __isoc99_vfwscanf, __isoc99_vwscanf)
SCANF(__isoc23_fwscanf, __isoc23_wscanf, __isoc23_vfwscanf, __isoc23_vwscanf)
