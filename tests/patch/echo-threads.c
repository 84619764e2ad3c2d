/* SPDX-License-Identifier: MIT
 *
 * A server as they are written for threads: one for each connection, which echoes what it reads. It knows nothing of
 * coroutines. It says its port, serves until its input ends, and says how many it has served.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_gone = PTHREAD_COND_INITIALIZER;
static unsigned served, connected, most;

static void count(int change)
{
    pthread_mutex_lock(&mutex);
    connected += (unsigned)change;
    served += change > 0;
    if (connected > most)
        most = connected;
    if (!connected)
        pthread_cond_broadcast(&all_gone);
    pthread_mutex_unlock(&mutex);
}

static void *serve(void *arg)
{
    char buffer[512];
    int fd = (int)(intptr_t)arg;
    ssize_t got, put;

    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0; done < got; done += put)
            if ((put = write(fd, buffer + done, (size_t)(got - done))) < 0)
                break;
    close(fd);
    count(-1);
    return NULL;
}

static void *accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    pthread_t thread;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        count(1);
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) {
            perror("pthread_create");
            exit(1);
        }
        pthread_detach(thread);
    }
    perror("accept");
    exit(1);
}

static void say_threads(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[128];

    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "Threads:", 8))
            printf("threads %d\n", atoi(line + 8));
    fclose(status);
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct rlimit files;
    pthread_t acceptor;
    char line[1];

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("listen");
        return 1;
    }
    pthread_create(&acceptor, NULL, accept_all, (void *)(intptr_t)listener);
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (read(STDIN_FILENO, line, 1) > 0) {
        say_threads();
        fflush(stdout);
    }
    pthread_mutex_lock(&mutex);
    while (connected)
        pthread_cond_wait(&all_gone, &mutex);
    printf("served %u, at once %u\n", served, most);
    pthread_mutex_unlock(&mutex);
    return 0;
}
