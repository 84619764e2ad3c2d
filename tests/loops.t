#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every unit test that has coroutines once more with each loop forced, and with threads by pthread_create. Then who chooses it.
set -uo pipefail

programs=()
for name in coro coro-fork coropool exit-wake hub io bulk cancel channel group idle mixture monitor parked promise timeout; do
    [[ -x $top_builddir/tests/unit/$name ]] && programs+=("$top_builddir/tests/unit/$name")
done
if [[ ${#programs[@]} -eq 0 ]]; then
    echo "1..0 # SKIP the unit tests are not built (cmocka was not found)"
    exit 0
fi

echo "1..$((2 * ${#programs[@]} + 3))"
number=0
failed=0
for loop in uring epoll; do
    for program in "${programs[@]}"; do
        number=$((number + 1))
        name="${program##*/} with $loop"
        if log=$(LINUXMT_THREADS=pthread LINUXMT_LOOP=$loop "$program" 2>&1 </dev/null); then
            if [[ $loop == uring && $log == *"uring cannot be had: "* ]]; then
                echo "ok $number - $name # SKIP io_uring is not to be had here"
            else
                echo "ok $number - $name"
            fi
        else
            failed=1
            echo "not ok $number - $name"
            sed 's/^/# /' <<<"$log" | tail -n 30
        fi
    done
done

# check NAME WORDS COMMAND... - the words must be in what the command, which must not fail, prints.
check()
{
    local name=$1 words=$2 log status=0
    shift 2
    number=$((number + 1))
    log=$("$@" 2>&1 </dev/null) || status=$?
    if ((status == 0)) && grep -qE -- "$words" <<<"$log"; then
        echo "ok $number - $name"
    else
        failed=1
        echo "not ok $number - $name"
        sed 's/^/# /' <<<"$log" | tail -n 30
    fi
}

check "a loop that there is not is reported" "LINUXMT_LOOP=bogus is neither uring nor epoll" \
    env LINUXMT_LOOP=bogus "$top_builddir/examples/coroutines"
check "the loop asked for is the one in use" "wait by epoll: LINUXMT_LOOP=epoll" \
    env LINUXMT_LOOP=epoll "$top_builddir/examples/coroutines"
check "the loop that works best is the default, and says why" "wait by (uring: io_uring works|epoll: )" \
    env -u LINUXMT_LOOP "$top_builddir/examples/coroutines"
exit $failed
