#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every unit test once more with the backend that it has not run with by itself, threads by raw clone or by pthread_create. What is
# done very often there is done a tenth as often here. Then who chooses the backend.
set -uo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

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
    skip_all "the unit tests are not built (cmocka was not found)"
fi

echo "1..$((${#programs[@]} + 4))"
for program in "${programs[@]}"; do
    LINUXMT_THREADS=$other "$program" >"$log" 2>&1 </dev/null
    verdict $? "${program##*/} on $other threads"
done

prints "a backend that there is not is reported" "LINUXMT_THREADS=bogus is neither raw nor pthread" \
    env LINUXMT_THREADS=bogus "$top_builddir/examples/hello"
prints "a policy about circles that there is not is reported" "LINUXMT_DEADLOCK=bogus is none of off, report and fail" \
    env LINUXMT_DEADLOCK=bogus "$top_builddir/examples/hello"
prints "a policy about orders that there is not is reported" "LINUXMT_LOCKORDER=bogus is neither off nor report" \
    env LINUXMT_LOCKORDER=bogus "$top_builddir/examples/hello"
# What is only possibly lost does not count: valgrind now and then ends a program without glibc's own clean-up, and then the vectors
# of threads' TLS, which glibc points into and not at, are still in the stacks that it keeps.
if command -v valgrind >/dev/null; then
    prints "under valgrind no memory is lost" "ERROR SUMMARY: 0 errors" \
        "$top_builddir/libtool" --mode=execute valgrind --leak-check=full --errors-for-leak-kinds=definite,indirect \
        --error-exitcode=1 "$top_builddir/examples/hello"
else
    skip "under valgrind no memory is lost" "no valgrind"
fi
exit "$failed"
