# SPDX-License-Identifier: MIT
# "make bench" builds them; "bench/run TOPIC..." in the build folder runs them beside their peers.
BENCHES = bench/coro bench/lock bench/patch bench/pool bench/process bench/queue bench/sync bench/thread bench/threadpool \
	bench/trace
EXTRA_PROGRAMS += $(BENCHES)
CLEANFILES += $(BENCHES)
.PHONY: bench
bench: $(BENCHES) bench/coro-boost bench/queue-boost

# Peers in C++: where there is no Boost or no compiler for it, bench/run leaves it out and says so.
CLEANFILES += bench/coro-boost bench/queue-boost
bench/coro-boost: $(srcdir)/bench/coro-boost.cc
	-$(AM_V_GEN)$(CXX) -O2 -o $@ $(srcdir)/bench/coro-boost.cc -lboost_context
bench/queue-boost: $(srcdir)/bench/queue-boost.cc
	-$(AM_V_GEN)$(CXX) -O2 -o $@ $(srcdir)/bench/queue-boost.cc -lrt -pthread
BENCH_LINK = $(AM_LDFLAGS) -no-install

# the switch itself is not exported
bench_coro_CFLAGS = $(AM_CFLAGS) -O2
bench_coro_LDADD = libmtcore.la -lpthread
bench_coro_LDFLAGS = $(BENCH_LINK)
bench_lock_CPPFLAGS = $(AM_CPPFLAGS) $(NSYNC_CPPFLAGS)
bench_lock_CFLAGS = $(AM_CFLAGS) -O2
bench_lock_LDADD = liblinuxmt.la $(NSYNC_LIBS) -lpthread
bench_lock_LDFLAGS = $(BENCH_LINK)
bench_patch_CFLAGS = $(AM_CFLAGS) -O2
bench_patch_LDADD = liblinuxmt-patch.la liblinuxmt.la -lpthread
bench_patch_LDFLAGS = $(BENCH_LINK)
bench_pool_CFLAGS = $(AM_CFLAGS) -O2
bench_pool_LDADD = liblinuxmt.la
bench_pool_LDFLAGS = $(BENCH_LINK)
bench_process_CFLAGS = $(AM_CFLAGS) -O2
bench_process_LDADD = liblinuxmt.la
bench_process_LDFLAGS = $(BENCH_LINK)
bench_sync_CPPFLAGS = $(AM_CPPFLAGS) $(NSYNC_CPPFLAGS)
bench_sync_CFLAGS = $(AM_CFLAGS) -O2
bench_sync_LDADD = liblinuxmt.la $(NSYNC_LIBS) -lpthread
bench_sync_LDFLAGS = $(BENCH_LINK)
bench_queue_CFLAGS = $(AM_CFLAGS) -O2
bench_queue_LDADD = liblinuxmt.la
bench_queue_LDFLAGS = $(BENCH_LINK)
bench_thread_CFLAGS = $(AM_CFLAGS) -O2
bench_thread_LDADD = liblinuxmt.la -lpthread
bench_thread_LDFLAGS = $(BENCH_LINK)
bench_threadpool_CFLAGS = $(AM_CFLAGS) -O2
bench_threadpool_LDADD = liblinuxmt.la -lpthread
bench_threadpool_LDFLAGS = $(BENCH_LINK)
bench_trace_CFLAGS = $(AM_CFLAGS) -O2
bench_trace_LDADD = -lpthread
bench_trace_LDFLAGS = $(BENCH_LINK)

EXTRA_DIST += bench/run bench/coro-boost.cc bench/coro-python.py bench/pool.py bench/queue-boost.cc bench/queue-python.py bench/threadpool.py
