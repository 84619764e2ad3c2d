/* SPDX-License-Identifier: MIT
 *
 * Iterators: the longest lines of a file (this program's name by default: give another), with their numbers; nothing is
 * read before it is asked for, and nothing behind what is needed.
 */
#include <linuxmt.h>
#include <stdio.h>
#include <string.h>

static int is_long(void *arg, const void *item)
{
    return ((const struct mt_line *)item)->length >= *(const size_t *)arg;
}

static int length_of(void *arg, const void *item, void *result)
{
    *(size_t *)result = ((const struct mt_line *)item)->length;
    return 0;
}

static int print_long_lines(const char *path)
{
    size_t least = 60;
    int err;

    mt_foreach (struct mt_numbered, line,
                mt_iter_slice(mt_iter_enumerate(mt_iter_filter(mt_iter_lines(path), is_long, &least), 1), 0, 5, 1),
                &err)
        printf("long line %zu: %.40s...\n", line.number, ((const struct mt_line *)line.item)->text);
    return err;
}

static int add_up(const char *path)
{
    size_t all = 0;
    int err;

    mt_foreach (size_t, length, mt_iter_map(mt_iter_lines(path), length_of, NULL, sizeof(size_t)), &err)
        all += length;
    printf("%zu bytes in lines\n", all);
    return err;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "/proc/self/maps";
    int err = print_long_lines(path);

    if (!err)
        err = add_up(path);
    if (err)
        fprintf(stderr, "iter: %s: %s\n", path, strerror(-err));
    return err != 0;
}
