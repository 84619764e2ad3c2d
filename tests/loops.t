#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every unit test that has coroutines once more with each loop forced, and with threads by pthread_create. Then who chooses it.
set -uo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

programs=()
for name in armed unmapped coro coro-alone coro-fork coro-kill coropool coropool-end exit-wake full-ring hub hub-locks io io-bytes bulk cancel channel group idle leaks mixture monitor parked promise receive-all timeout; do
    [[ -x $top_builddir/tests/unit/$name ]] && programs+=("$top_builddir/tests/unit/$name")
done
if [[ ${#programs[@]} -eq 0 ]]; then
    skip_all "the unit tests are not built (cmocka was not found)"
fi

echo "1..$((2 * ${#programs[@]} + 4))"
for loop in uring epoll; do
    for program in "${programs[@]}"; do
        status=0
        name="${program##*/} with $loop"
        LINUXMT_THREADS=pthread LINUXMT_LOOP=$loop "$program" >"$log" 2>&1 </dev/null || status=$?
        if ((status == 0)) && [[ $loop == uring ]] && grep -q 'uring cannot be had: ' "$log"; then
            skip "$name" "io_uring is not to be had here"
        else
            verdict "$status" "$name"
        fi
    done
done

prints "a loop that there is not is reported" "LINUXMT_LOOP=bogus is neither uring nor epoll" \
    env LINUXMT_LOOP=bogus "$top_builddir/examples/coroutines"
prints "the loop asked for is the one in use" "wait by epoll: LINUXMT_LOOP=epoll" \
    env LINUXMT_LOOP=epoll "$top_builddir/examples/coroutines"
prints "the loop that works best is the default, and says why" "wait by (uring: io_uring works|epoll: )" \
    env -u LINUXMT_LOOP "$top_builddir/examples/coroutines"
if command -v valgrind >/dev/null; then
    prints "under valgrind it is epoll" "wait by epoll: valgrind" \
        env -u LINUXMT_LOOP "$top_builddir/libtool" --mode=execute valgrind -q "$top_builddir/examples/coroutines"
else
    skip "under valgrind it is epoll" "no valgrind"
fi
exit "$failed"
