# SPDX-License-Identifier: MIT
# mtrace. It is built only with the eBPF programs; its sources are in the distribution either way.
MTRACE_COMMAND = \
	tools/mtrace/main.c \
	tools/mtrace/cmd-patch.c \
	tools/mtrace/cmd.h

# What a recording is made of and how it is printed.
MTRACE_RECORD = \
	tools/mtrace/cmd-record.c \
	tools/mtrace/cmd-locks.c \
	tools/mtrace/cmd-sched.c \
	tools/mtrace/cmd-queues.c \
	tools/mtrace/cmd-pool.c \
	tools/mtrace/cmd-coros.c \
	tools/mtrace/coros.c \
	tools/mtrace/coros.h \
	tools/mtrace/record.c \
	tools/mtrace/record.h \
	tools/mtrace/options.c \
	tools/mtrace/options.h \
	tools/mtrace/launch.c \
	tools/mtrace/launch.h \
	tools/mtrace/session.c \
	tools/mtrace/session.h \
	tools/mtrace/session-queues.c \
	tools/mtrace/library.c \
	tools/mtrace/library.h \
	tools/mtrace/records.c \
	tools/mtrace/records.h \
	tools/mtrace/queues.c \
	tools/mtrace/queues.h \
	tools/mtrace/names.c \
	tools/mtrace/names.h \
	tools/mtrace/model.c \
	tools/mtrace/model.h \
	tools/mtrace/lookup.c \
	tools/mtrace/lookup.h \
	tools/mtrace/model-waits.c \
	tools/mtrace/model-wait-names.c \
	tools/mtrace/model-locks.c \
	tools/mtrace/model-holders.c \
	tools/mtrace/model-circle.c \
	tools/mtrace/model-kinds.c \
	tools/mtrace/model-stacks.c \
	tools/mtrace/model-text.c \
	tools/mtrace/model-ends.c \
	tools/mtrace/model-queues.c \
	tools/mtrace/model-pools.c \
	tools/mtrace/model-coro.h \
	tools/mtrace/model-coros.c \
	tools/mtrace/model-lost.c \
	tools/mtrace/left.c tools/mtrace/left.h \
	tools/mtrace/model-coro-waits.c \
	tools/mtrace/model-coro-words.c \
	tools/mtrace/model-hubs.c \
	tools/mtrace/model-inversions.c \
	tools/mtrace/reason.c \
	tools/mtrace/verdict.c \
	tools/mtrace/verdict-behind.c \
	tools/mtrace/verdict-queues.c \
	tools/mtrace/verdict-pools.c \
	tools/mtrace/verdict-coros.c \
	tools/mtrace/histogram.c \
	tools/mtrace/histogram.h \
	tools/mtrace/code-text.c \
	tools/mtrace/code-text.h \
	tools/mtrace/format.c \
	tools/mtrace/format.h \
	tools/mtrace/output.c \
	tools/mtrace/output.h \
	tools/mtrace/report.c \
	tools/mtrace/report.h \
	tools/mtrace/report-tasks.c \
	tools/mtrace/report-waits.c \
	tools/mtrace/report-locks.c \
	tools/mtrace/report-sched.c \
	tools/mtrace/report-queues.c \
	tools/mtrace/report-pools.c \
	tools/mtrace/report-coros.c \
	tools/mtrace/report-coro-waits.c \
	tools/mtrace/report-inversions.c \
	tools/mtrace/json.c \
	tools/mtrace/json.h \
	tools/mtrace/json-queues.c \
	tools/mtrace/json-pools.c \
	tools/mtrace/json-coros.c \
	tools/mtrace/report-json.c

# Symbols, task records, privileges, stuck processes.
MTRACE_STUCK = \
	tools/mtrace/cmd-doctor.c \
	tools/mtrace/doctor.h \
	tools/mtrace/doctor-hooks.c \
	tools/mtrace/doctor-system.c \
	tools/mtrace/cmd-deadlock.c \
	tools/mtrace/deadlock.h \
	tools/mtrace/deadlock-circles.c \
	tools/mtrace/deadlock-json.c \
	tools/mtrace/deadlock-text.c \
	tools/mtrace/deadlock-waits.c \
	tools/mtrace/deadlock-words.c \
	tools/mtrace/reader.c \
	tools/mtrace/reader.h \
	tools/mtrace/reader-bpf.c \
	tools/mtrace/reader-proc.c \
	tools/mtrace/tasks.c \
	tools/mtrace/tasks.h \
	tools/mtrace/confine.c \
	tools/mtrace/confine.h \
	tools/mtrace/caps.c \
	tools/mtrace/caps.h \
	tools/mtrace/symbols.c \
	tools/mtrace/symbols.h \
	tools/mtrace/symbols-code.c \
	tools/mtrace/symbols-data.c \
	tools/mtrace/symbols-internal.h \
	tools/mtrace/symbols-maps.c \
	tools/mtrace/symbols-member.c \
	tools/mtrace/symbols-names.c \
	tools/mtrace/symbols-unwind.c

if WITH_BPF
bin_PROGRAMS += mtrace
mtrace_SOURCES = $(MTRACE_COMMAND) $(MTRACE_RECORD) $(MTRACE_STUCK)
mtrace_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CPPFLAGS) -I$(top_builddir)/bpf -I$(top_srcdir)/bpf -I$(top_srcdir)/tools/mtrace -DMT_LIBDIR='"$(libdir)"'
mtrace_CFLAGS = $(AM_CFLAGS) $(LIBBPF_CFLAGS) $(LIBDW_CFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)
# A fresh build of mtrace alone has to make the programs first.
$(mtrace_OBJECTS): | $(BPF_SKELS)
mtrace_LDADD = $(LIBBPF_LIBS) $(LIBDW_LIBS) -lelf $(JANSSON_LIBS) $(SECCOMP_LIBS) -lm

# The completion goes by the command's name, which --program-prefix and its kin change: they do not know of DATA.
MTRACE_COMPLETION = $(DESTDIR)$(bashcompletiondir)/`echo mtrace | sed '$(transform)'`
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(bashcompletiondir)"
	$(INSTALL_DATA) $(srcdir)/completions/mtrace "$(MTRACE_COMPLETION)"
uninstall-local:
	rm -f "$(MTRACE_COMPLETION)"
endif
EXTRA_DIST += completions/mtrace

# For gdb: lists stacks. In pkgdata, not gdb's auto-load folder, whose place is gdb's to say.
dist_pkgdata_DATA = %D%/gdb/linuxmt-gdb.py
