# SPDX-License-Identifier: MIT
"""The echo server by gevent, on the listening socket that is descriptor 3."""
import gevent
from gevent import socket


def serve(connection):
    try:
        while data := connection.recv(1024):
            connection.sendall(data)
    except OSError:
        pass
    connection.close()


listener = socket.socket(fileno=3)
while True:
    gevent.spawn(serve, listener.accept()[0])
