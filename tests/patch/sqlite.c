/* SPDX-License-Identifier: MIT
 *
 * sqlite3 in many threads: one connection that all use, and one to the same file for each. The argument names the file.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 40
#define ROWS    5

static const char *file;
static sqlite3 *common;

static void run(sqlite3 *base, const char *sql, int (*row)(void *, int, char **, char **))
{
    char *error = NULL;

    if (sqlite3_exec(base, sql, row, NULL, &error) != SQLITE_OK) {
        printf("%s: %s\n", sql, error);
        exit(1);
    }
}

static sqlite3 *open_base(void)
{
    sqlite3 *base;

    if (sqlite3_open_v2(file, &base, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL))
        abort();
    sqlite3_busy_timeout(base, 60000);
    run(base, "PRAGMA synchronous=OFF", NULL);
    return base;
}

static void *insert(void *arg)
{
    sqlite3 *base = open_base();
    char sql[128];

    for (int i = 0; i < ROWS; i++) {
        snprintf(sql, sizeof sql, "INSERT INTO rows VALUES(%d, %d, 'own')", (int)(intptr_t)arg, i);
        run(base, sql, NULL);
        snprintf(sql, sizeof sql, "INSERT INTO rows VALUES(%d, %d, 'common')", (int)(intptr_t)arg, i);
        run(common, sql, NULL);
    }
    sqlite3_close(base);
    return NULL;
}

static int print(void *arg, int count, char **values, char **names)
{
    (void)arg;
    for (int i = 0; i < count; i++)
        printf("%s=%s\n", names[i], values[i]);
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    if (argc < 2 || !sqlite3_threadsafe())
        return 1;
    file = argv[1];
    common = open_base();
    run(common, "CREATE TABLE rows(thread INT, number INT, way TEXT)", NULL);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, insert, (void *)(intptr_t)i))
            abort();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    run(common,
        "SELECT way, COUNT(*), COUNT(DISTINCT thread * 1000 + number) AS distinct_rows FROM rows GROUP BY way ORDER BY "
        "way",
        print);
    run(common, "PRAGMA integrity_check", print);
    sqlite3_close(common);
    return 0;
}
