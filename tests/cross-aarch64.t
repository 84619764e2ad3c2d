#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The library on the other CPU: cross-builds it and its unit tests for aarch64 and runs them under qemu-user. CMocka is seldom
# there for a CPU that is not the machine's own, so the tests are built against tests/cross/cmocka.h. The folder of the build
# stays until make clean: the next run only builds what has changed.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

srcdir=$(cd "${srcdir:-.}" && pwd)
readonly triplet=aarch64-linux-gnu
readonly sysroot=/usr/$triplet

case ${host-} in
aarch64*) skip_all "this machine is aarch64: its unit tests have run already" ;;
esac
command -v $triplet-gcc >/dev/null || skip_all "no $triplet-gcc: install gcc-$triplet"
command -v qemu-aarch64 >/dev/null || skip_all "no qemu-aarch64: install qemu-user"
[[ -e $sysroot/include/stdio.h ]] || skip_all "no C library for aarch64: install libc6-dev-arm64-cross"
[[ ! -e $srcdir/config.status ]] || skip_all "the source folder itself is configured: build in another folder"

kept=$PWD/tests/cross.kept
mkdir -p "$kept"
cd "$kept"
unset CC CXX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS MAKEFLAGS MFLAGS MAKELEVEL

# What qemu-user 7.2 cannot do: exec of /proc/self/exe, and with it start methods other than fork; a thread started in the child of a
# fork, which its own assertions end; descriptors of processes in waitid(2); robust lists; process_vm_readv(2), on which the search for
# deadlocks relies; an end of a thread that the kernel knows of at once; 100,000 threads in any time one would wait; and two threads at
# once often enough to be seen; and MADV_GUARD_INSTALL, whose faults it takes for its own.
CROSS_SKIP="after_fork fork_from_threads robust_mutexes_are_recovered recursive_locks_in_a_circle main_that_is_unknown no_growth"
CROSS_SKIP+=" readers_are_together circles_are_found joinall_threads_leaves_no_thread a_forked_child_has_timers_of_its_own a_forked_child_is_told a_forks_child_can_have_its_own"
CROSS_SKIP+=" a_coroutine_exits the_thread_of_a_hub_exits a_coroutine_exits_that_has_woken_another the_child_of_a_coroutine_ends"
CROSS_SKIP+=" who_waits_when_the_first_thread_comes_is_woken each_of_many_has_its_guard guards_of_many_that_fail_are_made_one_by_one a_pool_of_many_gives_pages_back"
CROSS_SKIP+=" the_choice_of_a_loop_needs_no_descriptor a_fork_may_come_while_others_take_stacks a_child_of_many_has_them_too"
CROSS_SKIP+=" a_segment_is_shared an_overflow_names_the_greenlet an_overflow_names_the_coroutine"
CROSS_SKIP+=" a_thread_a_process_and_a_coroutine_share_a_queue a_pool_and_a_process_are_awaited_while_others_run a_forks_child_can_use_its_hub a_forks_child_waits_without_a_loop_too test_add_and_discard locks a_hub_that_nothing_can_wake_says_so"
# Programs of which nothing is left then are not even built.
left_out="managed managed-dict managed-monitor manager manager-hostile manager-kill process process-end process-failure process-options procpool procpool-kill"
left_out+=" procpool-ledger procpool-spawn"
for noun in bulk deadlock; do
    CROSS_SKIP+=" $(sed -n 's/.*cmocka_unit_test[a-z_]*(\([a-z_]*\).*/\1/p' "$srcdir/tests/unit/$noun.c" | tr '\n' ' ')"
done
export CROSS_SKIP
export MT_TEST_SHARE=${MT_TEST_SHARE:-10} # an emulator is slow

build()
{
    if [[ ! -e Makefile ]]; then
        CONFIG_SHELL=/bin/sh /bin/sh "$srcdir"/configure --silent --host=$triplet --without-bpf --without-seccomp --without-uring --with-tests CFLAGS=-O2 "CMOCKA_CFLAGS=-I$srcdir/tests/cross" \
            CMOCKA_LIBS=-lpthread || return
    fi
    local program programs=()
    while read -r program; do
        if [[ " $left_out " != *" ${program##*/} "* ]]; then
            programs+=("$program")
        fi
    done < <(sed -n '/^UNIT_TESTS =/,/^check_PROGRAMS/s/%D%/tests/gp' "$srcdir/tests/local.mk" | grep -o 'tests/unit/[a-z-]*')
    local libtool="/bin/sh $srcdir/tests/quick-libtool"
    make -j2 LIBTOOL="$libtool" examples/hello && make -j2 LIBTOOL="$libtool" check TESTS= check_PROGRAMS="${programs[*]}"
}

status=0
build >build.log 2>&1 || status=$?
verdict "$status" "it builds for aarch64" build.log
if ((status)); then
    plan
    exit 0
fi

# run PROGRAM: leaves what it said in PROGRAM.out and its status in PROGRAM.status. KILL, so that children of a program that
# hangs go with it.
run()
{
    local status=0
    LD_LIBRARY_PATH=$kept/.libs timeout -s KILL 600 qemu-aarch64 -L $sysroot "$1" >"$1.out" 2>&1 </dev/null || status=$?
    echo "$status" >"$1.status"
}

programs=(examples/hello)
for program in tests/unit/*; do
    if [[ -f $program && -x $program ]]; then
        programs+=("$program")
    fi
done
for program in "${programs[@]}"; do
    while (($(jobs -rp | wc -l) >= $(nproc))); do
        wait -n
    done
    run "$program" &
done
wait
for program in "${programs[@]}"; do
    good=$(grep '^ok' "$program.out" | grep -vc '# SKIP' || true)
    total=$(sed -n 's/^1\.\.//p' "$program.out")
    verdict "$(cat "$program.status")" "$program under qemu-aarch64${total:+: $good of $total ran and passed}" "$program.out"
done
plan
