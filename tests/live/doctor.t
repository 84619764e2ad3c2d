#!/bin/sh
# SPDX-License-Identifier: MIT
# mtrace doctor: the verdict, the exit status, and the commands that it names.
. "${top_srcdir:-.}/tests/live/tap.sh"

run "$mtrace" doctor
{ [ $status = 0 ] && has 'mtrace works here'; } || { [ $status = 1 ] && has 'must be mended'; }
ok $? "the verdict and the exit status agree"
has kernel capabilities 'scheduler hooks' 'task iterator' 'debug files'
ok $? "each kind of hook has a line"
works=$status

run "$mtrace" doctor --json
if command -v python3 >/dev/null; then
    printf '%s' "$out" | python3 -c '
import json, sys
r = json.load(sys.stdin)
assert r["report"] == "doctor" and r["version"] == 1
assert r["works"] == (sys.argv[1] == "0")
assert {c["verdict"] for c in r["checks"]} <= {"ok", "less", "no"}
' "$works"
    ok $? "--json says the same"
else
    has '"report": "doctor"'
    ok $? "--json says the same"
fi

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && as_nobody true 2>/dev/null; then
    cp "$mtrace" "$work"
    run as_nobody "$work/mtrace" doctor
    [ $status = 1 ] && has 'CAP_BPF' "setcap cap_bpf,cap_perfmon" "$work/mtrace"
    ok $? "without privilege it names the command that grants it"
    # That command's capabilities, and what is left after them: never to be told by a command that does not mend it.
    caps=+bpf,+perfmon,+sys_ptrace,+checkpoint_restore
    run as_nobody --inh-caps=$caps --ambient-caps=$caps "$work/mtrace" doctor
    [ $status = 0 ] && has 'all that mtrace uses' && ! has 'CAP_SYS_ADMIN (' 'bpf_stats_enabled' && ! printf '%s' "$out" | grep -q "sudo $work/mtrace doctor"
    ok $? "with these capabilities it can record, and no advice is given that does not help"
else
    skip "without privilege" "not root, or setpriv is missing"
    skip "with capabilities" "not root, or setpriv is missing"
fi

run "$mtrace" doctor now
[ $status = 125 ] && says "'now' is too much"
ok $? "an argument too many"
run sh -c '"$1" doctor >/dev/full' sh "$mtrace"
[ $status = 125 ] && says 'could not be written'
ok $? "a full disk"

plan
