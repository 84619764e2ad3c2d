/* SPDX-License-Identifier: MIT
 *
 * Wide streams. What they have read, as characters, is in a buffer of its own beside that of the bytes; the struct of
 * that buffer was in libc's headers while they had inline functions that used it, and is as it was. A character may be
 * several bytes, so that whatever is not in that buffer may have to be waited for in the middle.
 */
#include "patch/stream.h"
#include "patch/undeclared.h"

#include <string.h>
#include <wchar.h>

#define SHORT 256 /* characters that are measured before they are printed */

/* The arguments of each of these names fit. */
static long call_stream(struct mt__patch_call call, int way, enum mt__name_number number, long failed,
                        const long arguments[4])
{
    struct mt__off_call here = {.function = mt__original(number)};

    if (way < 0) {
        mt__patch_end(call, way);
        return failed;
    }
    memcpy(here.arguments, arguments, 4 * sizeof *arguments);
    if (way == MT__OFF)
        mt__patch_off(mt__off_call_run, &here, number);
    else
        mt__off_call_run(&here);
    mt__patch_end(call, here.error ? -here.error : 0);
    return here.result;
}

/* -- Reading ------------------------------------------------------------------------------------------------------ */

static long read_wide(enum mt__name_number number, FILE *stream, int enough, long failed, const long arguments[4])
{
    struct mt__patch_call call = mt__patch_begin();

    return call_stream(call, mt__stream_input(stream, enough, 0, number), number, failed, arguments);
}

static wint_t get(enum mt__name_number number, FILE *stream)
{
    return (wint_t)read_wide(number, stream, mt__wide_available(stream) > 0, WEOF, (const long[4]){(long)stream});
}

wint_t __wuflow(FILE *stream);
wint_t __wunderflow(FILE *stream);

#undef getwc
#undef getwc_unlocked
#undef fgetwc_unlocked
#define GET(name)                                                                       \
    MT__PATCHED wint_t name(FILE *stream)                                               \
    {                                                                                   \
        return mt__patched(STDIO) ? get(MT__N_##name, stream) : mt__libc(name)(stream); \
    }
GET(fgetwc)
GET(getwc)
GET(fgetwc_unlocked)
GET(getwc_unlocked)
GET(__wuflow)
GET(__wunderflow)

#undef getwchar
#undef getwchar_unlocked
MT__PATCHED wint_t getwchar(void)
{
    return mt__patched(STDIO) ? get(MT__N_getwc, stdin) : mt__libc(getwchar)();
}

MT__PATCHED wint_t getwchar_unlocked(void)
{
    return mt__patched(STDIO) ? get(MT__N_getwc_unlocked, stdin) : mt__libc(getwchar_unlocked)();
}

static int has_line(const FILE *stream, int size)
{
    size_t available = mt__wide_available(stream);

    return size <= 1 ||
           (available && (available >= (size_t)size - 1 || wmemchr(mt__wide(stream)->read_ptr, L'\n', available)));
}

#define FGETWS(name)                                                                     \
    MT__PATCHED wchar_t *name(wchar_t *restrict buffer, int size, FILE *restrict stream) \
    {                                                                                    \
        if (!mt__patched(STDIO))                                                         \
            return mt__libc(name)(buffer, size, stream);                                 \
        return (wchar_t *)read_wide(MT__N_##name, stream, has_line(stream, size), 0,     \
                                    (const long[4]){(long)buffer, size, (long)stream});  \
    }
FGETWS(fgetws)
FGETWS(fgetws_unlocked)

wchar_t *__fgetws_chk(wchar_t *restrict buffer, size_t room, int size, FILE *restrict stream);
wchar_t *__fgetws_unlocked_chk(wchar_t *restrict buffer, size_t room, int size, FILE *restrict stream);
#define FGETWS_CHK(name)                                                                              \
    MT__PATCHED wchar_t *name(wchar_t *restrict buffer, size_t room, int size, FILE *restrict stream) \
    {                                                                                                 \
        if (!mt__patched(STDIO))                                                                      \
            return mt__libc(name)(buffer, room, size, stream);                                        \
        return (wchar_t *)read_wide(MT__N_##name, stream, has_line(stream, size), 0,                  \
                                    (const long[4]){(long)buffer, (long)room, size, (long)stream});   \
    }
FGETWS_CHK(__fgetws_chk)
FGETWS_CHK(__fgetws_unlocked_chk)

/* -- Writing ------------------------------------------------------------------------------------------------------ */

static long write_wide(enum mt__name_number number, FILE *stream, size_t count, long failed, const long arguments[4])
{
    struct mt__patch_call call = mt__patch_begin();

    return call_stream(call, mt__stream_output_wide(stream, count, number), number, failed, arguments);
}

#undef putwc
#undef putwc_unlocked
#undef fputwc_unlocked
#define PUT(name)                                                                                           \
    MT__PATCHED wint_t name(wchar_t character, FILE *stream)                                                \
    {                                                                                                       \
        if (!mt__patched(STDIO))                                                                            \
            return mt__libc(name)(character, stream);                                                       \
        return (wint_t)write_wide(MT__N_##name, stream, 1, WEOF, (const long[4]){character, (long)stream}); \
    }
PUT(fputwc)
PUT(putwc)
PUT(fputwc_unlocked)
PUT(putwc_unlocked)

wint_t __woverflow(FILE *stream, wint_t character);
MT__PATCHED wint_t __woverflow(FILE *stream, wint_t character)
{
    if (!mt__patched(STDIO))
        return mt__libc(__woverflow)(stream, character);
    return (wint_t)write_wide(MT__N___woverflow, stream, 1, WEOF, (const long[4]){(long)stream, (long)character});
}

#undef putwchar
#undef putwchar_unlocked
MT__PATCHED wint_t putwchar(wchar_t character)
{
    return mt__patched(STDIO) ? putwc(character, stdout) : mt__libc(putwchar)(character);
}

MT__PATCHED wint_t putwchar_unlocked(wchar_t character)
{
    return mt__patched(STDIO) ? putwc_unlocked(character, stdout) : mt__libc(putwchar_unlocked)(character);
}

#define FPUTWS(name)                                                                                                \
    MT__PATCHED int name(const wchar_t *restrict text, FILE *restrict stream)                                       \
    {                                                                                                               \
        if (!mt__patched(STDIO))                                                                                    \
            return mt__libc(name)(text, stream);                                                                    \
        return (int)write_wide(MT__N_##name, stream, wcslen(text), EOF, (const long[4]){(long)text, (long)stream}); \
    }
FPUTWS(fputws)
FPUTWS(fputws_unlocked)
