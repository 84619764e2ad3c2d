/* SPDX-License-Identifier: MIT
 *
 * Runs the parts that pthreads.h tells of: the one that the argument names, or all.
 */
#include "pthreads.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*part)(void);
    } parts[] = {{"mutexes", mutexes},       {"conditions", conditions}, {"rwlocks", rwlocks},
                 {"others", others},         {"futexes", futexes},       {"keyed", keyed},
                 {"threads", threads},       {"processes", processes},   {"variables", variables},
                 {"polls", polls},           {"signals", signals},       {"sent", sent},
                 {"interrupts", interrupts}, {"crowds", crowds},         {"pipes", pipes},
                 {"masks", masks},           {"strays", strays},         {"left", left},
                 {"departs", departs},       {"leave_main", leave_main}};

    alarm(60);
    setvbuf(stdout, NULL, _IOLBF, 0); /* so that a crash is seen where it happens */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (argc < 2 || !strcmp(argv[1], parts[i].name))
            parts[i].part();
    return 0;
}
