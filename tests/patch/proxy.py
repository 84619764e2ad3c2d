# SPDX-License-Identifier: MIT
# Around a proxy: the origin server behind it, a free port for it, and a client that opens many connections through it at
# once, asks for something else on each, and looks at the answers.
import http.server
import socket
import socketserver
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.path * 100).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *rest):
        pass


class Origin(socketserver.ThreadingMixIn, http.server.HTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def connect(port):
    for _ in range(1200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            time.sleep(0.05)
    sys.exit("the proxy does not listen")


def answer(sock):
    data = b""
    while part := sock.recv(65536):
        data += part
    return data.split(b"\r\n\r\n", 1)[-1]


def ask(port, origin, count, pid):
    socks = [connect(port) for _ in range(count)]
    for number, sock in enumerate(socks):
        sock.sendall(b"GET http://127.0.0.1:%d/n%d HTTP/1.0\r\n\r\n" % (origin, number))
    wrong = sum(answer(sock) != b"/n%d" % number * 100 for number, sock in enumerate(socks))
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("Threads:"):
            print("threads", line.split()[1])
    sys.exit(f"{wrong} wrong answers" if wrong else 0)


if sys.argv[1] == "origin":
    server = Origin(("127.0.0.1", 0), Handler)
    print("port", server.server_address[1], flush=True)
    server.serve_forever()
elif sys.argv[1] == "port":
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        print(probe.getsockname()[1])
else:
    ask(*map(int, sys.argv[2:]))
