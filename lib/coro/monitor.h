/* SPDX-License-Identifier: MIT */
#ifndef CORO_MONITOR_H
#define CORO_MONITOR_H

#include "coro/hub.h"
#include <linuxmt/monitor.h>

/* The hub's own: it turns. */
static inline void mt__monitor_beat(struct mt__hub *hub)
{
    __atomic_store_n(&hub->turns, hub->turns + 1, __ATOMIC_RELAXED);
}

/* The hub has been opened, and is about to go. */
void mt__monitor_enter(struct mt__hub *hub);
void mt__monitor_leave(struct mt__hub *hub);

/* Threads that are the monitor's. */
unsigned mt__monitor_threads(void);

/* monitor-look.c: who keeps the hub, in which call, and where. The frames and names are in the buffers given. */
#define MT__MONITOR_FRAMES 32
struct mt__look {
    struct mt_blocked blocked;
    char name[MT_NAME_MAX];
    char call[32];
    void *frames[MT__MONITOR_FRAMES];
};
void mt__monitor_look(struct mt__hub *hub, struct mt__look *look);
void mt__monitor_forget(struct mt__watch *watch); /* the thread's own: its pictures */
int mt__monitor_prepare(void);                    /* the signal; 0 or -errno, and then computations have no stack */
int64_t mt__monitor_processor(const struct mt__hub *hub);

/* monitor-text.c */
void mt__monitor_call_name(long number, char *name, size_t size);
void mt__monitor_write(const struct mt__look *look, int64_t threshold, char *text, size_t size);

#endif
