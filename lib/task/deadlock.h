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

/* In a hub most waits are over before the next turn. So there the check only leaves wait->suspect, and the hub, when
 * the wait has lasted to a turn, asks whether there is a circle (anybody may, with the registry's lock free), and lets
 * the task that waits make the check itself, which then finds it and reports it. */
int mt__deadlock_is_near(struct mt__wait *wait);
int mt__deadlock_check_now(struct mt__wait *wait);

#endif
