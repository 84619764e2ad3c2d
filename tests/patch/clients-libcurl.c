/* SPDX-License-Identifier: MIT
 *
 * HTTP by libcurl. The server is a process of our own, of the library's own calls: it answers "/all" when all have
 * asked for it, and "/nap" after a while.
 */
#include "clients.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char url[64];
static pid_t server;

/* -- The server --------------------------------------------------------------------------------------------------- */

static struct mt_event gate = MT_EVENT_INIT;
static int asked;

static int serve(void *arg)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    int fd = (int)(intptr_t)arg, error;
    char request[2048] = "";

    if (mt_recv(fd, request, sizeof request - 1, 0, MT_FOREVER) <= 0)
        return mt_close(fd);
    if (!strncmp(request, "GET /all ", 9)) {
        if (++asked == clients_count)
            mt_event_set(&gate);
        error = mt_event_wait(&gate, MT_FOREVER);
    } else {
        error = mt_sleep((int64_t)(NAP * 1e9));
    }
    if (error || mt_send(fd, answer, sizeof answer - 1, 0, MT_FOREVER) < 0)
        return -EIO;
    return mt_close(fd);
}

static int serve_all(int listener)
{
    for (;;) {
        int fd = mt_accept(listener, NULL, NULL, 0, MT_FOREVER);
        struct mt_task *task = fd < 0 ? NULL : mt_coro_spawn(serve, (void *)(intptr_t)fd, NULL);
        if (!task)
            return -errno;
        mt_task_release(task);
    }
}

int clients_begin(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 512) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        return client_fail("no server");
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    server = fork();
    if (!server) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(serve_all(listener) != 0);
    }
    close(listener);
    return curl_global_init(CURL_GLOBAL_ALL) ? client_fail("curl_global_init") : 0;
}

void clients_end(void)
{
    kill(server, SIGKILL);
}

/* -- Its clients -------------------------------------------------------------------------------------------------- */

static size_t take(char *bytes, size_t size, size_t items, void *sum)
{
    *(size_t *)sum += size * items;
    return size * items;
}

void *client_open(int number)
{
    CURL *curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    return curl;
}

void client_close(void *client)
{
    curl_easy_cleanup(client);
}

static int get(CURL *curl, const char *path)
{
    char whole[80];
    size_t sum = 0;
    CURLcode code;

    snprintf(whole, sizeof whole, "%s%s", url, path);
    curl_easy_setopt(curl, CURLOPT_URL, whole);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sum);
    code = curl_easy_perform(curl);
    return code == CURLE_OK && sum == 5 ? 0 : client_fail(curl_easy_strerror(code));
}

int client_query(void *client, int number)
{
    return get(client, "/all");
}

static int nap(void *client)
{
    return get(client, "/nap");
}

int (*const client_lets_go)(void) = NULL;
int (*const client_naps)(void *client) = nap;
