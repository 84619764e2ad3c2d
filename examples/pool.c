/* SPDX-License-Identifier: MIT
 *
 * A pool: counts the words of the files that are named, or of the system's licences, a file a task, by as many workers
 * as there are processors. Names are taken from the list only while a worker could soon want them, and results come as
 * they end; a file that cannot be read is a failure with a message, and stops nobody.
 *
 *     examples/pool README.md NEWS
 *     mtrace -- examples/pool
 */
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <linuxmt.h>
#include <stdio.h>
#include <string.h>

struct count {
    long words, bytes;
};

/* In a worker: the argument is the pool's copy of a path. */
static int count_words(void *arg)
{
    struct count count = {0, 0};
    const char *path = arg;
    FILE *file = fopen(path, "r");
    int inside = 0, byte;

    if (!file)
        return mt_fail(-errno, "%s", path);
    while ((byte = getc(file)) != EOF) {
        count.words += !inside && !isspace(byte);
        inside = !isspace(byte);
        count.bytes++;
    }
    if (ferror(file)) {
        fclose(file);
        return mt_fail(-EIO, "%s", path);
    }
    fclose(file);
    return mt_pool_reply(&count, sizeof count);
}

struct names {
    char **names;
    size_t count, next;
};

typedef char path[512];

static int next_name(void *arg, void *item)
{
    struct names *names = arg;

    if (names->next == names->count)
        return 0;
    snprintf(item, sizeof(path), "%s", names->names[names->next++]);
    return 1;
}

static int count_all(struct mt_pool *pool, struct names *names)
{
    struct mt_source source = {.item_size = sizeof(path), .next = next_name, .arg = names};
    struct mt_imap *imap = mt_pool_imap_unordered(pool, count_words, &source, NULL);
    struct count total = {0, 0};
    struct mt_item item;
    int err, failed = 0;

    if (!imap)
        return -errno;
    while ((err = mt_imap_next(imap, &item, MT_FOREVER)) == 1) {
        const struct count *count = item.value;
        if (item.outcome.code) {
            fprintf(stderr, "pool: %s: %s\n", item.outcome.message, strerror(-item.outcome.code));
            failed++;
            continue;
        }
        printf("%8ld words in %s, by thread %d\n", count->words, names->names[item.index], item.outcome.tid);
        total.words += count->words;
        total.bytes += count->bytes;
    }
    mt_imap_free(imap);
    printf("%8ld words and %ld bytes in %zu files, %d of which could not be read\n", total.words, total.bytes,
           names->count, failed);
    return err ? err : failed;
}

int main(int argc, char **argv)
{
    struct mt_pool_options options = {.name = "counters"};
    struct names names = {argv + 1, (size_t)(argc - 1), 0};
    glob_t found = {0};
    struct mt_pool *pool;
    int err;

    if (argc < 2) {
        if (glob("/usr/share/common-licenses/*", 0, NULL, &found) && glob("/etc/*.conf", 0, NULL, &found)) {
            fprintf(stderr, "usage: pool FILE...\n");
            return 2;
        }
        names = (struct names){found.gl_pathv, found.gl_pathc, 0};
    }
    pool = mt_pool_open(&options);
    if (!pool) {
        perror("pool: cannot open a pool");
        return 1;
    }
    err = count_all(pool, &names);
    mt_pool_free(pool);
    globfree(&found);
    return err != 0;
}
