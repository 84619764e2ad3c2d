/* SPDX-License-Identifier: MIT
 *
 * Two unrelated programs and a queue. Run "examples/queue serve" in one terminal and "examples/queue" in another, as
 * often as you like, also several at once; "examples/queue stop" ends it. Kill any of them with -9 at any time: the
 * others go on.
 *
 * The server makes a queue and hands its descriptor to whoever connects to a Unix socket; after that the two talk
 * through memory, without a system call while both are busy. The server reads the messages in place: if it is killed in
 * the middle of one and you had started two, the other gets it.
 *
 * Without an argument, and with nobody serving, it serves and uses by itself, to show the output.
 */
#include <linuxmt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0linuxmt-example-queue"};
enum { ADDRESS_SIZE = sizeof(sa_family_t) + sizeof "\0linuxmt-example-queue" - 1 };

/* A descriptor travels beside at least one byte. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

static int send_descriptor(int socket, int fd)
{
    union control control = {.header = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec byte = {"", 1};
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int receive_descriptor(int socket)
{
    union control control;
    char buffer;
    struct iovec byte = {&buffer, 1};
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int fd;

    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || message.msg_controllen < CMSG_LEN(sizeof fd) ||
        control.header.cmsg_type != SCM_RIGHTS)
        return -EPROTO;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

/* -- The server ---------------------------------------------------------------------------------------------------- */

static int print_messages(void *arg)
{
    struct mt_queue *queue = arg;
    struct mt_queue_view view;
    int err;

    while ((err = mt_queue_get_view(queue, &view, MT_FOREVER)) == 0) {
        printf("served: %.*s\n", (int)view.size, (const char *)view.data);
        fflush(stdout);
        mt_queue_give_back(queue, &view, 0);
    }
    return err == -EPIPE ? 0 : mt_fail(err, "the queue failed: %s", strerror(-err));
}

static int hand_out(void *arg)
{
    struct mt_queue *queue = arg;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

    if (bind(listener, (const struct sockaddr *)&address, ADDRESS_SIZE) || listen(listener, 16))
        return mt_fail(-errno, "somebody serves already");
    while (!mt_queue_is_closed(queue) && (peer = accept(listener, NULL, NULL)) >= 0) {
        send_descriptor(peer, mt_queue_fd(queue));
        close(peer);
    }
    return 0;
}

static int serve(void)
{
    struct mt_queue_options options = {.name = "example", .capacity = 64, .message_max = 200};
    struct mt_queue *queue = mt_queue_new(&options);
    struct mt_task *door = queue ? mt_thread_spawn(hand_out, queue, &(struct mt_thread_options){.daemon = 1}) : NULL;
    int err;

    if (!door) {
        perror("queue: serve");
        return 1;
    }
    mt_task_detach(door); /* it ends with the process */
    err = print_messages(queue);
    printf("served: the queue was closed\n");
    return err != 0;
}

/* -- The user -------------------------------------------------------------------------------------------------------
 */

static struct mt_queue *find_queue(void)
{
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = -1;
    struct mt_queue *queue;

    if (connect(peer, (const struct sockaddr *)&address, ADDRESS_SIZE) == 0)
        fd = receive_descriptor(peer);
    close(peer);
    queue = fd >= 0 ? mt_queue_attach(fd) : NULL;
    if (fd >= 0)
        close(fd);
    return queue;
}

static int use(struct mt_queue *queue, int stop)
{
    char text[100];
    int err = 0;

    for (int i = 1; i <= 3 && !err && !stop; i++) {
        int length = snprintf(text, sizeof text, "message %d from process %d", i, (int)getpid());
        err = mt_queue_put(queue, text, (size_t)length, mt_after(MT_SEC(5)));
    }
    if (stop)
        err = mt_queue_close(queue);
    if (err)
        fprintf(stderr, "queue: %s\n", strerror(-err));
    mt_queue_free(queue);
    return err != 0;
}

/* Nobody serves: a server for this once. */
static int show(void)
{
    struct mt_queue *queue = NULL;
    int status = 1;
    pid_t server = fork();

    if (server == 0) {
        status = serve();
        fflush(stdout);
        _exit(status);
    }
    for (int i = 0; i < 500 && !queue && server > 0; i++) {
        mt_sleep(MT_MS(10));
        queue = find_queue();
    }
    if (!queue || use(queue, 0) || use(find_queue(), 1) || waitpid(server, &status, 0) != server)
        return 1;
    return status != 0;
}

int main(int argc, char **argv)
{
    struct mt_queue *queue;

    if (argc > 1 && !strcmp(argv[1], "serve"))
        return serve();
    queue = find_queue();
    if (queue)
        return use(queue, argc > 1 && !strcmp(argv[1], "stop"));
    return show();
}
