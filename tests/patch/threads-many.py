# SPDX-License-Identifier: MIT
#
# 50 of python's threads at once: what they say does not depend on who runs when.
import concurrent.futures
import decimal
import queue
import threading
import time

COUNT = 50
local, items, lock = threading.local(), queue.Queue(), threading.Lock()
together, idents, natives = threading.Barrier(COUNT), set(), set()
count = 0


def body(number):
    global count
    local.number = number
    with lock:
        idents.add(threading.get_ident())
        natives.add(threading.get_native_id())
    together.wait()
    for i in range(20):
        with lock:
            count += 1
        if i % 7 == 0:
            time.sleep(0.0005)
    items.put(local.number)


threads = [threading.Thread(target=body, args=(i,)) for i in range(COUNT)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(items.get() for _ in threads), count, len(idents), len(natives), hasattr(local, "number"))


def third(digits):
    decimal.getcontext().prec = digits
    time.sleep(0.001)
    return decimal.Decimal(1) / 3


with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(list(pool.map(third, range(3, 11))))
    print(sum(pool.map(lambda number: number * number, range(100))))
timer = threading.Timer(0.001, lambda: print("later"))
timer.start()
timer.join()
