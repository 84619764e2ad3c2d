/* SPDX-License-Identifier: MIT
 *
 * Programs that share what a manager has. One terminal: examples/manager serve tcp:127.0.0.1:7000 KEY
 * Others, on this host or elsewhere: examples/manager work tcp:127.0.0.1:7000 KEY, as many as you like, and
 * examples/manager ask tcp:127.0.0.1:7000 KEY some words. On the server's host the Unix address that it prints does the
 * same without a key, and there queue, lock and counter are memory, not requests. Kill any worker with -9 at any time:
 * words that it had not got yet are another's.
 *
 * Without arguments it plays all of them: two workers, one of which comes over TCP.
 */
#include <errno.h>
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOON mt_after(MT_SEC(10))

/* What programs that know nothing of each other agree upon: names. */
struct shop {
    struct mt_manager *manager;
    struct mt_managed_queue *words;
    struct mt_managed_dict *lengths;
    struct mt_managed_lock *printing;
    struct mt_managed_counter *done;
};

static int enter(struct shop *shop, const char *address, const char *key)
{
    memset(shop, 0, sizeof *shop);
    shop->manager = mt_manager_connect(address, key, strlen(key), SOON);
    if (shop->manager) {
        shop->words = mt_manager_queue(shop->manager, "words", NULL, 0, SOON);
        shop->lengths = mt_manager_dict(shop->manager, "lengths", 0, SOON);
        shop->printing = mt_manager_lock(shop->manager, "printing", 0, SOON);
        shop->done = mt_manager_counter(shop->manager, "done", 0, SOON);
    }
    if (shop->words && shop->lengths && shop->printing && shop->done)
        return 0;
    return mt_fail(-errno, "%s: %s", address, mt_manager_message());
}

static void leave(struct shop *shop)
{
    mt_managed_queue_free(shop->words);
    mt_managed_dict_free(shop->lengths);
    mt_managed_lock_free(shop->printing);
    mt_managed_counter_free(shop->done);
    mt_manager_close(shop->manager);
}

static int do_one(struct shop *shop, const char *word)
{
    int length = (int)strlen(word);
    int64_t done;
    int result = mt_managed_dict_set(shop->lengths, word, &length, sizeof length, SOON);

    if (!result)
        result = mt_managed_counter_add(shop->done, 1, &done, SOON);
    if (result)
        return result;
    result = mt_managed_lock_acquire(shop->printing, SOON);
    if (result == -EOWNERDEAD) /* somebody was killed while it printed: nothing to mend */
        result = mt_managed_lock_consistent(shop->printing);
    if (result)
        return result;
    printf("%s: word %d is \"%s\"\n", mt_managed_queue_local(shop->words) ? "here" : "over TCP", (int)done, word);
    fflush(stdout);
    return mt_managed_lock_release(shop->printing);
}

/* Until the queue is closed. */
static int work(const char *address, const char *key)
{
    struct shop shop;
    char word[4096];
    ssize_t size;
    int result = enter(&shop, address, key);

    while (!result) {
        size = mt_managed_queue_get(shop.words, word, sizeof word - 1, MT_FOREVER);
        if (size < 0) {
            result = size == -EPIPE ? 0 : (int)size; /* closed, or the server has ended */
            break;
        }
        word[size] = 0;
        result = do_one(&shop, word);
        if (!result)
            result = mt_managed_queue_task_done(shop.words, SOON);
    }
    leave(&shop);
    return result;
}

static int ask(const char *address, const char *key, char **words, int count)
{
    struct shop shop;
    struct mt_managed_item *items = NULL;
    ssize_t known = 0;
    int result = enter(&shop, address, key);

    for (int i = 0; !result && i < count; i++)
        result = mt_managed_queue_put(shop.words, words[i], strlen(words[i]), SOON);
    if (!result)
        result = mt_managed_queue_join(shop.words, SOON); /* until all that was put is done */
    if (!result)
        known = mt_managed_dict_items(shop.lengths, &items, SOON);
    for (ssize_t i = 0; i < known; i++)
        printf("\"%s\" has %d letters\n", items[i].key, *(const int *)items[i].value);
    free(items);
    leave(&shop);
    return result ? result : known < 0 ? (int)known : 0;
}

/* -- The roles, as processes here, or as programs by command line ------------------------------------------------- */

struct role {
    char address[128];
    char key[64];
};

static int work_as_process(void *arg)
{
    struct role *role = arg;

    return work(role->address, role->key);
}

static struct mt_task *start_worker(const char *address, const char *key)
{
    struct role role;

    snprintf(role.address, sizeof role.address, "%s", address);
    snprintf(role.key, sizeof role.key, "%s", key);
    return mt_process_spawn(work_as_process, &role, sizeof role, &(struct mt_process_options){.start = MT_SPAWN});
}

static struct mt_manager *start(const char *tcp, const char *key)
{
    struct mt_manager_options options = {.tcp = tcp, .key = key, .key_size = strlen(key), .start = MT_SPAWN};
    struct mt_manager *manager = mt_manager_start(&options, SOON);

    if (!manager)
        fprintf(stderr, "%s\n", mt_manager_message());
    return manager;
}

static int serve(const char *tcp, const char *key)
{
    struct mt_manager *manager = start(tcp, key);
    int result;

    if (!manager)
        return 1;
    printf("serving at %s, and on this host at %s\n", mt_manager_tcp_address(manager), mt_manager_address(manager));
    fflush(stdout);
    result = mt_task_join(mt_manager_task(manager), MT_FOREVER);
    mt_manager_close(manager);
    return result != 0;
}

static int play_all(void)
{
    char text[] = "how many letters has each of these words", *words[16];
    struct mt_manager *manager = start("tcp:127.0.0.1:0", "secret");
    struct mt_managed_queue *queue;
    struct mt_task *workers[2];
    int count = 0, result;

    if (!manager)
        return errno == ENOTSUP ? 0 : 1; /* keys need libcrypto */
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    workers[0] = start_worker(mt_manager_address(manager), "");
    workers[1] = start_worker(mt_manager_tcp_address(manager), "secret");
    result = ask(mt_manager_tcp_address(manager), "secret", words, count);
    queue = mt_manager_queue(manager, "words", NULL, MT_MANAGER_OPEN, SOON);
    if (queue)
        mt_managed_queue_close(queue, SOON); /* the workers go home */
    if (!workers[0] || !workers[1] || mt_joinall(workers, 2, SOON))
        return 1;
    for (int i = 0; i < 2; i++) {
        result |= mt_task_outcome(workers[i]);
        mt_task_release(workers[i]);
    }
    mt_managed_queue_free(queue);
    mt_manager_close(manager);
    return result != 0;
}

int main(int argc, char **argv)
{
    int result = -EINVAL;

    mt_process_init();
    if (argc == 1)
        return play_all();
    if (argc == 4 && !strcmp(argv[1], "serve"))
        return serve(argv[2], argv[3]);
    if (argc == 4 && !strcmp(argv[1], "work"))
        result = work(argv[2], argv[3]);
    else if (argc > 4 && !strcmp(argv[1], "ask"))
        result = ask(argv[2], argv[3], argv + 4, argc - 4);
    else
        fprintf(stderr, "usage: %s [serve TCP-ADDRESS KEY | work ADDRESS KEY | ask ADDRESS KEY WORD...]\n", argv[0]);
    if (result && result != -EINVAL)
        fprintf(stderr, "%s: %s\n", strerror(-result), mt_manager_message());
    return result != 0;
}
