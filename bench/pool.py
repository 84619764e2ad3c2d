# SPDX-License-Identifier: MIT
"""Python's multiprocessing.Pool at the tasks of bench/pool.c, in chunks of the same sizes: prints "metric unit value" a line."""
import multiprocessing
import time

WORKERS, TINY, MANY, BATCH, TRIPS = 4, 20000, 200000, 1000, 2000


def nothing():
    return 0


def twice(number):
    return number * 2


def product(a, b):
    return a * b


def pairs(count):
    return zip(range(count), range(count))


def submit(pool, function, arguments, count):
    results = [pool.apply_async(function, arguments) for _ in range(count)]
    for result in results:
        result.get()


def batches(pool, function, arguments, count):
    for _ in range(count // BATCH):
        submit(pool, function, arguments, BATCH)


def take_all(items):
    for _ in items:
        pass


def say(metric, count, call, *args):
    start = time.perf_counter()
    call(*args)
    print(metric, "tasks/s", round(count / (time.perf_counter() - start)))


def main():
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        batches(pool, nothing, (), TINY // 10)
        say("tiny-apply", TINY, batches, pool, nothing, (), TINY)
        say("tiny-value", TINY, batches, pool, twice, (3,), TINY)
        say("imap-1", TINY, lambda: take_all(pool.imap(twice, range(TINY))))
        say("imap-100", MANY, lambda: take_all(pool.imap(twice, range(MANY), 100)))
        say("unordered-1", TINY, lambda: take_all(pool.imap_unordered(twice, range(TINY))))
        say("unordered-100", MANY, lambda: take_all(pool.imap_unordered(twice, range(MANY), 100)))
        say("map-1", TINY, pool.map, twice, range(TINY), 1)
        say("map-100", MANY, pool.map, twice, range(MANY), 100)
        say("map", MANY, pool.map, twice, range(MANY))
        say("starmap-1", TINY, pool.starmap, product, pairs(TINY), 1)
        say("starmap-100", MANY, pool.starmap, product, pairs(MANY), 100)
        say("starmap", MANY, pool.starmap, product, pairs(MANY))
        say("round-trip", TRIPS, lambda: [pool.apply(nothing) for _ in range(TRIPS)])


if __name__ == "__main__":
    main()
