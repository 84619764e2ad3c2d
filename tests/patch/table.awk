# SPDX-License-Identifier: MIT
#
# The table of liblinuxmt-patch(7), from lib/patch/names.def: awk -f tests/patch/table.awk lib/patch/names.def. Names of a
# class that fare alike are one entry. names.t compares it with the page.
function flush_group()
{
    if (!count)
        return
    printf ".It"
    for (i = 1; i <= count; i++)
        printf "%s %s", (i == 1 ? "" : " ,"), names[i]
    print ""
    print said[verdict] (why == "" ? "." : ": " why ".")
    count = 0
}

BEGIN {
    said["COOPERATIVE"] = "Cooperative"
    said["OFF_HUB"] = "Off the hub"
    said["PASSES"] = "Passes through"
    said["NOT_COVERED"] = "Not covered"
    order = "SLEEP SOCKET SELECT FILE DNS PROCESS SIGNAL STDIO THREAD LOCK"
    split(order, classes, " ")
}

/^NAME\(/ {
    match($0, /\(.*\)$/)
    inner = substr($0, RSTART + 1, RLENGTH - 2)
    split(inner, part, ", ")
    reason = inner
    sub(/^[^"]*"/, "", reason)
    sub(/"$/, "", reason)
    key = part[2] SUBSEP part[3] SUBSEP reason
    if (!(key in members))
        keys[++key_count] = key
    members[key] = members[key] " " part[1]
}

END {
    for (c = 1; c in classes; c++) {
        head = 0
        for (k = 1; k <= key_count; k++) {
            split(keys[k], part, SUBSEP)
            if (part[1] != classes[c])
                continue
            if (!head++) {
                print ".Ss MT_PATCH_" classes[c]
                print ".Bl -tag -width Ds"
            }
            count = split(members[keys[k]], names, " ")
            verdict = part[2]
            why = part[3]
            flush_group()
        }
        if (head)
            print ".El"
    }
}
