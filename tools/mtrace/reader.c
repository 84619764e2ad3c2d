/* SPDX-License-Identifier: MIT
 *
 * What both means of reading have in common. What comes out of another process is bytes, not facts: strings are
 * checked.
 */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void reader_close(struct reader *reader)
{
    if (reader->means)
        reader->means->close(reader);
    *reader = (struct reader){0};
}

int reader_list(struct reader *reader, pid_t pid, struct stuck_task **tasks, size_t *count)
{
    *tasks = NULL;
    *count = 0;
    int error = reader->means->list(reader, pid, tasks, count);
    if (!error && !*count)
        error = -ESRCH;
    if (error) {
        free(*tasks);
        *tasks = NULL;
        *count = 0;
    }
    return error;
}

size_t reader_memory(struct reader *reader, const struct stuck_task *task, uint64_t address, void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        uint64_t at = address + done;
        size_t part = STUCK_PAGE - at % STUCK_PAGE;
        if (part > size - done)
            part = size - done;
        size_t got = reader->means->memory(reader, task, at, (char *)bytes + done, part);
        done += got;
        if (got < part)
            break;
    }
    return done;
}

bool reader_string(struct reader *reader, const struct stuck_task *task, uint64_t address, char *text, size_t size)
{
    text[0] = 0;
    if (address < STUCK_PAGE)
        return false;
    size_t got = reader_memory(reader, task, address, text, size - 1);
    text[got] = 0;
    for (unsigned char *at = (unsigned char *)text; *at; at++)
        if (*at < ' ' || *at == 127) {
            text[0] = 0;
            return false;
        }
    return text[0];
}

int reader_add(struct stuck_task **tasks, size_t *count, const struct stuck_task *task)
{
    if (!(*count & (*count - 1))) { /* full at each power of 2 */
        struct stuck_task *larger = reallocarray(*tasks, *count ? *count * 2 : 1, sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        *tasks = larger;
    }
    (*tasks)[(*count)++] = *task;
    return 0;
}
