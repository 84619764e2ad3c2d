# SPDX-License-Identifier: MIT
# Python's threading, to be run with and without the patch: the output must be the same.
import queue
import socket
import subprocess
import threading
import time

lock = threading.Lock()
total = 0


def add():
    global total
    for i in range(50):
        with lock:
            now = total
            if i % 25 == 0:
                time.sleep(0.0001)
            total = now + 1


threads = [threading.Thread(target=add) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("total", total)

rlock = threading.RLock()
with rlock:
    with rlock:
        print("nested", rlock._is_owned())
other = []
rlock.acquire()
thread = threading.Thread(target=lambda: other.append(rlock.acquire(timeout=0.02)))
thread.start()
thread.join()
rlock.release()
print("from elsewhere", other)

items, results = queue.Queue(5), queue.Queue()


def work():
    while (item := items.get()) is not None:
        results.put(item * item)


workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers:
    worker.start()
for number in range(100):
    items.put(number)
for worker in workers:
    items.put(None)
for worker in workers:
    worker.join()
print("sum", sum(results.get() for _ in range(100)))

event = threading.Event()
print("event", event.wait(0.02))
threading.Timer(0.02, event.set).start()
print("event", event.wait(60))

barrier = threading.Barrier(4)
passed = []
threads = [threading.Thread(target=lambda: passed.append(barrier.wait())) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("passed", sorted(passed))

condition = threading.Condition()
turn = 0


def take_turn(mine):
    global turn
    for _ in range(20):
        with condition:
            condition.wait_for(lambda: turn % 3 == mine)
            turn += 1
            condition.notify_all()


threads = [threading.Thread(target=take_turn, args=(i,)) for i in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("turns", turn)

local = threading.local()
seen = []


def set_local(value):
    local.value = value
    time.sleep(0.001)
    seen.append(local.value == value)


threads = [threading.Thread(target=set_local, args=(i,)) for i in range(10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("local", all(seen), hasattr(local, "value"))
print("idents", len({thread.ident for thread in threads}) > 0, threading.active_count())

outputs = [None] * 5


def run(number):
    outputs[number] = subprocess.check_output(["echo", str(number)], timeout=60)


threads = [threading.Thread(target=run, args=(i,)) for i in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("processes", outputs)

here, there = socket.socketpair()


def answer():
    while data := there.recv(100):
        there.sendall(data.upper())


thread = threading.Thread(target=answer)
thread.start()
for number in range(50):
    here.sendall(b"hello %d" % number)
    assert here.recv(100) == b"HELLO %d" % number
here.close()
thread.join()
print("answered")
