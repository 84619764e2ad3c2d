# SPDX-License-Identifier: MIT
"""Python's ThreadPoolExecutor at the tasks of bench/threadpool.c: prints "metric unit value" a line."""
import concurrent.futures
import threading
import time

WORKERS, TINY, BATCH, WORK, TRIPS, SUBMITTERS = 4, 20000, 1000, 2000, 2000, 4


def nothing(_):
    return 0


def work(_):
    end = time.perf_counter() + 100e-6
    while time.perf_counter() < end:
        pass


def submit(pool, function, count):
    concurrent.futures.wait([pool.submit(function, None) for _ in range(count)])


def batches(pool, count):
    for _ in range(count // BATCH):
        submit(pool, nothing, BATCH)


def several(pool):
    threads = [threading.Thread(target=batches, args=(pool, TINY // SUBMITTERS)) for _ in range(SUBMITTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def say(metric, count, call, *args):
    start = time.perf_counter()
    call(*args)
    print(metric, "tasks/s", round(count / (time.perf_counter() - start)))


def main():
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        batches(pool, TINY // 10)
        say("tiny-1", TINY, batches, pool, TINY)
        say("tiny-4", TINY, several, pool)
        say("work-1", WORK, submit, pool, work, WORK)
        say("round-trip", TRIPS, lambda: [pool.submit(nothing, None).result() for _ in range(TRIPS)])
        say("map", TINY, lambda: list(pool.map(nothing, range(TINY))))


main()
