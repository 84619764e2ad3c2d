#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# "make install" under another name of the command (--program-prefix and its kin), into a folder of its own: the command's
# pages and its completion are renamed, those of the library's calls are not; and "make uninstall" leaves no file. Only what
# is not built is installed: libtool would link the rest once more.
set -uo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

# The make that runs this one hands down its overrides.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

root=$scratch/root

# Names of files, one a line, of which $1 is a pattern.
installed()
{
    find "$root" -type f -name "$1"
}

there()
{
    installed "$1" >"$log"
    [[ -s $log ]]
}

echo "1..6"
make installdirs install-data DESTDIR="$root" transform='s,^,other-,' >"$log" 2>&1 </dev/null
verdict $? "make install-data, with the folders of all that is installed"

there 'mt_lock_acquire.3' && there 'linuxmt.7' && there 'linuxmt.h' && there 'linuxmt.pc'
verdict $? "what is the library's keeps its name"

there 'other-mtrace.1' && there 'other-mtrace-locks.1' && there 'other-mtrace-json.5' && ! there 'mtrace*.[15]'
verdict $? "the command's pages go by its name"

if [[ -e mtrace ]]; then
    completion=$(installed other-mtrace)
    # shellcheck disable=SC1090 # it is what this is about
    (source "$completion" && complete -p other-mtrace) >"$log" 2>&1
    verdict $? "its completion goes by its name"
else
    skip "its completion goes by its name" "mtrace is not built here"
fi

# What the shared library asks for, a program that is linked with the static one must be told to link.
readelf -d .libs/liblinuxmt.so | sed -n 's/.*(NEEDED).*\[lib\(.*\)\.so.*/\1/p' | grep -vE '^(c|gcc_s|[a-z]*san)$' |
    while read -r library; do
        grep -q "^Libs.private:.* -l$library\b" "$(installed linuxmt.pc)" || echo "-l$library is missing"
    done >"$log"
silent "linuxmt.pc names all that the static library needs"

make uninstall DESTDIR="$root" transform='s,^,other-,' >"$log" 2>&1 </dev/null && ! there '*'
verdict $? "make uninstall leaves nothing"
