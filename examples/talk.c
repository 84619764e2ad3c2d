/* SPDX-License-Identifier: MIT
 *
 * Two unrelated programs over a socket. One terminal: examples/talk serve tcp:127.0.0.1:7000 KEY
 * Another: examples/talk ask tcp:127.0.0.1:7000 KEY some words. Without arguments it plays both, as two processes.
 */
#include <ctype.h>
#include <errno.h>
#include <linuxmt.h>
#include <stdio.h>
#include <string.h>

static int serve_one(struct mt_conn *conn)
{
    char text[256];
    ssize_t size;

    while ((size = mt_conn_receive(conn, text, sizeof text, mt_after(MT_SEC(10)))) >= 0) {
        int err;
        for (ssize_t i = 0; i < size; i++)
            text[i] = (char)toupper((unsigned char)text[i]);
        err = mt_conn_send(conn, text, (size_t)size, mt_after(MT_SEC(10)));
        if (err)
            return err;
    }
    return size == -EPIPE ? 0 : (int)size; /* the other side is done */
}

static int serve(struct mt_listener *listener, int visitors)
{
    for (; visitors; visitors--) {
        struct mt_conn *conn = mt_listener_accept(listener, MT_FOREVER);
        if (!conn) {
            perror("one was sent away");
            continue;
        }
        serve_one(conn);
        mt_conn_close(conn);
    }
    return 0;
}

static int ask(const char *address, const char *key, const char *words)
{
    struct mt_conn *conn = mt_conn_connect(address, key, strlen(key), mt_after(MT_SEC(5)));
    char text[256];
    ssize_t size;

    if (!conn)
        return mt_fail(-errno, "cannot connect to %s: %s", address, strerror(errno));
    size = mt_conn_send(conn, words, strlen(words), mt_after(MT_SEC(5)));
    if (!size)
        size = mt_conn_receive(conn, text, sizeof text, mt_after(MT_SEC(5)));
    mt_conn_close(conn);
    if (size < 0)
        return (int)size;
    printf("asked \"%s\", was answered \"%.*s\"\n", words, (int)size, text);
    return 0;
}

static int ask_twice(void *arg)
{
    if (ask(arg, "wrong", "let me in") == 0)
        return -1;
    printf("with the wrong key: sent away\n");
    return ask(arg, "secret", "hello over there");
}

static int play_both(void)
{
    struct mt_listener *listener = mt_listen("tcp:127.0.0.1:0", "secret", 6);
    struct mt_task *client;
    const char *address;
    int outcome;

    if (!listener) {
        perror("mt_listen");
        return errno == ENOTSUP ? 0 : 1; /* keys need libcrypto */
    }
    address = mt_listener_address(listener);
    client = mt_process_spawn(ask_twice, address, strlen(address) + 1, &(struct mt_process_options){.name = "client"});
    if (!client || serve(listener, 2) || mt_task_join(client, mt_after(MT_SEC(10))) < 0)
        return 1;
    outcome = mt_task_outcome(client);
    mt_task_release(client);
    mt_listener_close(listener);
    return outcome != 0;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return play_both();
    if (argc == 4 && !strcmp(argv[1], "serve")) {
        struct mt_listener *listener = mt_listen(argv[2], argv[3], strlen(argv[3]));
        if (listener)
            return serve(listener, -1);
        perror(argv[2]);
    } else if (argc == 5 && !strcmp(argv[1], "ask")) {
        return ask(argv[2], argv[3], argv[4]) != 0;
    } else {
        fprintf(stderr, "usage: %s [serve ADDRESS KEY | ask ADDRESS KEY WORDS]\n", argv[0]);
    }
    return 2;
}
