# SPDX-License-Identifier: MIT
# What the live tests share, to be sourced: TAP output, programs that are started and surely ended, mtrace with its output kept.
# Variables for the tests: $mtrace, $live (folder of the arranged programs), $work (a folder that goes away), $status, $out, $err.
mtrace=$(cd "${top_builddir:-.}" && pwd)/mtrace
live=$(cd "${top_builddir:-.}" && pwd)/tests/live
work=$(mktemp -d) || exit 99
chmod 755 "$work"
tap_count=0
tap_pids=

tap_end()
{
    for pid in $tap_pids; do
        kill -KILL "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap tap_end EXIT
trap 'exit 99' INT TERM HUP

skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

# ok CONDITION-STATUS NAME: what mtrace said is shown when it is not.
ok()
{
    tap_count=$((tap_count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tap_count - $2"
    else
        echo "not ok $tap_count - $2"
        printf '%s\n' "status $status" "$out" "$err" | sed 's/^/# /'
    fi
}

skip()
{
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

plan()
{
    echo "1..$tap_count"
}

# Runs a command; its status, output and error text are kept.
run()
{
    out=$("$@" 2>"$work/err")
    status=$?
    err=$(cat "$work/err")
}

# has TEXT...: whether the output kept has each of these.
has()
{
    for text in "$@"; do
        case $out in
        *"$text"*) ;;
        *) return 1 ;;
        esac
    done
}

says()
{
    for text in "$@"; do
        case $err in
        *"$text"*) ;;
        *) return 1 ;;
        esac
    done
}

# await COMMAND...: tries it ten times a second until it is true; for a minute at the most, as the machine may be busy.
await()
{
    for _ in $(seq 600); do
        "$@" && return 0
        sleep 0.1
    done
    return 1
}

is_ready()
{
    grep -q '^ready' "$work/ready" || ! kill -0 "$pid" 2>/dev/null
}

# start COMMAND...: starts a program, waits for its "ready" and sets $pid.
start()
{
    : >"$work/ready"
    "$@" >"$work/ready" 2>"$work/start-err" &
    pid=$!
    tap_pids="$tap_pids $pid"
    await is_ready
}

# Whether the mtrace with this PID records: by then it has links of eBPF programs, and a moment later all of them.
records()
{
    grep -qs '^link_type:' "/proc/$1/fdinfo/"* && sleep 1
}

stop()
{
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
}

as_nobody()
{
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

[ -x "$mtrace" ] || skip_all "mtrace is not built"

# Makes $work/waits-i386, which needs no libc. Fails where there is no compiler for it.
build_i386()
{
    [ "$(uname -m)" = x86_64 ] && ${CC:-cc} -m32 -g -O1 -ffreestanding -fno-stack-protector -fno-pic -no-pie -nostdlib \
        -static -fasynchronous-unwind-tables -o "$work/waits-i386" "${top_srcdir:-.}/tests/live/waits-i386.c" 2>/dev/null
}
