# SPDX-License-Identifier: MIT
"""Python's multiprocessing.Pool at the tasks of bench/pool.c: prints "metric unit value" a line."""
import multiprocessing
import time

WORKERS, TINY, MAP, BATCH, TRIPS = 4, 20000, 200000, 1000, 2000


def nothing():
    return 0


def twice(number):
    return number * 2


def submit(pool, function, arguments, count):
    results = [pool.apply_async(function, arguments) for _ in range(count)]
    for result in results:
        result.get()


def batches(pool, function, arguments, count):
    for _ in range(count // BATCH):
        submit(pool, function, arguments, BATCH)


def say(metric, count, call, *args):
    start = time.perf_counter()
    call(*args)
    print(metric, "tasks/s", round(count / (time.perf_counter() - start)))


def main():
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        batches(pool, nothing, (), TINY // 10)
        say("tiny-apply", TINY, batches, pool, nothing, (), TINY)
        say("tiny-value", TINY, batches, pool, twice, (3,), TINY)
        say("tiny-imap", TINY, lambda: sum(1 for _ in pool.imap_unordered(twice, range(TINY))))
        say("map", MAP, pool.map, twice, range(MAP))
        say("round-trip", TRIPS, lambda: [pool.apply(nothing) for _ in range(TRIPS)])


if __name__ == "__main__":
    main()
