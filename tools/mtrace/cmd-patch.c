/* SPDX-License-Identifier: MIT
 *
 * Runs a command with liblinuxmt-patch preloaded and turned on. Nothing is traced: it is a shorthand for two
 * environment variables, which knows where the library is.
 */
#include "config.h"
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "liblinuxmt-patch.so.0"

/* Beside an mtrace that is run from the folder that it was built in; where it is installed; where ld.so looks. */
static const char *find_library(char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    if (length > 0) {
        self[length] = '\0';
        if (snprintf(path, size, "%s/.libs/%s", dirname(self), LIBRARY) < (int)size && !access(path, R_OK))
            return path;
    }
    if (snprintf(path, size, "%s/%s", MT_LIBDIR, LIBRARY) < (int)size && !access(path, R_OK))
        return path;
    return LIBRARY;
}

/* Before whatever else is preloaded. */
static int preload(const char *library)
{
    const char *others = getenv("LD_PRELOAD");
    char *list = NULL;
    int result;

    if (!others || !*others)
        return setenv("LD_PRELOAD", library, 1);
    if (asprintf(&list, "%s:%s", library, others) < 0)
        return -1;
    result = setenv("LD_PRELOAD", list, 1);
    free(list);
    return result;
}

static int run_command(char **argv)
{
    execvp(argv[0], argv);
    complain("cannot run %s: %s", argv[0], strerror(errno));
    return errno == ENOENT ? CMD_NOT_FOUND : CMD_CANNOT_EXEC;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
    static const struct option options[] = {{"classes", required_argument, NULL, 'c'},
                                            {"report", no_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {NULL, 0, NULL, 0}};
    const char *classes = "all";
    char path[PATH_MAX];
    int option, report = 0;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "+c:rhV", options, NULL)) != -1)
        switch (option) {
        case 'c':
            classes = optarg;
            break;
        case 'r':
            report = 1;
            break;
        case 'h':
            return cmd_help(cmd);
        case 'V':
            return cmd_version();
        default:
            return cmd_misused(cmd, "'%s' is no option of it, or lacks its argument", argv[optind - 1]);
        }
    if (optind == argc)
        return cmd_misused(cmd, "which command?");
    if (preload(find_library(path, sizeof path)) || setenv("LINUXMT_PATCH", classes, 1) ||
        (report && setenv("LINUXMT_PATCH_REPORT", "1", 1))) {
        complain("cannot set the environment: %s", strerror(errno));
        return CMD_FAILED;
    }
    return run_command(argv + optind);
}

const struct cmd cmd_patch = {
    .name = "patch",
    .args = "[-c CLASSES] [-r] [--] COMMAND [ARGUMENT...]",
    .summary = "Run a command whose blocking calls let the other coroutines of their thread run",
    .usage = "  -c, --classes CLASSES  which calls, separated by commas (default: all): sleep, socket, dns, select,\n"
             "                         file, stdio, process, signal, thread, lock; -CLASS takes one out\n"
             "  -r, --report           at the end says which calls have blocked a hub, and how often\n"
             "  -h, --help             prints this\n"
             "  -V, --version          prints the version\n",
    .exec = run,
};
