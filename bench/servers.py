# SPDX-License-Identifier: MIT
"""Servers for the time of a bench: started when first asked for, in a folder of their own, and ended with this program."""
import atexit
import glob
import os
import shutil
import subprocess
import tempfile
import time

started = {}


def path():
    """Where their programs are; Debian has PostgreSQL's beside the path."""
    return os.pathsep.join([os.environ.get("PATH", "")] + sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))


def has(program):
    return shutil.which(program, path=path()) is not None


def end(server, folder):
    server.terminate()
    server.wait()
    shutil.rmtree(folder)


def until_answers(command):
    for _ in range(600):
        if subprocess.run(command, capture_output=True).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"{command[0]}: the server does not answer")


def start(command, folder, **options):
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    atexit.register(end, server, folder)


def redis():
    """The path of its socket."""
    folder = tempfile.mkdtemp()
    socket = os.path.join(folder, "redis")
    start(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder], folder)
    until_answers(["redis-cli", "-s", socket, "ping"])
    return socket


def postgres():
    """What to connect to it by. It does not run as root."""
    folder = tempfile.mkdtemp()
    data = os.path.join(folder, "data")
    options = {}
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
        options = {"user": "nobody", "extra_groups": [], "cwd": folder}
    programs = {name: shutil.which(name, path=path()) for name in ("initdb", "postgres", "pg_isready")}
    subprocess.run([programs["initdb"], "-N", "-A", "trust", "-U", "bench", "--no-locale", "-D", data],
                   check=True, capture_output=True, **options)
    start([programs["postgres"], "-D", data, "-F", "-k", folder, "-c", "listen_addresses=", "-c", "max_connections=250",
           "-c", "shared_buffers=16MB", "-c", "autovacuum=off"], folder, **options)
    until_answers([programs["pg_isready"], "-h", folder])
    return f"host={folder} user=bench dbname=postgres sslmode=disable gssencmode=disable"


def where(kind):
    """Of "redis" or "postgres"."""
    if kind not in started:
        started[kind] = {"redis": redis, "postgres": postgres}[kind]()
    return started[kind]
