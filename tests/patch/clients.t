#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Client libraries that block, each in many coroutines of one thread, on each loop: the server answers when it has heard
# them all; then all take a nap there, beside one alone. Servers run here for the time of the test, and not long if it is
# killed, on sockets of their own. MT_TEST_CLIENTS: how many.
set -uo pipefail

build=${top_builddir:-$PWD}
build=$(cd "$build" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$(cd "$here/../../lib" && pwd)
clients=${MT_TEST_CLIENTS:-200}
scratch=$(mktemp -d)
chmod 755 "$scratch"
pids=()
end()
{
    local pid
    for pid in "${pids[@]+"${pids[@]}"}"; do
        kill "$pid" 2>/dev/null && wait "$pid"
    done
    rm -rf "$scratch"
}
trap end EXIT

if [[ ! -e $build/.libs/liblinuxmt-patch.so ]]; then
    echo "1..0 # SKIP the library is not there: run make first"
    exit 0
fi
if [[ ${mt_sanitizer:-none} != none ]]; then
    echo "1..0 # SKIP the client libraries are without sanitizers"
    exit 0
fi
read -ra cc <<<"${CC:-cc}"
number=0

skip()
{
    number=$((number + 2))
    echo "ok $((number - 1)) - $1 # SKIP $2"
    echo "ok $number - $1 # SKIP $2"
}

# compile NAME FLAG...
compile()
{
    local name=$1
    shift
    "${cc[@]}" -std=gnu11 -O1 -g -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter "-I$lib" -o "$scratch/$name" "$here/clients.c" "$here/clients-$name.c" \
        "-L$build/.libs" -Wl,-rpath,"$build/.libs" -llinuxmt-patch -llinuxmt "$@" >"$scratch/log" 2>&1
}

# try NAME COUNT WHERE
try()
{
    local name=$1 loop status
    for loop in uring epoll; do
        status=0
        LINUXMT_LOOP=$loop timeout 60 "$scratch/$name" "$2" "$3" >"$scratch/log" 2>&1 </dev/null || status=$?
        number=$((number + 1))
        if ((status == 0)); then
            echo "ok $number - $name by $loop"
        else
            echo "not ok $number - $name by $loop"
        fi
        head -n 5 "$scratch/log" | sed 's/^/# /'
    done
}

answers()
{
    for _ in {1..400}; do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    return 1
}

if ! compile libcurl -lcurl; then
    skip libcurl "it does not compile: install libcurl4-openssl-dev"
else
    try libcurl "$clients" ""
fi

if ! compile hiredis -lhiredis; then
    skip hiredis "it does not compile: install libhiredis-dev"
elif ! command -v redis-server redis-cli >/dev/null; then
    skip hiredis "redis-server is not installed"
else
    timeout 300 redis-server --port 0 --unixsocket "$scratch/redis" --save '' --dir "$scratch" >/dev/null 2>&1 </dev/null &
    pids+=($!)
    if answers redis-cli -s "$scratch/redis" ping; then
        try hiredis "$clients" "$scratch/redis"
    else
        skip hiredis "redis-server does not answer"
    fi
fi

if ! compile sqlite -lsqlite3; then
    skip sqlite "it does not compile: install libsqlite3-dev"
elif ! command -v sqlite3 >/dev/null; then
    skip sqlite "sqlite3 is not installed"
else
    try sqlite 10 "$scratch/base"
    sums=$(sqlite3 "$scratch/base" 'pragma integrity_check; select count(*), sum(a) from t' 2>&1)
    number=$((number + 1))
    if [[ $sums == $'ok\n400|1800' ]]; then
        echo "ok $number - all rows are there"
    else
        echo "not ok $number - all rows are there"
        echo "# ${sums//$'\n'/$'\n# '}"
    fi
fi

# Its server does not run as root.
as_other=()
if [[ $(id -u) == 0 ]]; then
    as_other=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi
server=$(find /usr/lib/postgresql/*/bin /usr/bin -maxdepth 1 -name initdb 2>/dev/null | sort | tail -n 1)
if ! compile libpq -I/usr/include/postgresql -lpq; then
    skip libpq "it does not compile: install libpq-dev"
elif [[ ! $server ]]; then
    skip libpq "the server is not installed: install postgresql"
elif ((${#as_other[@]})) && ! command -v setpriv >/dev/null; then
    skip libpq "setpriv is not installed"
else
    mkdir "$scratch/postgres"
    if ((${#as_other[@]})); then
        chown nobody "$scratch/postgres"
    fi
    if "${as_other[@]+"${as_other[@]}"}" "$server" -N -A trust -U tester --no-locale -D "$scratch/postgres/data" >"$scratch/log" 2>&1; then
        timeout 300 "${as_other[@]+"${as_other[@]}"}" "${server%initdb}postgres" -D "$scratch/postgres/data" -F -k "$scratch/postgres" \
            -c listen_addresses= -c max_connections=$((clients + 10)) -c shared_buffers=16MB -c autovacuum=off >"$scratch/log" 2>&1 </dev/null &
        pids+=($!)
        if answers "${server%initdb}pg_isready" -h "$scratch/postgres"; then
            try libpq "$clients" "host=$scratch/postgres user=tester dbname=postgres sslmode=disable gssencmode=disable"
        else
            skip libpq "its server does not answer"
        fi
    else
        skip libpq "initdb fails here"
    fi
fi
echo "1..$number"
