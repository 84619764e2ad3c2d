/* SPDX-License-Identifier: MIT
 *
 * Blocking client libraries, unchanged, in many coroutines of one thread: CLIENTS queries that the server answers only
 * when it has all of them, so that a thread which blocked in one would never be answered. clients.t builds it for one
 * library at a time.
 *
 *     clients COUNT WHERE
 */
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count, asked, done;
static const char *where;

static int fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return -EIO;
}

/* A query that waits for the others; the one that is called last lets them all go. */
static int query(void *number);
static int let_go(void);

#if WITH_REDIS
#include <hiredis/hiredis.h>

static int let_go(void)
{
    int early = done;
    redisContext *redis = redisConnectUnix(where);

    for (int i = 0; i < count; i++)
        freeReplyObject(redisCommand(redis, "RPUSH answers %d", i));
    redisFree(redis);
    return early ? fail("some did not wait") : 0;
}

static int ask(redisContext *redis)
{
    redisReply *reply = redisCommand(redis, "BLPOP answers 0");
    int good = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;

    if (reply)
        freeReplyObject(reply);
    return good ? 0 : fail(redis->errstr);
}

static int query(void *number)
{
    redisContext *redis = redisConnectUnix(where);
    int result;

    if (!redis || redis->err)
        return fail("no connection");
    asked++;
    result = ask(redis);
    done++;
    redisFree(redis);
    return result;
}

#elif WITH_POSTGRES
#include <libpq-fe.h>

static PGconn *keeper;

static PGconn *connection(void)
{
    PGconn *conn = PQconnectdb(where);

    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    fail(PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

static int run(PGconn *conn, const char *command)
{
    PGresult *result = PQexec(conn, command);
    int good = PQresultStatus(result) == PGRES_TUPLES_OK;

    PQclear(result);
    return good ? 0 : fail(PQerrorMessage(conn));
}

static int let_go(void)
{
    int early = done, result = run(keeper, "select pg_advisory_unlock(1)");

    PQfinish(keeper);
    return early ? fail("some did not wait") : result;
}

static int query(void *number)
{
    PGconn *conn;
    int result;

    if (!number && (!(keeper = connection()) || run(keeper, "select pg_advisory_lock(1)")))
        return -EIO;
    while (!keeper || PQtransactionStatus(keeper) != PQTRANS_IDLE)
        if (mt_sleep(MT_MS(1)))
            return -ECANCELED;
    conn = connection();
    if (!conn)
        return -EIO;
    asked++;
    result = run(conn, "select pg_advisory_lock_shared(1)");
    done++;
    PQfinish(conn);
    return result;
}

#elif WITH_SQLITE
/* Not a server, but a lock on a file that each of them wants. */
#include <sqlite3.h>

#define ROWS 20

static int run(const char *command, int times)
{
    sqlite3 *base;
    char *error = NULL;
    int result = sqlite3_open(where, &base);

    sqlite3_busy_timeout(base, 600000);
    for (int i = 0; i < times && !result; i++)
        result = sqlite3_exec(base, command, NULL, NULL, &error);
    if (result)
        fail(error ? error : "no database");
    sqlite3_close(base);
    return result ? -EIO : 0;
}

static int let_go(void)
{
    return 0;
}

static int query(void *number)
{
    static int made;
    char command[64];

    if (!number)
        made = run("create table if not exists t(a)", 1) ? -1 : 1;
    while (!made)
        if (mt_sleep(MT_MS(1)))
            return -ECANCELED;
    asked++;
    snprintf(command, sizeof command, "insert into t values(%d)", (int)(intptr_t)number);
    return run(command, ROWS);
}

#elif WITH_CURL
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static char url[64];
static struct mt_event gate = MT_EVENT_INIT;

static int let_go(void)
{
    return 0;
}

static int serve(void *arg)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    int fd = (int)(intptr_t)arg;
    char request[2048];

    if (mt_recv(fd, request, sizeof request, 0, MT_FOREVER) > 0) {
        if (++asked == count)
            mt_event_set(&gate);
        if (mt_event_wait(&gate, MT_FOREVER) || mt_send(fd, answer, sizeof answer - 1, 0, MT_FOREVER) < 0)
            return -EIO;
    }
    return mt_close(fd);
}

/* In a process of its own, with the library's own calls. */
static int server(int listener)
{
    for (int i = 0; i < count; i++) {
        int fd = mt_accept(listener, NULL, NULL, 0, MT_FOREVER);
        mt_task_release(mt_coro_spawn(serve, (void *)(intptr_t)fd, NULL));
    }
    return mt_sleep(MT_SEC(600));
}

static size_t take(char *bytes, size_t size, size_t items, void *sum)
{
    *(size_t *)sum += size * items;
    return size * items;
}

static int query(void *number)
{
    CURL *curl = curl_easy_init();
    size_t sum = 0;
    CURLcode code;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sum);
    asked++;
    code = curl_easy_perform(curl);
    done++;
    curl_easy_cleanup(curl);
    return code == CURLE_OK && sum == 5 ? 0 : fail(curl_easy_strerror(code));
}
#endif

static int opens_gate(void *arg)
{
    while (asked < count)
        if (mt_sleep(MT_MS(1)))
            return -ECANCELED;
    return let_go();
}

static int run_clients(void)
{
    const struct mt_coro_options options = {.stack_size = 256 * 1024};
    struct mt_task **tasks = calloc((size_t)count + 1, sizeof *tasks);
    int64_t start = mt_now();
    int failed = 0, error = mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK));

    if (error)
        return fail("mt_patch");
    for (int i = 0; i <= count; i++)
        if (!(tasks[i] = mt_coro_spawn(i < count ? query : opens_gate, (void *)(intptr_t)i, &options)))
            return fail("no coroutine");
    error = mt_joinall(tasks, (size_t)count + 1, MT_FOREVER);
    for (int i = 0; i <= count; i++) {
        failed += mt_task_outcome(tasks[i]) != 0;
        mt_task_release(tasks[i]);
    }
    printf("%d queries at once in %.3f s, %d failed\n", count, (double)(mt_now() - start) / 1e9, failed);
    free(tasks);
    return error || failed;
}

int main(int argc, char **argv)
{
    int result;

    count = argc > 1 ? atoi(argv[1]) : 1;
    where = argc > 2 ? argv[2] : "";
#if WITH_CURL
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pid_t pid;

    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 512) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        return 1;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    pid = fork();
    if (!pid)
        _exit(server(listener) != 0);
    close(listener);
    curl_global_init(CURL_GLOBAL_ALL);
    result = run_clients();
    kill(pid, SIGKILL);
#else
    result = run_clients();
#endif
    return result != 0;
}
