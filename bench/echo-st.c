/* SPDX-License-Identifier: MIT
 *
 * The echo server by State Threads, on the listening socket that is descriptor 3.
 */
#include <st.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

static void *serve(void *arg)
{
    st_netfd_t fd = arg;
    char buffer[1024];
    ssize_t count;

    while ((count = st_read(fd, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(fd, buffer, (size_t)count, ST_UTIME_NO_TIMEOUT) != count)
            break;
    st_netfd_close(fd);
    return NULL;
}

int main(void)
{
    st_netfd_t listener, fd;

    if (st_set_eventsys(ST_EVENTSYS_ALT) || st_init() || !(listener = st_netfd_open_socket(3)))
        return 1;
    while ((fd = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT)))
        if (!st_thread_create(serve, fd, 0, 0))
            return 1;
    return 1;
}
