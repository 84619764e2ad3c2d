#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Client libraries that block, each in many coroutines of one thread, on each loop: the server answers when it has heard
# them all; then all take a nap there, beside one alone. Servers run here for the time of the test, and not long if it is
# killed, on sockets of their own. MT_TEST_CLIENTS: how many.
set -uo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

build=$(cd "${top_builddir:-$PWD}" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$(cd "$here/../../lib" && pwd)
clients=${MT_TEST_CLIENTS:-200}
chmod 755 "$scratch" # for a server that does not run as root

[[ -e $build/.libs/liblinuxmt-patch.so ]] || skip_all "the library is not there: run make first"
[[ ${mt_sanitizer:-none} == none ]] || skip_all "the client libraries are without sanitizers"
read -ra cc <<<"${CC:-cc}"
loops=(uring epoll)

# skip_both NAME WHY
skip_both()
{
    local loop
    for loop in "${loops[@]}"; do
        skip "$1 by $loop" "$2"
    done
}

# compile NAME FLAG...
compile()
{
    local name=$1
    shift
    "${cc[@]}" -std=gnu11 -O1 -g -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter "-I$lib" -o "$scratch/$name" "$here/clients.c" "$here/clients-$name.c" \
        "-L$build/.libs" -Wl,-rpath,"$build/.libs" -llinuxmt-patch -llinuxmt "$@" >"$log" 2>&1
}

# try NAME COUNT WHERE
try()
{
    local name=$1 loop status
    for loop in "${loops[@]}"; do
        status=0
        LINUXMT_LOOP=$loop timeout 60 "$scratch/$name" "$2" "$3" >"$log" 2>&1 </dev/null || status=$?
        verdict "$status" "$name by $loop"
        ((status)) || head -n 5 "$log" | sed 's/^/# /'
    done
}

if ! compile libcurl -lcurl; then
    skip_both libcurl "it does not compile: install libcurl4-openssl-dev"
else
    try libcurl "$clients" ""
fi

if ! compile hiredis -lhiredis; then
    skip_both hiredis "it does not compile: install libhiredis-dev"
elif ! command -v redis-server >/dev/null || ! command -v redis-cli >/dev/null; then
    skip_both hiredis "redis-server or redis-cli is not installed"
else
    timeout 300 redis-server --port 0 --unixsocket "$scratch/redis" --save '' --dir "$scratch" >/dev/null 2>&1 </dev/null &
    servers+=($!)
    if answers redis-cli -s "$scratch/redis" ping; then
        try hiredis "$clients" "$scratch/redis"
    else
        skip_both hiredis "redis-server does not answer"
    fi
fi

if ! compile sqlite -lsqlite3; then
    skip_both sqlite "it does not compile: install libsqlite3-dev"
elif ! command -v sqlite3 >/dev/null; then
    skip_both sqlite "sqlite3 is not installed"
else
    try sqlite 10 "$scratch/base"
    sums=$(sqlite3 "$scratch/base" 'pragma integrity_check; select count(*), sum(a) from t' 2>&1)
    status=0
    [[ $sums == $'ok\n400|1800' ]] || status=1
    echo "$sums" >"$log"
    verdict "$status" "all rows are there"
fi

# Its server does not run as root.
as_other=()
if [[ $(id -u) == 0 ]]; then
    as_other=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi
server=$(find /usr/lib/postgresql/*/bin /usr/bin -maxdepth 1 -name initdb 2>/dev/null | sort | tail -n 1)
if ! compile libpq -I/usr/include/postgresql -lpq; then
    skip_both libpq "it does not compile: install libpq-dev"
elif [[ ! $server ]]; then
    skip_both libpq "the server is not installed: install postgresql"
elif ((${#as_other[@]})) && ! command -v setpriv >/dev/null; then
    skip_both libpq "setpriv is not installed"
else
    mkdir "$scratch/postgres"
    if ((${#as_other[@]})); then
        chown nobody "$scratch/postgres"
    fi
    if "${as_other[@]+"${as_other[@]}"}" "$server" -N -A trust -U tester --no-locale -D "$scratch/postgres/data" >"$log" 2>&1; then
        timeout 300 "${as_other[@]+"${as_other[@]}"}" "${server%initdb}postgres" -D "$scratch/postgres/data" -F -k "$scratch/postgres" \
            -c listen_addresses= -c max_connections=$((clients + 10)) -c shared_buffers=16MB -c autovacuum=off >"$log" 2>&1 </dev/null &
        servers+=($!)
        if answers "${server%initdb}pg_isready" -h "$scratch/postgres"; then
            try libpq "$clients" "host=$scratch/postgres user=tester dbname=postgres sslmode=disable gssencmode=disable"
        else
            skip_both libpq "its server does not answer"
        fi
    else
        skip_both libpq "initdb fails here"
    fi
fi
plan
