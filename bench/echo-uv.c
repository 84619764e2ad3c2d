/* SPDX-License-Identifier: MIT
 *
 * The echo server by libuv, on the listening socket that is descriptor 3. Answers are tried at once, and queued only if
 * the socket does not take them.
 */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct answer {
    uv_write_t request;
    char bytes[1024];
};

static char buffer[1024]; /* what has been read is gone before the next read */

static void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *to)
{
    *to = uv_buf_init(buffer, sizeof buffer);
}

static void ended(uv_handle_t *handle)
{
    free(handle);
}

static void written(uv_write_t *request, int status)
{
    free(request);
}

static void has_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *from)
{
    uv_buf_t bytes = uv_buf_init(from->base, count > 0 ? (unsigned)count : 0);
    struct answer *answer;
    int sent;

    if (count < 0) {
        uv_close((uv_handle_t *)stream, ended);
        return;
    }
    sent = count ? uv_try_write(stream, &bytes, 1) : 0;
    if (sent == count)
        return;
    if (sent < 0)
        sent = 0;
    answer = malloc(sizeof *answer);
    if (!answer)
        return;
    memcpy(answer->bytes, from->base + sent, (size_t)(count - sent));
    bytes = uv_buf_init(answer->bytes, (unsigned)(count - sent));
    uv_write(&answer->request, stream, &bytes, 1, written);
}

static void take(uv_stream_t *listener, int status)
{
    uv_tcp_t *client = status ? NULL : malloc(sizeof *client);

    if (!client)
        return;
    uv_tcp_init(listener->loop, client);
    if (uv_accept(listener, (uv_stream_t *)client) || uv_read_start((uv_stream_t *)client, give_buffer, has_read))
        uv_close((uv_handle_t *)client, ended);
}

int main(void)
{
    uv_tcp_t listener;

    uv_tcp_init(uv_default_loop(), &listener);
    if (uv_tcp_open(&listener, 3) || uv_listen((uv_stream_t *)&listener, 4096, take))
        return 1;
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
