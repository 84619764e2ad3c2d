/* SPDX-License-Identifier: MIT
 *
 * mtrace doctor: what works here, and the command that would mend what does not.
 */
#include "config.h"
#include "cmd.h"
#include "doctor.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define STATUS_LACKS 1

static const char *const words[] = {"ok", "less", "no"};

static bool lacks(const struct checks *checks)
{
    for (size_t i = 0; i < checks->count; i++)
        if (checks->list[i].verdict == VERDICT_NO)
            return true;
    return false;
}

static void print_text(const struct checks *checks, FILE *out)
{
    size_t less = 0;
    for (size_t i = 0; i < checks->count; i++)
        less += checks->list[i].verdict == VERDICT_LESS;
    fprintf(out, "%s\n\n",
            lacks(checks) ? "mtrace cannot record here; what says \"no\" must be mended first."
            : less        ? "mtrace works here, with less where it says \"less\"."
                          : "mtrace works here.");
    for (size_t i = 0; i < checks->count; i++) {
        const struct check *check = &checks->list[i];
        fprintf(out, "  %-5s %-20s %s\n", words[check->verdict], check->title, check->detail);
        if (check->mend[0])
            fprintf(out, "  %-5s %-20s     %s\n", "", "", check->mend);
    }
}

static int print_json(const struct checks *checks, FILE *out)
{
    json_t *list = json_array();
    for (size_t i = 0; i < checks->count; i++) {
        const struct check *check = &checks->list[i];
        json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "check", check->key, "title", check->title, "verdict",
                                   words[check->verdict], "detail", check->detail);
        if (check->mend[0])
            json_object_set_new(object, "mend", json_string(check->mend));
        json_array_append_new(list, object);
    }
    json_t *root = json_pack("{s:s, s:i, s:s, s:b, s:o}", "report", "doctor", "version", 1, "mtrace", PACKAGE_VERSION,
                             "works", !lacks(checks), "checks", list);
    int failed = !root || json_dumpf(root, out, JSON_INDENT(2)) || fputc('\n', out) == EOF;
    json_decref(root);
    return failed;
}

static int run(bool json)
{
    struct checks checks = {0};
    check_system(&checks);
    check_hooks(&checks);
    errno = 0;
    int failed = 0;
    if (json)
        failed = print_json(&checks, stdout);
    else
        print_text(&checks, stdout);
    if (failed || fflush(stdout) || ferror(stdout)) {
        complain("the report could not be written: %s", errno ? strerror(errno) : "not enough memory");
        return CMD_FAILED;
    }
    return lacks(&checks) ? STATUS_LACKS : 0;
}

static int exec_doctor(const struct cmd *cmd, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    bool json = false;
    int option;
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, "+jhV", options, NULL)) != -1) {
        switch (option) {
        case 'j':
            json = true;
            break;
        case 'h':
            return cmd_help(cmd);
        case 'V':
            return cmd_version();
        default:
            return cmd_misused(cmd, "there is no option '%s'", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return cmd_misused(cmd, "'%s' is too much: doctor takes no arguments", argv[optind]);
    return run(json);
}

const struct cmd cmd_doctor = {
    .name = "doctor",
    .args = "[--json]",
    .summary = "Say what works on this machine, and the command that would mend what does not",
    .usage = "      --json      for programs, see mtrace-doctor(1)\n"
             "  -h, --help      print this\n"
             "  -V, --version   print the version\n"
             "\n"
             "Exit status: 0 mtrace can record here, 1 something that it needs is missing, 125 mtrace itself failed.\n",
    .exec = exec_doctor,
};
