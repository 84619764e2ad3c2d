# SPDX-License-Identifier: MIT
"""What bench/coro.c measures, with Python's greenlet and Python's own generators."""
import time

import greenlet

ROUNDS, PAIRS = 200, 1000
root = greenlet.getcurrent()


def back(value):
    while True:
        value = root.switch(value)


loop = greenlet.greenlet(back)


def switches():
    for _ in range(PAIRS):
        loop.switch(None)


def count():
    number = 0
    while True:
        yield number
        number += 1


numbers = count()


def items():
    for _ in range(PAIRS):
        next(numbers)


def births():
    for _ in range(PAIRS // 10):
        one = greenlet.greenlet(back)
        one.switch(None)
        del one


def measure(metric, run, divisor):
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        run()
        best = min(best, (time.perf_counter_ns() - start) / divisor)
    print(metric, "ns", f"{best:.3f}")


measure("greenlet-switch", switches, 2 * PAIRS)
measure("generator-item", items, PAIRS)
measure("greenlet-life", births, PAIRS // 10)
