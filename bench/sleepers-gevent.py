# SPDX-License-Identifier: MIT
"""As sleepers.c, by gevent."""
import sys
import time

import gevent


def status(field):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field))


name = sys.argv[1]
count = {"100k": 100000, "1m": 1000000}[name]
before = status("VmRSS:")
start = time.monotonic()
gevent.joinall([gevent.spawn(gevent.sleep, 1) for _ in range(count)])
print(f"time-{name} s {time.monotonic() - start:.3f}")
print(f"memory-{name} bytes {(status('VmHWM:') - before) * 1024 / count:.0f}")
