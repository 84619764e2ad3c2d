/* SPDX-License-Identifier: MIT */
#ifndef TASK_DEADLOCK_H
#define TASK_DEADLOCK_H

#include "wait/wait.h"

/* Words that name an owner (a lock's, a once's) keep its kernel tid here. */
#define MT__OWNER_MASK 0x3fffffffu

/* A future's word is followed by the tid of the thread that runs its task, while the low bits of the word say this. */
#define MT__FUTURE_STATE   3u
#define MT__FUTURE_STARTED 1u

/* Called by a task that has published a wait: does it close a circle of tasks that wait for each other? 0, or -EDEADLK
 * if so and the policy is to fail. A circle is reported once. */
int mt__deadlock_check(struct mt__wait *wait);

#endif
