# SPDX-License-Identifier: MIT
# libmtcore is the library before the symbol map: unit tests link it and reach what is internal.
include_HEADERS = %D%/linuxmt.h
mtincludedir = $(includedir)/linuxmt
mtinclude_HEADERS = %D%/linuxmt/banker.h %D%/linuxmt/barrier.h %D%/linuxmt/channel.h %D%/linuxmt/compiler.h \
	%D%/linuxmt/cond.h %D%/linuxmt/conn.h %D%/linuxmt/coro.h %D%/linuxmt/deadlock.h %D%/linuxmt/error.h \
	%D%/linuxmt/event.h %D%/linuxmt/future.h %D%/linuxmt/generator.h %D%/linuxmt/greenlet.h %D%/linuxmt/group.h \
	%D%/linuxmt/io.h %D%/linuxmt/iter.h %D%/linuxmt/latch.h %D%/linuxmt/local.h %D%/linuxmt/lock.h \
	%D%/linuxmt/lockorder.h %D%/linuxmt/managed.h %D%/linuxmt/manager.h %D%/linuxmt/monitor.h %D%/linuxmt/once.h %D%/linuxmt/patch.h %D%/linuxmt/pilock.h \
	%D%/linuxmt/pool.h %D%/linuxmt/process.h %D%/linuxmt/promise.h %D%/linuxmt/queue.h %D%/linuxmt/rlock.h %D%/linuxmt/robust.h \
	%D%/linuxmt/rwlock.h %D%/linuxmt/sandbox.h %D%/linuxmt/sem.h %D%/linuxmt/shm.h %D%/linuxmt/task.h \
	%D%/linuxmt/thread.h %D%/linuxmt/time.h %D%/linuxmt/timeout.h %D%/linuxmt/timer.h

noinst_LTLIBRARIES += libmtcore.la
libmtcore_la_SOURCES = \
	%D%/arch/arch.h %D%/arch/@MT_ARCH@/arch.h %D%/arch/@MT_ARCH@/clone.S %D%/arch/@MT_ARCH@/switch.S %D%/arch/@MT_ARCH@/switch.h \
	%D%/base/clock.c %D%/base/clock.h %D%/base/mini.h %D%/base/own.c %D%/base/own.h %D%/base/single.h %D%/base/outcome.c %D%/base/probe.h %D%/base/probes.c \
	%D%/base/probes.def %D%/base/record.c %D%/base/record.h %D%/base/rseq.c %D%/base/rseq.h %D%/base/seam.h %D%/base/sys.c %D%/base/sys.h %D%/base/task.c %D%/base/task.h \
	%D%/wait/fd.c %D%/wait/sleep.c %D%/wait/timeout.c %D%/wait/wait.c %D%/wait/wait.h %D%/wait/pi.c %D%/wait/pi.h \
	%D%/task/deadlock.c %D%/task/deadlock.h %D%/task/info.c %D%/task/iwait.c %D%/task/join.c %D%/task/link.c %D%/task/local.c %D%/task/task.c \
	%D%/sync/any.c %D%/sync/banker.c %D%/sync/barrier.c %D%/sync/cond.c %D%/sync/event.c %D%/sync/latch.c %D%/sync/lock.c \
	%D%/sync/lock.h %D%/sync/lockgraph.c %D%/sync/lockgraph.h %D%/sync/lockorder.c %D%/sync/lockorder.h \
	%D%/sync/once.c %D%/sync/pilock.c %D%/sync/rlock.c %D%/sync/robust-list.c %D%/sync/robust-list.h \
	%D%/sync/robust.c %D%/sync/robust-cond.c %D%/sync/rwlock.c %D%/sync/sem.c \
	%D%/thread/glibc.c %D%/thread/glibc.h %D%/thread/pthread.c %D%/thread/raw.c %D%/thread/slot.c %D%/thread/slot.h \
	%D%/thread/thread.c %D%/thread/thread.h %D%/thread/timer.c %D%/thread/timer.h \
	%D%/process/array.c %D%/process/child.c %D%/process/conn-address.c %D%/process/conn-auth.c %D%/process/conn-wait.c %D%/process/conn.c \
	%D%/process/conn.h %D%/process/end.c %D%/process/exec.c %D%/process/fork.c %D%/process/function.c \
	%D%/process/init.c %D%/process/process.c %D%/process/process.h %D%/process/sandbox.c %D%/process/sandbox.h \
	%D%/process/server.c %D%/process/shm.c %D%/process/start.c \
	%D%/coro/advise.c %D%/coro/advise.h %D%/coro/context.c %D%/coro/context.h %D%/coro/coro.c %D%/coro/coro.h %D%/coro/file.c %D%/coro/futex-hash.c %D%/coro/helper.c \
	%D%/coro/hub.c %D%/coro/hub.h %D%/coro/hub-life.c %D%/coro/idle.c %D%/coro/io.c %D%/coro/io.h %D%/coro/leaks.c %D%/coro/loop-epoll.c %D%/coro/loop.c %D%/coro/net.c \
	%D%/coro/arm.c %D%/coro/overflow.c %D%/coro/park.c %D%/coro/park-io.c %D%/coro/stack.c %D%/coro/stack.h %D%/coro/stuck.c %D%/coro/terms.c %D%/coro/timers.c \
	%D%/coro/monitor.c %D%/coro/monitor.h %D%/coro/monitor-look.c %D%/coro/monitor-text.c %D%/coro/tell.c %D%/coro/tell.h \
	%D%/coro/unwind.c %D%/coro/unwind.h %D%/coro/unwind-table.c %D%/coro/unwind-table.h \
	%D%/coro/gen-from.c %D%/coro/gen.c %D%/coro/greenlet-view.c %D%/coro/greenlet.c %D%/coro/greenlet.h \
	%D%/coro/iter-adapt.c %D%/coro/iter-join.c %D%/coro/iter-source.c %D%/coro/iter.c %D%/coro/iter.h \
	%D%/coro/thread-end.c %D%/coro/thread-end.h %D%/coro/accept.c %D%/coro/accept.h %D%/coro/receive-all.c %D%/coro/receive-all.h %D%/coro/channel.c %D%/coro/group.c \
	%D%/queue/call.c %D%/queue/call.h %D%/queue/close.c %D%/queue/get.c %D%/queue/guard.c %D%/queue/guard.h \
	%D%/queue/heap.c %D%/queue/put.c %D%/queue/ring.c %D%/queue/segment.c %D%/queue/segment.h %D%/queue/status.c %D%/queue/view.c \
	%D%/manager/call.c %D%/manager/client.h %D%/manager/line.c %D%/manager/manager.c %D%/manager/object.c %D%/manager/open.c \
	%D%/manager/page-barrier.c %D%/manager/page-rwlock.c %D%/manager/page.c %D%/manager/page.h %D%/manager/serve-dict.c %D%/manager/serve-list.c %D%/manager/serve-queue.c \
	%D%/manager/serve-monitor.c %D%/manager/serve-sync.c %D%/manager/server.c %D%/manager/server.h %D%/manager/use-dict.c %D%/manager/use-monitor.c %D%/manager/use-queue.c \
	%D%/manager/use-sync.c %D%/manager/visitor.c %D%/manager/wire.c %D%/manager/wire.h \
	%D%/pool/callback.c %D%/pool/chunk.c %D%/pool/future.c %D%/pool/imap.c %D%/pool/map.c %D%/pool/notes.c \
	%D%/pool/names.c %D%/pool/pool.c %D%/pool/pool.h %D%/pool/promise.c %D%/pool/queue.c %D%/pool/remote-process.c %D%/pool/remote.c \
	%D%/pool/remote.h %D%/pool/sent.c %D%/pool/served.c %D%/pool/window-answer.c %D%/pool/window-back.c %D%/pool/window.c \
	%D%/pool/timed.c %D%/pool/unread.c %D%/pool/worker.c
if HAVE_URING
libmtcore_la_SOURCES += %D%/coro/loop-uring.c
endif
libmtcore_la_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CPPFLAGS) $(SECCOMP_CFLAGS) $(URING_CPPFLAGS) $(URING_CFLAGS) -DMT__RELEASE='"$(PACKAGE_VERSION)"'
libmtcore_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden
libmtcore_la_LIBADD = $(MTCORE_LIBS)
MTCORE_LIBS = $(SECCOMP_LIBS) $(URING_LIBS) -ldl -lpthread

lib_LTLIBRARIES += liblinuxmt.la
liblinuxmt_la_SOURCES =
liblinuxmt_la_LIBADD = libmtcore.la
# nodelete: the kernel keeps a pointer to the restartable sequence that a thread was in last, and glibc to destructors of keys.
liblinuxmt_la_LDFLAGS = $(AM_LDFLAGS) -Wl,-z,nodelete -version-info $(MT_LIBVERSION) -no-undefined
if HAVE_MAP
liblinuxmt_la_LDFLAGS += -Wl,--version-script=$(srcdir)/%D%/liblinuxmt.map $(MT_MAP_STRICT)
EXTRA_liblinuxmt_la_DEPENDENCIES = %D%/liblinuxmt.map
endif

# The same libraries for programs of this folder, which are linked without libtool: see LINK.
MTCORE = .libs/libmtcore.a $(MTCORE_LIBS)
LINUXMT = .libs/liblinuxmt.@MT_LIBEXT@ $(MTCORE_LIBS)
.libs/libmtcore.a: libmtcore.la ;
.libs/liblinuxmt.@MT_LIBEXT@: liblinuxmt.la ;
EXTRA_DIST += %D%/liblinuxmt.map %D%/arch/x86_64/arch.h %D%/arch/x86_64/clone.S %D%/arch/x86_64/switch.S %D%/arch/x86_64/switch.h %D%/arch/aarch64/arch.h %D%/arch/aarch64/clone.S %D%/arch/aarch64/switch.S %D%/arch/aarch64/switch.h
