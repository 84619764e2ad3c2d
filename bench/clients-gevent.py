# SPDX-License-Identifier: MIT
"""clients.c in Python: its usual drivers, made to wait by gevent. clients-gevent.py libpq|hiredis CLIENTS QUERIES WHERE"""
from gevent import monkey

monkey.patch_all()
import sys
import time

import gevent

library, count, queries, where = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

if library == "libpq":
    import psycopg2
    from gevent.socket import wait_read, wait_write
    from psycopg2 import extensions

    def wait(connection):
        """psycopg2 waits in C, where gevent has no hand in it, unless it is told another way to."""
        while (state := connection.poll()) != extensions.POLL_OK:
            if state == extensions.POLL_READ:
                wait_read(connection.fileno())
            else:
                wait_write(connection.fileno())

    extensions.set_wait_callback(wait)

    def connect():
        connection = psycopg2.connect(where)
        connection.autocommit = True
        return connection.cursor()

    def ask(cursor, command="select 1"):
        cursor.execute(command)
        cursor.fetchall()

    def nap(cursor):
        ask(cursor, "select pg_sleep(0.1)")
else:
    import redis

    def connect():
        return redis.Redis(unix_socket_path=where, single_connection_client=True)

    def ask(client):
        client.get("nothing")

    def nap(client):
        client.execute_command("BLPOP", "nothing", "0.1")


def each(function):
    start, cpu = time.monotonic(), time.process_time()
    greenlets = [gevent.spawn(function, i) for i in range(count)]
    gevent.joinall(greenlets, raise_error=True)
    return time.monotonic() - start, time.process_time() - cpu


def asks(i):
    for _ in range(queries):
        ask(clients[i])


clients = [None] * count
each(lambda i: clients.__setitem__(i, connect()))
elapsed, cpu = each(asks)
print(f"rate kreq/s {count * queries / elapsed / 1e3:.3f}")
print(f"cpu us {cpu / (count * queries) * 1e6:.3f}")
print(f"nap ms {each(lambda i: nap(clients[i]))[0] * 1e3:.1f}")
