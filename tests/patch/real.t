#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Programs of others, unchanged, with all of the library turned on: what they print is byte for byte what they print
# without it. Only files of our own and loopback are used; what is not installed is skipped.
set -uo pipefail
# shellcheck source=tests/patch/preload.sh
source "$(dirname "${BASH_SOURCE[0]}")/preload.sh"

# same NAME SCRIPT: what the shell script prints, and its status, twice. It runs in a folder of its own.
same()
{
    local name=$1 script=$2 way status=0
    for way in without with; do
        rm -rf "$scratch/folder"
        mkdir "$scratch/folder"
        (
            cd "$scratch/folder" || exit
            export HOME=$scratch/folder LC_ALL=C TZ=UTC
            if [[ $way == with ]]; then
                export LINUXMT_PATCH=all LD_PRELOAD=$preload
            fi
            timeout 60 bash -c "$script" </dev/null
            echo "status $?"
        ) >"$scratch/$way" 2>&1
    done
    diff -a "$scratch/without" "$scratch/with" >"$log" || status=1
    grep -q '^status 0' "$scratch/with" || status=1
    tail -n 3 "$scratch/with" >>"$log"
    verdict "$status" "$name"
}

# has PROGRAM...
has()
{
    for program; do
        if ! command -v "$program" >/dev/null; then
            skip "$program" "$program is not installed"
            return 1
        fi
    done
}

seq 1 50000 >"$scratch/numbers"

if has xz; then
    same "xz" "xz -T2 -c $scratch/numbers >a.xz && xz -t a.xz && xz -dc a.xz | cksum && echo garbage | xz -dc; true"
fi
if has git; then
    same "git" "git init -q . && git config user.email a@b && git config user.name ab && cp $scratch/numbers . && git add . &&
        GIT_AUTHOR_DATE=2001-01-01T00:00:00Z GIT_COMMITTER_DATE=2001-01-01T00:00:00Z git commit -qm one && git log --stat && git gc -q && git fsck && git clone -q . copy && git -C copy log"
fi
if has python3; then
    same "python3" "python3 - <<'END'
import os, select, socket, subprocess, tempfile, threading, time
a, b = socket.socketpair()
a.settimeout(0.01)
try:
    a.recv(1)
except TimeoutError as error:
    print(repr(error))
def talk():
    time.sleep(0.01)
    b.sendall(b'x' * 3000000)
    b.close()
thread = threading.Thread(target=talk)
a.settimeout(None)
thread.start()
print(sum(len(piece) for piece in iter(lambda: a.recv(65536), b'')))
thread.join()
print(select.select([], [], [], 0.001))
print(subprocess.run(['sh', '-c', 'echo out; echo err >&2; exit 3'], capture_output=True))
print(socket.getaddrinfo('127.0.0.1', 80, type=socket.SOCK_STREAM))
print(os.popen('echo hello').read())
with tempfile.TemporaryFile() as file:
    file.write(b'abc' * 100000)
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    print(len(file.read()))
END"
    port=0
    python3 -u -m http.server --bind 127.0.0.1 --directory "$scratch" 0 >"$scratch/server" 2>&1 </dev/null &
    servers+=($!)
    for _ in {1..200}; do
        port=$(sed -nE 's/.* port ([0-9]+) .*/\1/p' "$scratch/server" 2>/dev/null)
        [[ $port ]] && break
        sleep 0.05
    done
    if has curl; then
        same "curl" "curl -sS http://127.0.0.1:$port/numbers | cksum; curl -sS -o /dev/null -w '%{http_code}\n' http://localhost:$port/none;
            curl -sSZ http://127.0.0.1:$port/numbers -o 1 http://127.0.0.1:$port/numbers -o 2 2>/dev/null; cksum 1 2; curl -s http://127.0.0.1:1/; echo \$?"
    fi
    if has wget; then
        same "wget" "wget -nv -O - http://127.0.0.1:$port/numbers 2>/dev/null | cksum; wget -q http://127.0.0.1:$port/none; echo \$?"
    fi
else
    skip "curl" "it needs python3's server"
    skip "wget" "it needs python3's server"
fi
if has redis-server redis-cli; then
    socket=$scratch/redis.socket
    redis-server --port 0 --unixsocket "$socket" --save '' --dir "$scratch" >/dev/null 2>&1 </dev/null &
    servers+=($!)
    if answers redis-cli -s "$socket" ping; then
        same "redis-cli" "redis-cli -s $socket <<'END'
flushall
set key value
get key
rpush list 1 2 3
lrange list 0 -1
blpop none 0.01
END
seq 1 1000 | sed 's/.*/incr counter/' | redis-cli -s $socket | tail -n 1; seq 1 500 | sed 's/.*/set k& &/' | redis-cli -s $socket --pipe"
    else
        skip "redis-cli" "redis-server does not answer"
    fi
fi
if has sqlite3; then
    same "sqlite3" "sqlite3 base 'create table t(a); insert into t values(1),(2); pragma integrity_check; select sum(a) from t;'"
fi
if has perl; then
    same "perl" "perl - <<'END'
use Config;
if (\$Config{useithreads}) {
    require threads;
    print join(',', map { \$_->join } map { my \$i = \$_; threads->create(sub { select(undef, undef, undef, 0.01); \$i * 2 }) } 1 .. 10), qq(\\n);
}
\$SIG{ALRM} = sub { print qq(alarm\\n) };
alarm 1;
print sleep(20) < 20 ? qq(interrupted\\n) : qq(not interrupted\\n);
pipe(R, W);
if (!fork) { close R; print W 'x' x 100000; exit 3 }
close W;
print length(join '', <R>), qq(\\n);
wait;
print \$? >> 8, qq(\\n), qx(echo hello), getpwuid(0), qq(\\n);
END"
fi
if has gdb; then
    same "gdb" "gdb -nx -q -batch -ex run -ex 'print \$_exitcode' --args sh -c 'exit 3' 2>&1 | grep '^.1 ='"
fi
same "a shell's pipes" "seq 1 20000 | while read -r line; do echo \$line; done | sort -r | tail -n 3; (sleep 0.01; exit 7) & wait \$!; echo \$?"
plan
