/* SPDX-License-Identifier: MIT
 *
 * Messages to standard error. libc's own function writes each, once stderr has room for it; a longer one is written off
 * the hub. Those that end the process end it here, and not in the thread that wrote.
 */
#include "patch/stream.h"

#include <err.h>
#include <error.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define OTHERS 256 /* what libc adds to a text: an error's name, a line's number */

struct message {
    void (*write)(const struct message *message);
    int error; /* the caller's errno */
    int herror;
    int code; /* a signal's number, or an error's */
    const void *about;
    unsigned line;
    const char *text;
    va_list *list;
};

static void run(void *arg)
{
    const struct message *message = arg;

    errno = message->error;
    h_errno = message->herror;
    message->write(message);
}

static size_t length(const char *text)
{
    return text ? strlen(text) : 0;
}

static void say(enum mt__name_number number, size_t size, struct message *message)
{
    struct mt__patch_call call = mt__patch_begin();
    int way;

    message->error = call.error;
    message->herror = h_errno;
    way = mt__stream_output(stderr, size + length(program_invocation_name) + OTHERS, 0, number);
    if (way == MT__OFF)
        mt__patch_off(run, message, number);
    else if (way == MT__DIRECT)
        run(message);
    mt__patch_end(call, way < 0 ? way : 0);
}

static size_t measure(const char *format, va_list list)
{
    va_list copy;
    int size;

    if (!format)
        return 0;
    va_copy(copy, list);
    size = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    return size < 0 ? 0 : (size_t)size;
}

/* -- Of one line -------------------------------------------------------------------------------------------------- */

static void write_perror(const struct message *message)
{
    mt__libc(perror)(message->text);
}

MT__PATCHED void perror(const char *text)
{
    struct message message = {.write = write_perror, .text = text};

    if (mt__patched(STDIO))
        say(MT__N_perror, length(text), &message);
    else
        mt__libc(perror)(text);
}

static void write_herror(const struct message *message)
{
    mt__libc(herror)(message->text);
}

MT__PATCHED void herror(const char *text)
{
    struct message message = {.write = write_herror, .text = text};

    if (mt__patched(STDIO))
        say(MT__N_herror, length(text), &message);
    else
        mt__libc(herror)(text);
}

static void write_psignal(const struct message *message)
{
    mt__libc(psignal)(message->code, message->text);
}

MT__PATCHED void psignal(int signal, const char *text)
{
    struct message message = {.write = write_psignal, .code = signal, .text = text};

    if (mt__patched(STDIO))
        say(MT__N_psignal, length(text), &message);
    else
        mt__libc(psignal)(signal, text);
}

static void write_psiginfo(const struct message *message)
{
    mt__libc(psiginfo)(message->about, message->text);
}

MT__PATCHED void psiginfo(const siginfo_t *info, const char *text)
{
    struct message message = {.write = write_psiginfo, .about = info, .text = text};

    if (mt__patched(STDIO))
        say(MT__N_psiginfo, length(text), &message);
    else
        mt__libc(psiginfo)(info, text);
}

/* -- err.h -------------------------------------------------------------------------------------------------------- */

static void write_warning(const struct message *message)
{
    mt__libc(vwarn)(message->text, *message->list);
}

static void write_warning_x(const struct message *message)
{
    mt__libc(vwarnx)(message->text, *message->list);
}

static void warn_patched(enum mt__name_number number, void (*write)(const struct message *message), const char *format,
                         va_list list)
{
    struct message message = {.write = write, .text = format};
    va_list copy;

    va_copy(copy, list);
    message.list = &copy;
    say(number, measure(format, list), &message);
    va_end(copy);
}

MT__PATCHED void vwarn(const char *format, va_list list)
{
    if (mt__patched(STDIO))
        warn_patched(MT__N_vwarn, write_warning, format, list);
    else
        mt__libc(vwarn)(format, list);
}

MT__PATCHED void vwarnx(const char *format, va_list list)
{
    if (mt__patched(STDIO))
        warn_patched(MT__N_vwarnx, write_warning_x, format, list);
    else
        mt__libc(vwarnx)(format, list);
}

MT__PATCHED void verr(int status, const char *format, va_list list)
{
    vwarn(format, list);
    exit(status);
}

MT__PATCHED void verrx(int status, const char *format, va_list list)
{
    vwarnx(format, list);
    exit(status);
}

MT__PATCHED void warn(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vwarn(format, list);
    va_end(list);
}

MT__PATCHED void warnx(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vwarnx(format, list);
    va_end(list);
}

MT__PATCHED void err(int status, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    verr(status, format, list);
}

MT__PATCHED void errx(int status, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    verrx(status, format, list);
}

/* -- error.h ------------------------------------------------------------------------------------------------------ */

static void write_error(const struct message *message)
{
    mt__libc(error)(0, message->code, "%s", message->text);
}

static void write_error_at_line(const struct message *message)
{
    mt__libc(error_at_line)(0, message->code, message->about, message->line, "%s", message->text);
}

/* They have no form with a list, and libc's get what it comes to. Standard output is flushed first. */
static void error_of(enum mt__name_number number, struct message *message, const char *format, va_list list)
{
    int error = errno, is_made;
    char *text;

    is_made = vasprintf(&text, format, list) >= 0;
    message->text = is_made ? text : format;
    errno = error;
    if (mt__patched(STDIO)) {
        fflush(stdout);
        errno = error;
        say(number, length(message->text) + length(message->about), message);
    } else {
        message->write(message);
    }
    if (is_made)
        free(text);
}

MT__PATCHED void error(int status, int number, const char *format, ...)
{
    struct message message = {.write = write_error, .code = number};
    va_list list;

    va_start(list, format);
    error_of(MT__N_error, &message, format, list);
    va_end(list);
    if (status)
        exit(status);
}

MT__PATCHED void error_at_line(int status, int number, const char *file, unsigned line, const char *format, ...)
{
    struct message message = {.write = write_error_at_line, .code = number, .about = file, .line = line};
    va_list list;

    va_start(list, format);
    error_of(MT__N_error_at_line, &message, format, list);
    va_end(list);
    if (status)
        exit(status);
}
