#!/bin/sh
# SPDX-License-Identifier: MIT
# mtrace patch: the environment that it makes, and the exit status.
. "${top_srcdir:-.}/tests/live/tap.sh"

run "$mtrace" patch -- sh -c 'echo "$LINUXMT_PATCH,$LD_PRELOAD"; exit 3'
[ $status = 3 ] && has 'all,' 'liblinuxmt-patch.so.0'
ok $? "the command runs with all classes, and its status is mtrace's"
run env LD_PRELOAD=libc.so.6 "$mtrace" patch -c sleep,dns -r sh -c 'echo "$LINUXMT_PATCH,$LINUXMT_PATCH_REPORT,$LD_PRELOAD"'
[ $status = 0 ] && has 'sleep,dns,1,' 'liblinuxmt-patch.so.0:libc.so.6'
ok $? "classes, the report, and what is preloaded already"
run "$mtrace" patch -- cat /proc/self/maps
[ $status = 0 ] && has 'liblinuxmt-patch.so'
ok $? "the library is there"
run "$mtrace" patch -- /nonexistent/command
[ $status = 127 ] && [ "${err%No such file or directory}" != "$err" ]
ok $? "a command that is not found"
run "$mtrace" patch
[ $status = 125 ] && [ "${err#*which command}" != "$err" ]
ok $? "no command"
plan
