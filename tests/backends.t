#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every unit test once more with the backend that it has not run with by itself, threads by raw clone or by pthread_create. What is
# done very often there is done a tenth as often here. Then who chooses the backend.
set -uo pipefail

export MT_TEST_SHARE=${MT_TEST_SHARE:-10}
chosen=$("$top_builddir"/tests/backend) || exit
case $chosen in
raw) other=pthread ;;
*) other=raw ;;
esac

tests=("$top_builddir"/tests/unit/*)
programs=()
for program in "${tests[@]}"; do
    [[ -x $program && ! -d $program && ${program##*/} != *.* ]] && programs+=("$program")
done
if [[ ${#programs[@]} -eq 0 ]]; then
    echo "1..0 # SKIP the unit tests are not built (cmocka was not found)"
    exit 0
fi

echo "1..$((${#programs[@]} + 4))"
number=0
failed=0
for program in "${programs[@]}"; do
    number=$((number + 1))
    name="${program##*/} on $other threads"
    if log=$(LINUXMT_THREADS=$other "$program" 2>&1 </dev/null); then
        echo "ok $number - $name"
    else
        failed=1
        echo "not ok $number - $name"
        sed 's/^/# /' <<<"$log" | tail -n 30
    fi
done

# check NAME WORDS COMMAND... - the words must be in what the command, which must not fail, prints.
check()
{
    local name=$1 words=$2 log status=0
    shift 2
    number=$((number + 1))
    log=$("$@" 2>&1 </dev/null) || status=$?
    if ((status == 0)) && grep -qF -- "$words" <<<"$log"; then
        echo "ok $number - $name"
    else
        failed=1
        echo "not ok $number - $name"
        sed 's/^/# /' <<<"$log" | tail -n 30
    fi
}

check "a backend that there is not is reported" "LINUXMT_THREADS=bogus is neither raw nor pthread" \
    env LINUXMT_THREADS=bogus "$top_builddir/examples/hello"
check "a policy about circles that there is not is reported" "LINUXMT_DEADLOCK=bogus is none of off, report and fail" \
    env LINUXMT_DEADLOCK=bogus "$top_builddir/examples/hello"
check "a policy about orders that there is not is reported" "LINUXMT_LOCKORDER=bogus is neither off nor report" \
    env LINUXMT_LOCKORDER=bogus "$top_builddir/examples/hello"
if command -v valgrind >/dev/null; then
    check "under valgrind no memory is lost" "ERROR SUMMARY: 0 errors" \
        "$top_builddir/libtool" --mode=execute valgrind --leak-check=full --error-exitcode=1 "$top_builddir/examples/hello"
else
    echo "ok $((number + 1)) - under valgrind no memory is lost # SKIP no valgrind"
fi
exit "$failed"
