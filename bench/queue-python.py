# SPDX-License-Identifier: MIT
"""What bench/queue.c measures, with Python's multiprocessing.Queue."""
import multiprocessing
import time

TRIPS = 1000
context = multiprocessing.get_context("fork")


def consume(queue, result):
    queue.get()
    start = time.monotonic()
    count = 0
    while queue.get() != b"x":
        count += 1
    result.send((count, time.monotonic() - start))


def throughput(size):
    queue = context.Queue(256)
    ours, theirs = context.Pipe()
    child = context.Process(target=consume, args=(queue, theirs))
    child.start()
    message = bytes(size)
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        for _ in range(64):
            queue.put(message)
    queue.put(b"x")
    count, elapsed = ours.recv()
    child.join()
    for metric in ("bytes", "batch"):
        print(f"{size}-{metric} Mops/s {count / elapsed / 1e6:.5f}")


def echo(there, back):
    for _ in range(TRIPS):
        back.put(there.get())


def round_trip():
    there, back = context.Queue(), context.Queue()
    child = context.Process(target=echo, args=(there, back))
    child.start()
    start = time.monotonic()
    for _ in range(TRIPS):
        there.put(b"12345678")
        back.get()
    print(f"round-trip us {(time.monotonic() - start) * 1e6 / TRIPS:.3f}")
    child.join()


for bytes_each in (8, 64, 1024):
    throughput(bytes_each)
round_trip()
