/* SPDX-License-Identifier: MIT
 *
 * The report's file: NAME and six letters of its own until it is whole, so that several that write to one name do not
 * meet in one file, and no file of the user's is taken for it. ENOSPC may come as late as close, so every step is
 * checked. Devices and pipes are written to as they are: a file must never take the place of one. Behind a symbolic
 * link it is the file that is replaced.
 */
#include "output.h"
#include "cmd.h"
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say_why(const char *path, int error)
{
    if (error == ENOSPC || error == EDQUOT)
        complain("no space left for %s: the report was not kept (free some space, or name another disk with -o)", path);
    else if (error == EFBIG)
        complain("the limit on file sizes is too low for %s: the report was not kept (ulimit -f unlimited)", path);
    else
        complain("cannot write %s: %s", path, strerror(error));
}

/* A new file with the rights that fopen would give it. */
static FILE *open_temporary(char *name)
{
    int fd = mkostemp(name, O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file) {
        mode_t mask = umask(0);
        umask(mask);
        fchmod(fd, 0666 & ~mask);
    } else if (fd >= 0) {
        close(fd);
        unlink(name);
    }
    return file;
}

static bool open_file(struct output *output, const char *path)
{
    struct stat there;
    bool exists = !stat(path, &there), special = exists && !S_ISREG(there.st_mode);
    output->path = exists ? realpath(path, NULL) : strdup(path);
    if (!output->path || (!special && asprintf(&output->temporary, "%s.XXXXXX", output->path) < 0)) {
        complain("out of memory");
        return false;
    }
    output->file = special ? fopen(path, "we") : open_temporary(output->temporary);
    if (!output->file) {
        say_why(path, errno);
        return false;
    }
    if (exists && !special)
        fchmod(fileno(output->file), there.st_mode & 07777);
    return true;
}

bool output_open(struct output *output, const char *path, FILE *stream)
{
    *output = (struct output){.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8")};
    if (path && strcmp(path, "-")) {
        if (open_file(output, path))
            return true;
        output_discard(output);
        return false;
    }
    output->file = path ? stdout : stream;
    int flags = fcntl(fileno(output->file), F_GETFL);
    if (flags < 0 || flags & O_PATH) { /* see hold_closed_streams */
        complain("%s is closed: the report has nowhere to go (name a file with -o)",
                 output->file == stderr ? "standard error" : "standard output");
        *output = (struct output){0};
        return false;
    }
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    output->color = isatty(fileno(output->file)) && term && strcmp(term, "dumb") && !(no_color && *no_color);
    return true;
}

void output_discard(struct output *output)
{
    if (output->path && output->file) {
        fclose(output->file);
        if (output->temporary)
            unlink(output->temporary);
    }
    free(output->path);
    free(output->temporary);
    *output = (struct output){0};
}

static bool close_file(struct output *output)
{
    bool failed = ferror(output->file) || fflush(output->file) || (output->temporary && fsync(fileno(output->file)));
    int error = failed ? errno : 0;
    if (fclose(output->file) && !error)
        error = errno;
    output->file = NULL;
    if (!error && output->temporary && rename(output->temporary, output->path))
        error = errno;
    if (!error)
        return true;
    if (output->temporary)
        unlink(output->temporary);
    say_why(output->path, error);
    return false;
}

bool output_close(struct output *output)
{
    bool good;
    if (output->path) {
        good = close_file(output);
    } else {
        good = !fflush(output->file) && !ferror(output->file);
        if (!good && output->file != stderr)
            say_why("standard output", errno);
    }
    free(output->path);
    free(output->temporary);
    *output = (struct output){0};
    return good;
}
