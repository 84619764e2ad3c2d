# SPDX-License-Identifier: MIT
# liblinuxmt-patch: libc's blocking names. It must stand before libc in the order of linking, so nothing may drop it as unneeded.
lib_LTLIBRARIES += liblinuxmt-patch.la
liblinuxmt_patch_la_SOURCES = %D%/answer.c %D%/answer.h %D%/belief.c %D%/belief.h %D%/close.c %D%/connect.c %D%/dns.c %D%/fd.c %D%/fd.h %D%/file.c %D%/handler.c %D%/ipc.c %D%/names.def %D%/netdb.c %D%/off.c %D%/patch.c %D%/patch.h \
	%D%/process.c %D%/read-stream.c %D%/receive.c %D%/receive.h %D%/receive-many.c %D%/receive-wait.c %D%/select.c %D%/send.c %D%/signal.c %D%/sleep.c %D%/stderr.c %D%/stream.c %D%/stream.h %D%/transfer.c %D%/undeclared.h %D%/users.c %D%/wait.c %D%/wide.c %D%/wide-format.c %D%/write-stream.c
liblinuxmt_patch_la_CPPFLAGS = $(AM_CPPFLAGS) $(URING_CPPFLAGS)
# Nothing of libc may be taken for a builtin here, and no name given an attribute that its definition contradicts.
liblinuxmt_patch_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -fno-builtin
liblinuxmt_patch_la_LIBADD = liblinuxmt.la -ldl
liblinuxmt_patch_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(MT_LIBVERSION) -no-undefined
# A program may have some of these names itself (Erlang's has sigaction, by way of __sigaction): ours do not go there.
liblinuxmt_patch_la_LDFLAGS += -Wl,-Bsymbolic-functions
if HAVE_MAP
liblinuxmt_patch_la_LDFLAGS += -Wl,--version-script=$(srcdir)/%D%/patch.map
EXTRA_liblinuxmt_patch_la_DEPENDENCIES = %D%/patch.map
endif
EXTRA_DIST += %D%/patch.map
LINUXMT_PATCH = .libs/liblinuxmt-patch.@MT_LIBEXT@
.libs/liblinuxmt-patch.@MT_LIBEXT@: liblinuxmt-patch.la ;

# Its threads and locks. Threads are left through frames of the library.
liblinuxmt_patch_la_CFLAGS += -fexceptions
liblinuxmt_patch_la_SOURCES += %D%/barrier.c %D%/cond.c %D%/futex.c %D%/key.c %D%/layout.c %D%/layout.h %D%/locks.c %D%/arrived.c %D%/kill.c %D%/leave.c %D%/locks.h %D%/mailbox.c %D%/mask.c %D%/sigmask.c %D%/mutex.c %D%/once.c \
	%D%/pthreads.h %D%/rwlock.c %D%/sem.c %D%/sent.c %D%/signals.h %D%/thread.c %D%/thread-ask.c %D%/thread-exit.c %D%/thread-hubs.c %D%/thread-join.c %D%/thread-name.c \
	%D%/vfork.c lib/arch/@MT_ARCH@/vfork.S

# And what threads have for their own.
liblinuxmt_patch_la_SOURCES += %D%/dlopen.c %D%/modules.c %D%/modules.h %D%/storage.c %D%/storage.h %D%/thread-id.c %D%/thread-local.c \
	%D%/thread-signals.c lib/arch/@MT_ARCH@/dlopen.S
# Beside libc: libaio and liburing.
liblinuxmt_patch_la_SOURCES += %D%/libaio.c %D%/libaio.h %D%/ring.h
if HAVE_URING
liblinuxmt_patch_la_SOURCES += %D%/ring.c %D%/ring-calls.c
liblinuxmt_patch_la_CPPFLAGS += $(URING_CFLAGS)
liblinuxmt_patch_la_LIBADD += $(URING_LIBS)
endif
# And their time slices.
liblinuxmt_patch_la_SOURCES += %D%/slice.c %D%/slice.h %D%/slice-signal.c %D%/slice-stack.c %D%/slice-watch.c
EXTRA_DIST += lib/arch/x86_64/dlopen.S lib/arch/x86_64/vfork.S lib/arch/aarch64/dlopen.S lib/arch/aarch64/vfork.S
