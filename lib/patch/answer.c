/* SPDX-License-Identifier: MIT
 *
 * Answers in memory of the task's. See patch/answer.h.
 */
#include "patch/answer.h"

#include <stdlib.h>

void mt__answer_free(void *arg)
{
    struct mt__answer *answer = arg;

    free(answer->buffer);
    free(answer);
}

int mt__answer_grow(struct mt__answer *answer)
{
    size_t size = answer->size ? answer->size * 2 : 1024;
    char *buffer = realloc(answer->buffer, size);

    if (!buffer)
        return 0;
    answer->buffer = buffer;
    answer->size = size;
    return 1;
}

static struct mt__answer *make(struct mt_local *answers)
{
    struct mt__answer *answer = mt__alloc(sizeof *answer);

    if (answer && mt__answer_grow(answer) && !mt_local_set(answers, answer))
        return answer;
    if (answer)
        mt__answer_free(answer);
    errno = ENOMEM;
    return NULL;
}

struct mt__answer *mt__answer(struct mt_local *answers)
{
    struct mt__answer *answer = mt_local_get(answers);

    return answer ? answer : make(answers);
}
