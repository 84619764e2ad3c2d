# SPDX-License-Identifier: MIT
# "make bench" builds them; "bench/run TOPIC..." in the build folder runs them beside their peers. bench/connections and
# bench/switches have no peers: they show that a million connections, and a hundred million switches, leave nothing behind.
BENCHES = bench/connections bench/coro bench/lock bench/patch bench/pool bench/process bench/queue bench/sleepers bench/switches bench/sync \
	bench/thread bench/threadpool bench/trace
if HAVE_URING
BENCHES += bench/echo bench/echo-server bench/echo-uring
endif
EXTRA_PROGRAMS += $(BENCHES)
CLEANFILES += $(BENCHES)
.PHONY: bench bench-programs
bench-programs: $(BENCHES)
bench: bench-programs $(PEERS)

# Peers with libraries and compilers of their own: where there is none, bench/run leaves it out and says so.
PEERS = bench/clients-hiredis bench/clients-libpq bench/coro-boost bench/coro-fiber bench/coro-go bench/coro-st bench/echo-asio bench/echo-go bench/echo-st \
	bench/echo-uv bench/queue-boost bench/sleepers-go bench/sleepers-st
CLEANFILES += $(PEERS)
# Ours, but on a library of others'.
BUILD_CLIENTS = -$(AM_V_GEN)$(CC) -std=gnu11 -O2 -I$(srcdir)/lib -I/usr/include/postgresql -o $@ $(srcdir)/$@.c \
	$(srcdir)/bench/clients.c -L.libs -Wl,-rpath,$(abs_builddir)/.libs -llinuxmt-patch -llinuxmt -lpthread
bench/clients-hiredis: $(srcdir)/bench/clients-hiredis.c $(srcdir)/bench/clients.c $(srcdir)/bench/clients.h liblinuxmt-patch.la
	$(BUILD_CLIENTS) -lhiredis
bench/clients-libpq: $(srcdir)/bench/clients-libpq.c $(srcdir)/bench/clients.c $(srcdir)/bench/clients.h liblinuxmt-patch.la
	$(BUILD_CLIENTS) -lpq
bench/coro-fiber: $(srcdir)/bench/coro-fiber.cc
	-$(AM_V_GEN)$(CXX) -O2 -o $@ $(srcdir)/bench/coro-fiber.cc -lboost_fiber -lboost_context
bench/coro-go: $(srcdir)/bench/coro-go.go
	-$(AM_V_GEN)go build -o $@ $(srcdir)/bench/coro-go.go
bench/coro-st: $(srcdir)/bench/coro-st.c
	-$(AM_V_GEN)$(CC) -O2 -o $@ $(srcdir)/bench/coro-st.c -lst
bench/coro-boost: $(srcdir)/bench/coro-boost.cc
	-$(AM_V_GEN)$(CXX) -O2 -o $@ $(srcdir)/bench/coro-boost.cc -lboost_context
bench/queue-boost: $(srcdir)/bench/queue-boost.cc
	-$(AM_V_GEN)$(CXX) -O2 -o $@ $(srcdir)/bench/queue-boost.cc -lrt -pthread
bench/echo-asio: $(srcdir)/bench/echo-asio.cc
	-$(AM_V_GEN)$(CXX) -std=c++20 -O2 -w -o $@ $(srcdir)/bench/echo-asio.cc -pthread
bench/echo-go: $(srcdir)/bench/echo-go.go
	-$(AM_V_GEN)GO111MODULE=off go build -o $@ $(srcdir)/bench/echo-go.go
bench/echo-st: $(srcdir)/bench/echo-st.c
	-$(AM_V_GEN)$(CC) -O2 -o $@ $(srcdir)/bench/echo-st.c -lst
bench/echo-uv: $(srcdir)/bench/echo-uv.c
	-$(AM_V_GEN)$(CC) -O2 -o $@ $(srcdir)/bench/echo-uv.c -luv
bench/sleepers-go: $(srcdir)/bench/sleepers-go.go
	-$(AM_V_GEN)GO111MODULE=off go build -o $@ $(srcdir)/bench/sleepers-go.go
bench/sleepers-st: $(srcdir)/bench/sleepers-st.c
	-$(AM_V_GEN)$(CC) -O2 -o $@ $(srcdir)/bench/sleepers-st.c -lst

# the switch itself is not exported
bench_coro_CFLAGS = $(AM_CFLAGS) -O2
bench_coro_LDADD = $(MTCORE)
bench_coro_LINK = $(LINK)
bench_connections_CFLAGS = $(AM_CFLAGS) -O2
bench_connections_LDADD = $(LINUXMT)
bench_connections_LINK = $(LINK)
bench_echo_CPPFLAGS = $(AM_CPPFLAGS) $(URING_CPPFLAGS)
bench_echo_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS) -O2
bench_echo_LDADD = $(URING_LIBS)
bench_echo_LINK = $(LINK)
bench_echo_server_SOURCES = bench/echo-server.c bench/echo-server.h bench/echo-epoll.c bench/echo-threads.c
bench_echo_server_CFLAGS = $(AM_CFLAGS) -O2
bench_echo_server_LDADD = $(LINUXMT)
bench_echo_server_LINK = $(LINK)
bench_echo_uring_SOURCES = bench/echo-uring.c bench/echo-server.h
bench_echo_uring_CPPFLAGS = $(AM_CPPFLAGS) $(URING_CPPFLAGS)
bench_echo_uring_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS) -O2
bench_echo_uring_LDADD = $(URING_LIBS)
bench_echo_uring_LINK = $(LINK)
bench_lock_CPPFLAGS = $(AM_CPPFLAGS) $(NSYNC_CPPFLAGS)
bench_lock_CFLAGS = $(AM_CFLAGS) -O2
bench_lock_LDADD = $(LINUXMT) $(NSYNC_LIBS)
bench_lock_LINK = $(LINK)
bench_patch_CFLAGS = $(AM_CFLAGS) -O2
bench_patch_LDADD = $(LINUXMT_PATCH) $(LINUXMT)
bench_patch_LINK = $(LINK)
bench_pool_CFLAGS = $(AM_CFLAGS) -O2
bench_pool_LDADD = $(LINUXMT)
bench_pool_LINK = $(LINK)
bench_process_CFLAGS = $(AM_CFLAGS) -O2
bench_process_LDADD = $(LINUXMT)
bench_process_LINK = $(LINK)
bench_sleepers_CFLAGS = $(AM_CFLAGS) -O2
bench_sleepers_LDADD = $(LINUXMT)
bench_sleepers_LINK = $(LINK)
bench_switches_CFLAGS = $(AM_CFLAGS) -O2
bench_switches_LDADD = $(LINUXMT)
bench_switches_LINK = $(LINK)
bench_sync_CPPFLAGS = $(AM_CPPFLAGS) $(NSYNC_CPPFLAGS)
bench_sync_CFLAGS = $(AM_CFLAGS) -O2
bench_sync_LDADD = $(LINUXMT) $(NSYNC_LIBS)
bench_sync_LINK = $(LINK)
bench_queue_CFLAGS = $(AM_CFLAGS) -O2
bench_queue_LDADD = $(LINUXMT)
bench_queue_LINK = $(LINK)
bench_thread_CFLAGS = $(AM_CFLAGS) -O2
bench_thread_LDADD = $(LINUXMT)
bench_thread_LINK = $(LINK)
bench_threadpool_CFLAGS = $(AM_CFLAGS) -O2
bench_threadpool_LDADD = $(LINUXMT)
bench_threadpool_LINK = $(LINK)
bench_trace_CFLAGS = $(AM_CFLAGS) -O2
bench_trace_LDADD = -lpthread
bench_trace_LINK = $(LINK)

EXTRA_DIST += bench/run bench/servers.py bench/clients.c bench/clients.h bench/clients-gevent.py bench/clients-hiredis.c \
	bench/clients-libpq.c bench/coro-boost.cc bench/coro-fiber.cc bench/coro-go.go bench/coro-python.py bench/coro-st.c \
	bench/echo-asio.cc bench/echo-gevent.py bench/echo-go.go bench/echo-st.c bench/echo-uv.c bench/pool.py \
	bench/queue-boost.cc bench/queue-python.py bench/sleepers-gevent.py bench/sleepers-go.go bench/sleepers-st.c \
	bench/threadpool.py
