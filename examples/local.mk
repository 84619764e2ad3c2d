# SPDX-License-Identifier: MIT
# One small program for each thing a newcomer wants to do. -no-install makes them ordinary executables that find the
# library in the build folder, not libtool's wrapper scripts, so that "mtrace -- examples/bank" traces the bank and not
# a shell.
EXAMPLES = examples/bank examples/banker examples/coroutines examples/deadlock examples/generator \
	examples/greenlet examples/hello examples/iter examples/manager examples/mixture examples/patched \
	examples/pool examples/processes examples/queue examples/race examples/talk examples/timer
noinst_PROGRAMS += $(EXAMPLES)

EXAMPLE_LINK = $(AM_LDFLAGS) -no-install
examples_bank_LDADD = liblinuxmt.la
examples_bank_LDFLAGS = $(EXAMPLE_LINK)
examples_banker_LDADD = liblinuxmt.la
examples_banker_LDFLAGS = $(EXAMPLE_LINK)
examples_coroutines_LDADD = liblinuxmt.la
examples_coroutines_LDFLAGS = $(EXAMPLE_LINK)
examples_mixture_LDADD = liblinuxmt.la
examples_mixture_LDFLAGS = $(EXAMPLE_LINK)
examples_deadlock_LDADD = liblinuxmt.la
examples_deadlock_LDFLAGS = $(EXAMPLE_LINK)
examples_hello_LDADD = liblinuxmt.la
examples_hello_LDFLAGS = $(EXAMPLE_LINK)
examples_manager_LDADD = liblinuxmt.la
examples_manager_LDFLAGS = $(EXAMPLE_LINK)
examples_processes_LDADD = liblinuxmt.la
examples_processes_LDFLAGS = $(EXAMPLE_LINK)
examples_queue_LDADD = liblinuxmt.la
examples_queue_LDFLAGS = $(EXAMPLE_LINK)
examples_race_LDADD = liblinuxmt.la
examples_race_LDFLAGS = $(EXAMPLE_LINK)
examples_talk_LDADD = liblinuxmt.la
examples_talk_LDFLAGS = $(EXAMPLE_LINK)
examples_pool_LDADD = liblinuxmt.la
examples_pool_LDFLAGS = $(EXAMPLE_LINK)
examples_timer_LDADD = liblinuxmt.la
examples_timer_LDFLAGS = $(EXAMPLE_LINK)
examples_generator_LDADD = liblinuxmt.la
examples_generator_LDFLAGS = $(EXAMPLE_LINK)
examples_greenlet_LDADD = liblinuxmt.la
examples_greenlet_LDFLAGS = $(EXAMPLE_LINK)
examples_iter_LDADD = liblinuxmt.la
examples_iter_LDFLAGS = $(EXAMPLE_LINK)
examples_patched_LDADD = liblinuxmt-patch.la liblinuxmt.la
examples_patched_LDFLAGS = $(EXAMPLE_LINK)
