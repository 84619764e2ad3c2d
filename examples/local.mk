# SPDX-License-Identifier: MIT
# One small program for each thing a newcomer wants to do. They are ordinary executables that find the library in the
# build folder, not libtool's wrapper scripts, so that "mtrace -- examples/bank" traces the bank and not a shell.
EXAMPLES = examples/bank examples/banker examples/coroutines examples/deadlock examples/generator \
	examples/greenlet examples/hello examples/iter examples/manager examples/mixture examples/patched \
	examples/pool examples/processes examples/queue examples/race examples/talk examples/timer
noinst_PROGRAMS += $(EXAMPLES)
examples_bank_LDADD = $(LINUXMT)
examples_banker_LDADD = $(LINUXMT)
examples_coroutines_LDADD = $(LINUXMT)
examples_mixture_LDADD = $(LINUXMT)
examples_deadlock_LDADD = $(LINUXMT)
examples_hello_LDADD = $(LINUXMT)
examples_manager_LDADD = $(LINUXMT)
examples_processes_LDADD = $(LINUXMT)
examples_queue_LDADD = $(LINUXMT)
examples_race_LDADD = $(LINUXMT)
examples_talk_LDADD = $(LINUXMT)
examples_pool_LDADD = $(LINUXMT)
examples_timer_LDADD = $(LINUXMT)
examples_generator_LDADD = $(LINUXMT)
examples_greenlet_LDADD = $(LINUXMT)
examples_iter_LDADD = $(LINUXMT)
examples_patched_LDADD = $(LINUXMT_PATCH) $(LINUXMT)
