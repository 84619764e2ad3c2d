/* SPDX-License-Identifier: MIT
 *
 * liblinuxmt: threads, processes and coroutines for C, straight on the kernel. See linuxmt(7).
 */
#ifndef LINUXMT_H
#define LINUXMT_H

#include <linuxmt/banker.h>
#include <linuxmt/barrier.h>
#include <linuxmt/channel.h>
#include <linuxmt/cond.h>
#include <linuxmt/conn.h>
#include <linuxmt/coro.h>
#include <linuxmt/deadlock.h>
#include <linuxmt/error.h>
#include <linuxmt/event.h>
#include <linuxmt/future.h>
#include <linuxmt/generator.h>
#include <linuxmt/greenlet.h>
#include <linuxmt/group.h>
#include <linuxmt/io.h>
#include <linuxmt/iter.h>
#include <linuxmt/latch.h>
#include <linuxmt/local.h>
#include <linuxmt/lock.h>
#include <linuxmt/lockorder.h>
#include <linuxmt/managed.h>
#include <linuxmt/manager.h>
#include <linuxmt/monitor.h>
#include <linuxmt/once.h>
#include <linuxmt/pilock.h>
#include <linuxmt/pool.h>
#include <linuxmt/process.h>
#include <linuxmt/promise.h>
#include <linuxmt/queue.h>
#include <linuxmt/rlock.h>
#include <linuxmt/robust.h>
#include <linuxmt/rwlock.h>
#include <linuxmt/sandbox.h>
#include <linuxmt/sem.h>
#include <linuxmt/shm.h>
#include <linuxmt/task.h>
#include <linuxmt/thread.h>
#include <linuxmt/time.h>
#include <linuxmt/timeout.h>
#include <linuxmt/timer.h>

#endif
