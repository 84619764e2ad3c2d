# SPDX-License-Identifier: MIT
# Everything speaks TAP. CMocka programs have no suffix; scripts end in .t and say "1..0 # SKIP why" where they cannot run.
TEST_EXTENSIONS = .t
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP_DRIVER)
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/cmocka-tap
T_LOG_DRIVER = $(TAP_DRIVER)
T_LOG_COMPILER =
AM_TESTS_ENVIRONMENT = \
	srcdir='$(srcdir)' top_srcdir='$(top_srcdir)' top_builddir='$(top_builddir)' \
	CC='$(CC)' CXX='$(CXX)' host='$(host)' mt_sanitizer='$(mt_sanitizer)'; \
	export srcdir top_srcdir top_builddir CC CXX host mt_sanitizer;
EXTRA_DIST += %D%/cmocka-tap %D%/quick-libtool %D%/tap.sh %D%/fuzz/frames.c %D%/fuzz/input.h %D%/fuzz/manager.c %D%/fuzz/manager.seeds

# Those that take longest begin first, so that with make -j none of them is left alone at the end.
# Those of mtrace mostly wait, beside those that compute. They may run at once: were one to wait for another, make would look at it again
# only at the end of its list.
LONG_TESTS = %D%/variants.t %D%/cross-aarch64.t
TESTS += $(LONG_TESTS)
if WITH_BPF
TESTS += $(STUCK_TESTS) $(RECORD_TESTS)
endif
TESTS += %D%/model/run.t
EXTRA_DIST += %D%/model/run.t
EXTRA_DIST += $(LONG_TESTS)

# unit: no privilege, CMocka. tests/unit/NOUN.c
if WITH_TESTS
UNIT_TESTS = %D%/unit/armed %D%/unit/banker %D%/unit/barrier %D%/unit/bulk %D%/unit/cancel %D%/unit/channel %D%/unit/clock %D%/unit/cond \
	%D%/unit/conn %D%/unit/coro %D%/unit/coro-alone %D%/unit/coro-fork %D%/unit/coro-kill %D%/unit/coropool %D%/unit/coropool-end %D%/unit/deadlock %D%/unit/errors %D%/unit/event \
	%D%/unit/exit-wake %D%/unit/full-ring %D%/unit/future %D%/unit/generator %D%/unit/greenlet %D%/unit/group %D%/unit/hub %D%/unit/hub-locks %D%/unit/hubtimers \
	%D%/unit/idle %D%/unit/io %D%/unit/io-bytes %D%/unit/iter %D%/unit/latch %D%/unit/leaks %D%/unit/listener %D%/unit/local %D%/unit/lock %D%/unit/lock-quiet %D%/unit/lockorder \
	%D%/unit/managed %D%/unit/managed-dict %D%/unit/managed-monitor %D%/unit/manager \
	%D%/unit/manager-hostile %D%/unit/manager-kill %D%/unit/map %D%/unit/mixture %D%/unit/monitor %D%/unit/once %D%/unit/parked %D%/unit/pilock %D%/unit/place \
	%D%/unit/pool %D%/unit/pool-quiet %D%/unit/process %D%/unit/process-end %D%/unit/process-failure %D%/unit/process-options \
	%D%/unit/procpool %D%/unit/procpool-kill %D%/unit/procpool-ledger %D%/unit/procpool-spawn %D%/unit/promise %D%/unit/queue \
	%D%/unit/queue-attach %D%/unit/queue-hostile %D%/unit/queue-kill %D%/unit/queue-lost %D%/unit/queue-view \
	%D%/unit/receive-all %D%/unit/record %D%/unit/rlock %D%/unit/robust %D%/unit/robust-cond %D%/unit/rwlock %D%/unit/sandbox \
	%D%/unit/sem %D%/unit/shm %D%/unit/stack \
	%D%/unit/sys %D%/unit/task %D%/unit/thread %D%/unit/thread-libc %D%/unit/thread-system %D%/unit/timeout \
	%D%/unit/timer %D%/unit/unmapped %D%/unit/unread %D%/unit/wait %D%/unit/worker
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif

# stress: everything at once, for some seconds, with what it does at random. Meant for the sanitizers: variants.t builds and runs it there.
STRESS_TESTS = %D%/stress/sync
check_PROGRAMS += $(STRESS_TESTS)
TESTS += $(STRESS_TESTS)
%C%_stress_sync_SOURCES = %D%/stress/sync.c
%C%_stress_sync_LDADD = $(MTCORE)
UNIT_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
UNIT_LIBS = $(MTCORE) $(CMOCKA_LIBS)
%C%_unit_banker_SOURCES = %D%/unit/banker.c %D%/unit/unit.h
%C%_unit_banker_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_banker_LDADD = $(UNIT_LIBS)
%C%_unit_barrier_SOURCES = %D%/unit/barrier.c %D%/unit/unit.h
%C%_unit_barrier_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_barrier_LDADD = $(UNIT_LIBS)
%C%_unit_clock_SOURCES = %D%/unit/clock.c %D%/unit/unit.h
%C%_unit_clock_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_clock_LDADD = $(UNIT_LIBS)
%C%_unit_cond_SOURCES = %D%/unit/cond.c %D%/unit/unit.h
%C%_unit_cond_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_cond_LDADD = $(UNIT_LIBS)
%C%_unit_conn_SOURCES = %D%/unit/conn.c %D%/unit/unit.h
%C%_unit_conn_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_conn_LDADD = $(UNIT_LIBS)
# with a count around each wait
%C%_unit_cancel_SOURCES = %D%/unit/cancel.c %D%/unit/cancel-session.c %D%/unit/cancel-session.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_cancel_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_cancel_LINK = $(LINK) -Wl,--wrap=mt__wait_begin -Wl,--wrap=mt__wait_end
%C%_unit_cancel_LDADD = $(UNIT_LIBS)
%C%_unit_mixture_SOURCES = %D%/unit/mixture.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_mixture_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_mixture_LDADD = $(UNIT_LIBS)
%C%_unit_coropool_SOURCES = %D%/unit/coropool.c %D%/unit/coropool-unit.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_coropool_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_coropool_LDADD = $(UNIT_LIBS)
%C%_unit_coropool_end_SOURCES = %D%/unit/coropool-end.c %D%/unit/coropool-unit.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_coropool_end_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_coropool_end_LDADD = $(UNIT_LIBS)
%C%_unit_coro_alone_SOURCES = %D%/unit/coro-alone.c %D%/unit/coro-child.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_coro_alone_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_coro_alone_LDADD = $(UNIT_LIBS)
%C%_unit_coro_fork_SOURCES = %D%/unit/coro-fork.c %D%/unit/coro-child.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_coro_fork_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_coro_fork_LDADD = $(UNIT_LIBS)
%C%_unit_coro_kill_SOURCES = %D%/unit/coro-kill.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_coro_kill_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_coro_kill_LDADD = $(UNIT_LIBS)
%C%_unit_coro_SOURCES = %D%/unit/coro.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_coro_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_coro_LDADD = $(UNIT_LIBS) -lm
%C%_unit_deadlock_SOURCES = %D%/unit/deadlock.c %D%/unit/unit.h
%C%_unit_deadlock_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_deadlock_LDADD = $(UNIT_LIBS)
%C%_unit_errors_SOURCES = %D%/unit/errors.c %D%/unit/unit.h
%C%_unit_errors_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_errors_LDADD = $(UNIT_LIBS)
%C%_unit_event_SOURCES = %D%/unit/event.c %D%/unit/unit.h
%C%_unit_event_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_event_LDADD = $(UNIT_LIBS)
%C%_unit_future_SOURCES = %D%/unit/future.c %D%/unit/unit.h
%C%_unit_future_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_future_LDADD = $(UNIT_LIBS)
%C%_unit_exit_wake_SOURCES = %D%/unit/exit-wake.c %D%/unit/full-ring.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_exit_wake_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_exit_wake_LDADD = $(UNIT_LIBS)
%C%_unit_full_ring_SOURCES = %D%/unit/full-ring.c %D%/unit/full-ring.h %D%/unit/armed-unit.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_full_ring_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_full_ring_LDADD = $(UNIT_LIBS)
%C%_unit_hub_SOURCES = %D%/unit/hub.c %D%/unit/unit.h
%C%_unit_hub_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_hub_LDADD = $(UNIT_LIBS)
%C%_unit_hub_locks_SOURCES = %D%/unit/hub-locks.c %D%/unit/unit.h
%C%_unit_hub_locks_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_hub_locks_LDADD = $(UNIT_LIBS)
%C%_unit_hubtimers_SOURCES = %D%/unit/hubtimers.c %D%/unit/unit.h
%C%_unit_hubtimers_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_hubtimers_LDADD = $(UNIT_LIBS)
%C%_unit_idle_SOURCES = %D%/unit/idle.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_idle_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_idle_LDADD = $(UNIT_LIBS)
%C%_unit_io_SOURCES = %D%/unit/io.c %D%/unit/io-unit.h %D%/unit/unit.h
%C%_unit_io_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_io_LDADD = $(UNIT_LIBS)
%C%_unit_io_bytes_SOURCES = %D%/unit/io-bytes.c %D%/unit/io-unit.h %D%/unit/unit.h
%C%_unit_io_bytes_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_io_bytes_LDADD = $(UNIT_LIBS)
%C%_unit_latch_SOURCES = %D%/unit/latch.c %D%/unit/unit.h
%C%_unit_latch_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_latch_LDADD = $(UNIT_LIBS)
%C%_unit_leaks_SOURCES = %D%/unit/leaks.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_leaks_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_leaks_LDADD = $(UNIT_LIBS)
%C%_unit_listener_SOURCES = %D%/unit/listener.c %D%/unit/unit.h
%C%_unit_listener_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_listener_LDADD = $(UNIT_LIBS)
%C%_unit_local_SOURCES = %D%/unit/local.c %D%/unit/unit.h
%C%_unit_local_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_local_LDADD = $(UNIT_LIBS)
%C%_unit_lock_SOURCES = %D%/unit/lock.c %D%/unit/unit.h
%C%_unit_lock_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_lock_LDADD = $(UNIT_LIBS)
%C%_unit_lock_quiet_SOURCES = %D%/unit/lock-quiet.c %D%/unit/unit.h
%C%_unit_lock_quiet_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_lock_quiet_LDADD = $(UNIT_LIBS)
%C%_unit_lockorder_SOURCES = %D%/unit/lockorder.c %D%/unit/unit.h
%C%_unit_lockorder_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_lockorder_LDADD = $(UNIT_LIBS)
%C%_unit_managed_SOURCES = %D%/unit/managed.c %D%/unit/managed-unit.h %D%/unit/manager-unit.h %D%/unit/unit.h
%C%_unit_managed_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_managed_LDADD = $(UNIT_LIBS)
%C%_unit_managed_dict_SOURCES = %D%/unit/managed-dict.c %D%/unit/managed-unit.h %D%/unit/manager-unit.h %D%/unit/unit.h
%C%_unit_managed_dict_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_managed_dict_LDADD = $(UNIT_LIBS)
%C%_unit_managed_monitor_SOURCES = %D%/unit/managed-monitor.c %D%/unit/managed-unit.h %D%/unit/manager-unit.h %D%/unit/unit.h
%C%_unit_managed_monitor_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_managed_monitor_LDADD = $(UNIT_LIBS)
%C%_unit_manager_SOURCES = %D%/unit/manager.c %D%/unit/manager-unit.h %D%/unit/unit.h
%C%_unit_manager_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_manager_LDADD = $(UNIT_LIBS)
%C%_unit_manager_hostile_SOURCES = %D%/unit/manager-hostile.c %D%/unit/manager-unit.h %D%/unit/unit.h
%C%_unit_manager_hostile_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_manager_hostile_LDADD = $(UNIT_LIBS)
%C%_unit_manager_kill_SOURCES = %D%/unit/manager-kill.c %D%/unit/manager-unit.h %D%/unit/unit.h
%C%_unit_manager_kill_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_manager_kill_LDADD = $(UNIT_LIBS)
%C%_unit_once_SOURCES = %D%/unit/once.c %D%/unit/unit.h
%C%_unit_once_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_once_LDADD = $(UNIT_LIBS)
%C%_unit_process_SOURCES = %D%/unit/process.c %D%/unit/process-unit.h %D%/unit/unit.h
%C%_unit_process_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_process_LDADD = $(UNIT_LIBS)
%C%_unit_process_end_SOURCES = %D%/unit/process-end.c %D%/unit/process-unit.h %D%/unit/unit.h
%C%_unit_process_end_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_process_end_LDADD = $(UNIT_LIBS)
%C%_unit_process_failure_SOURCES = %D%/unit/process-failure.c %D%/unit/process-unit.h %D%/unit/unit.h
%C%_unit_process_failure_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_process_failure_LDADD = $(UNIT_LIBS)
%C%_unit_process_options_SOURCES = %D%/unit/process-options.c %D%/unit/process-unit.h %D%/unit/unit.h
%C%_unit_process_options_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_process_options_LDADD = $(UNIT_LIBS)
%C%_unit_armed_SOURCES = %D%/unit/armed.c %D%/unit/armed-unit.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_armed_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_armed_LDADD = $(UNIT_LIBS)

%C%_unit_unmapped_SOURCES = %D%/unit/unmapped.c %D%/unit/armed-unit.h %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_unmapped_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_unmapped_LDADD = $(UNIT_LIBS)
%C%_unit_parked_SOURCES = %D%/unit/parked.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_parked_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_parked_LDADD = $(UNIT_LIBS)
%C%_unit_pilock_SOURCES = %D%/unit/pilock.c %D%/unit/dying.h %D%/unit/unit.h
%C%_unit_pilock_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_pilock_LDADD = $(UNIT_LIBS)
%C%_unit_place_SOURCES = %D%/unit/place.c %D%/unit/unit.h
%C%_unit_place_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_place_LDADD = $(UNIT_LIBS)
%C%_unit_map_SOURCES = %D%/unit/map.c %D%/unit/pool-unit.h %D%/unit/unit.h
%C%_unit_map_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_map_LDADD = $(UNIT_LIBS)
%C%_unit_procpool_SOURCES = %D%/unit/procpool.c %D%/unit/procpool-unit.h %D%/unit/unit.h
%C%_unit_procpool_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_procpool_LDADD = $(UNIT_LIBS)
%C%_unit_procpool_kill_SOURCES = %D%/unit/procpool-kill.c %D%/unit/procpool-unit.h %D%/unit/unit.h
%C%_unit_procpool_kill_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_procpool_kill_LDADD = $(UNIT_LIBS)
%C%_unit_procpool_ledger_SOURCES = %D%/unit/procpool-ledger.c %D%/unit/procpool-unit.h %D%/unit/unit.h
%C%_unit_procpool_ledger_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_procpool_ledger_LDADD = $(UNIT_LIBS)
%C%_unit_procpool_spawn_SOURCES = %D%/unit/procpool-spawn.c %D%/unit/procpool-unit.h %D%/unit/unit.h
%C%_unit_procpool_spawn_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_procpool_spawn_LDADD = $(UNIT_LIBS)
# with a count of wakes
%C%_unit_pool_quiet_SOURCES = %D%/unit/pool-quiet.c %D%/unit/pool-unit.h %D%/unit/unit.h
%C%_unit_pool_quiet_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_pool_quiet_LINK = $(LINK) -Wl,--wrap=mt__wake
%C%_unit_pool_quiet_LDADD = $(UNIT_LIBS)
%C%_unit_pool_SOURCES = %D%/unit/pool.c %D%/unit/pool-unit.h %D%/unit/unit.h
%C%_unit_pool_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_pool_LDADD = $(UNIT_LIBS)
%C%_unit_queue_SOURCES = %D%/unit/queue.c %D%/unit/queue-unit.h %D%/unit/unit.h
%C%_unit_queue_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_queue_LDADD = $(UNIT_LIBS)
%C%_unit_queue_attach_SOURCES = %D%/unit/queue-attach.c %D%/unit/queue-unit.h %D%/unit/unit.h
%C%_unit_queue_attach_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_queue_attach_LDADD = $(UNIT_LIBS)
%C%_unit_receive_all_SOURCES = %D%/unit/receive-all.c %D%/unit/io-unit.h %D%/unit/unit.h
%C%_unit_receive_all_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_receive_all_LDADD = $(UNIT_LIBS)
%C%_unit_queue_lost_SOURCES = %D%/unit/queue-lost.c %D%/unit/queue-unit.h %D%/unit/unit.h
%C%_unit_queue_lost_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_queue_lost_LDADD = $(UNIT_LIBS)
%C%_unit_queue_view_SOURCES = %D%/unit/queue-view.c %D%/unit/queue-unit.h %D%/unit/unit.h
%C%_unit_queue_view_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_queue_view_LDADD = $(UNIT_LIBS)
%C%_unit_queue_hostile_SOURCES = %D%/unit/queue-hostile.c %D%/unit/unit.h %D%/fuzz/input.h %D%/fuzz/queue.c
%C%_unit_queue_hostile_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_queue_hostile_LDADD = $(UNIT_LIBS)
%C%_unit_queue_kill_SOURCES = %D%/unit/queue-kill.c %D%/unit/queue-unit.h %D%/unit/unit.h
%C%_unit_queue_kill_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_queue_kill_LDADD = $(UNIT_LIBS)
%C%_unit_record_SOURCES = %D%/unit/record.c %D%/unit/unit.h
%C%_unit_record_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_record_LDADD = $(UNIT_LIBS)
%C%_unit_rlock_SOURCES = %D%/unit/rlock.c %D%/unit/unit.h
%C%_unit_rlock_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_rlock_LDADD = $(UNIT_LIBS)
%C%_unit_robust_SOURCES = %D%/unit/robust.c %D%/unit/dying.h %D%/unit/unit.h
%C%_unit_robust_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_robust_LDADD = $(UNIT_LIBS)
%C%_unit_robust_cond_SOURCES = %D%/unit/robust-cond.c %D%/unit/unit.h
%C%_unit_robust_cond_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_robust_cond_LDADD = $(UNIT_LIBS)
%C%_unit_rwlock_SOURCES = %D%/unit/rwlock.c %D%/unit/unit.h
%C%_unit_rwlock_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_rwlock_LDADD = $(UNIT_LIBS)
%C%_unit_sandbox_SOURCES = %D%/unit/sandbox.c %D%/unit/unit.h
%C%_unit_sandbox_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_sandbox_LDADD = $(UNIT_LIBS)
%C%_unit_sem_SOURCES = %D%/unit/sem.c %D%/unit/unit.h
%C%_unit_sem_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_sem_LDADD = $(UNIT_LIBS)
%C%_unit_shm_SOURCES = %D%/unit/shm.c %D%/unit/unit.h
%C%_unit_shm_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_shm_LDADD = $(UNIT_LIBS)
%C%_unit_sys_SOURCES = %D%/unit/sys.c %D%/unit/unit.h
%C%_unit_sys_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_sys_LDADD = $(UNIT_LIBS)
%C%_unit_task_SOURCES = %D%/unit/task.c %D%/unit/unit.h
%C%_unit_task_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_task_LDADD = $(UNIT_LIBS)
%C%_unit_thread_SOURCES = %D%/unit/thread.c %D%/unit/unit.h
%C%_unit_thread_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_thread_LDADD = $(UNIT_LIBS)
%C%_unit_thread_libc_SOURCES = %D%/unit/thread-libc.c %D%/unit/unit.h
%C%_unit_thread_libc_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_thread_libc_LDADD = $(UNIT_LIBS)
%C%_unit_thread_system_SOURCES = %D%/unit/thread-system.c %D%/unit/unit.h
%C%_unit_thread_system_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_thread_system_LDADD = $(UNIT_LIBS)
%C%_unit_timer_SOURCES = %D%/unit/timer.c %D%/unit/unit.h
%C%_unit_timer_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_timer_LDADD = $(UNIT_LIBS)
%C%_unit_wait_SOURCES = %D%/unit/wait.c %D%/unit/unit.h
%C%_unit_wait_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_wait_LDADD = $(UNIT_LIBS)
%C%_unit_unread_SOURCES = %D%/unit/unread.c %D%/unit/unit.h
%C%_unit_unread_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_unread_LDADD = $(UNIT_LIBS)
%C%_unit_generator_SOURCES = %D%/unit/generator.c %D%/unit/unit.h
%C%_unit_generator_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_generator_LDADD = $(UNIT_LIBS)
%C%_unit_iter_SOURCES = %D%/unit/iter.c %D%/unit/unit.h
%C%_unit_iter_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_iter_LDADD = $(UNIT_LIBS)
%C%_unit_greenlet_SOURCES = %D%/unit/greenlet.c %D%/unit/unit.h
%C%_unit_greenlet_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_greenlet_LDADD = $(UNIT_LIBS)
%C%_unit_stack_SOURCES = %D%/unit/stack.c %D%/unit/unit.h
%C%_unit_stack_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_stack_LDADD = $(UNIT_LIBS) -lm
%C%_unit_worker_SOURCES = %D%/unit/worker.c %D%/unit/pool-unit.h %D%/unit/unit.h
%C%_unit_worker_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_worker_LDADD = $(UNIT_LIBS)
%C%_unit_channel_SOURCES = %D%/unit/channel.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_channel_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_channel_LDADD = $(UNIT_LIBS)
%C%_unit_bulk_SOURCES = %D%/unit/bulk.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_bulk_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_bulk_LDADD = $(UNIT_LIBS)
%C%_unit_timeout_SOURCES = %D%/unit/timeout.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_timeout_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_timeout_LDADD = $(UNIT_LIBS)
%C%_unit_promise_SOURCES = %D%/unit/promise.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_promise_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_promise_LDADD = $(UNIT_LIBS)
%C%_unit_group_SOURCES = %D%/unit/group.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_group_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_group_LDADD = $(UNIT_LIBS)

%C%_unit_monitor_SOURCES = %D%/unit/monitor.c %D%/unit/hub.h %D%/unit/unit.h
%C%_unit_monitor_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_monitor_LDADD = $(UNIT_LIBS)

# About the tree itself: rooms, headers, manual pages, models.
TREE_TESTS = %D%/fuzz.t %D%/check-layers.t %D%/headers.t %D%/install.t %D%/man-examples.t
TESTS += $(TREE_TESTS)
EXTRA_DIST += $(TREE_TESTS) %D%/cross/cmocka.h %D%/model/futex.h %D%/model/channel.pml %D%/model/lock.pml %D%/model/cond.pml %D%/model/exit.pml \
	%D%/model/barrier.pml %D%/model/robust.pml %D%/model/rwlock.pml %D%/model/sem.pml %D%/model/future.pml %D%/model/park.pml %D%/model/pool.pml %D%/model/queue.pml \
	%D%/model/sent.pml %D%/model/window.pml

# POSIX's threads on ours: conformance programs that are built on the system's pthread.h and on the face's.
FACE = attr.c face.h include/pthread.h include/semaphore.h posix/barrier.c posix/cancel.c posix/cond.c posix/key.c posix/mutex.c \
	posix/once.c posix/posix.h posix/rwlock.c posix/sem.c posix/spin.c posix/thread.c key.c real.c run.t sem.c sync.c thread.c
TESTS += %D%/face/run.t
EXTRA_DIST += $(FACE:%=%D%/face/%)

# C++ and gdb on stacks of their own.
TESTS += %D%/coro/run.t
EXTRA_DIST += %D%/coro/run.t %D%/coro/stacks.cc

# liblinuxmt-patch: programs of plain libc calls, each run with libc alone and patched.
LIBC_CALLERS = %D%/patch/accepts %D%/patch/connections %D%/patch/coop %D%/patch/creates %D%/patch/descriptors %D%/patch/files \
	%D%/patch/messages %D%/patch/mistakes %D%/patch/receives %D%/patch/sequences %D%/patch/signals %D%/patch/sockets %D%/patch/streams %D%/patch/users %D%/patch/waits %D%/patch/whole \
	%D%/patch/wide
PATCH_TESTS = %D%/patch/differential.t %D%/patch/guards.t %D%/patch/names.t %D%/patch/real.t %D%/patch/clients.t
check_PROGRAMS += $(LIBC_CALLERS)
TESTS += $(PATCH_TESTS)
EXTRA_DIST += $(PATCH_TESTS) %D%/patch/preload.sh %D%/patch/clients.c %D%/patch/clients.h %D%/patch/clients-hiredis.c %D%/patch/clients-libcurl.c \
	%D%/patch/clients-libpq.c %D%/patch/clients-sqlite.c %D%/patch/nonblocking.txt %D%/patch/table.awk
SCENARIO = %D%/patch/scenario.c %D%/patch/scenario.h
PATCH_LIBS = $(LINUXMT_PATCH) $(LINUXMT)
%C%_patch_accepts_SOURCES = %D%/patch/accepts.c
%C%_patch_accepts_LDADD = $(PATCH_LIBS)
%C%_patch_connections_SOURCES = %D%/patch/connections.c %D%/patch/sockets.h $(SCENARIO)
%C%_patch_connections_LDADD = $(PATCH_LIBS)
%C%_patch_coop_SOURCES = %D%/patch/coop.c %D%/patch/coop.h %D%/patch/coop-end.c %D%/patch/coop-off.c %D%/patch/coop-signal.c \
	%D%/patch/coop-stderr.c %D%/patch/coop-switch.c %D%/patch/coop-talk.c
%C%_patch_coop_LDADD = $(PATCH_LIBS)
%C%_patch_creates_SOURCES = %D%/patch/creates.c
%C%_patch_creates_LDADD = $(PATCH_LIBS)
%C%_patch_descriptors_SOURCES = %D%/patch/descriptors.c
%C%_patch_descriptors_LDADD = $(PATCH_LIBS)
%C%_patch_files_SOURCES = %D%/patch/files.c $(SCENARIO)
%C%_patch_files_LDADD = $(PATCH_LIBS)
%C%_patch_messages_SOURCES = %D%/patch/messages.c %D%/patch/sockets.h $(SCENARIO)
%C%_patch_messages_LDADD = $(PATCH_LIBS)
%C%_patch_mistakes_SOURCES = %D%/patch/mistakes.c $(SCENARIO)
%C%_patch_mistakes_LDADD = $(PATCH_LIBS)
%C%_patch_receives_SOURCES = %D%/patch/receives.c %D%/patch/sockets.h $(SCENARIO)
%C%_patch_receives_LDADD = $(PATCH_LIBS)
%C%_patch_sequences_SOURCES = %D%/patch/sequences.c %D%/patch/sequences.h %D%/patch/sequences-change.c %D%/patch/sequences-ends.c \
	%D%/patch/sequences-receive.c %D%/patch/sequences-send.c %D%/patch/sockets.h $(SCENARIO)
%C%_patch_sequences_LDADD = $(PATCH_LIBS)
%C%_patch_sockets_SOURCES = %D%/patch/sockets.c %D%/patch/sockets.h $(SCENARIO)
%C%_patch_sockets_LDADD = $(PATCH_LIBS)
%C%_patch_streams_SOURCES = %D%/patch/streams.c %D%/patch/streams.h $(SCENARIO)
%C%_patch_streams_LDADD = $(PATCH_LIBS)
%C%_patch_whole_SOURCES = %D%/patch/whole.c $(SCENARIO)
%C%_patch_whole_LDADD = $(PATCH_LIBS)
%C%_patch_wide_SOURCES = %D%/patch/wide.c %D%/patch/streams.h $(SCENARIO)
%C%_patch_wide_LDADD = $(PATCH_LIBS)
%C%_patch_users_SOURCES = %D%/patch/users.c
%C%_patch_users_LDADD = $(PATCH_LIBS)
%C%_patch_signals_SOURCES = %D%/patch/signals.c $(SCENARIO)
%C%_patch_signals_LDADD = $(PATCH_LIBS)
%C%_patch_waits_SOURCES = %D%/patch/waits.c $(SCENARIO)
%C%_patch_waits_LDADD = $(PATCH_LIBS)

# libc, C++ and gdb with our threads.
TESTS += %D%/libc/run.t
EXTRA_DIST += %D%/libc/run.t %D%/libc/cxx.cc %D%/libc/plugin.c %D%/libc/sleepers.c %D%/libc/static-tls.c

# The suite once more, built and run in other ways.
MORE_WAYS = %D%/backends.t %D%/loops.t %D%/probes.t
TESTS += $(MORE_WAYS)
EXTRA_DIST += $(MORE_WAYS)
check_PROGRAMS += %D%/backend
%C%_backend_SOURCES = %D%/backend.c
%C%_backend_LDADD = $(MTCORE)

# The programs of these tests may have flags of their own here.
UNIT_CFLAGS = $(CFLAGS)
.PHONY: check-unit
check-unit:
	$(MAKE) check TESTS='$(UNIT_TESTS) $(MTRACE_TESTS) $(STRESS_TESTS)' CFLAGS='$(UNIT_CFLAGS)'

# mtrace on stuck processes: the symbolizer, and live tests that need root for most of what they look at.
STUCK_TESTS = %D%/live/deadlock.t %D%/live/doctor.t %D%/live/patch.t
EXTRA_DIST += $(STUCK_TESTS) %D%/live/tap.sh %D%/live/waits-i386.c
if WITH_BPF
check_PROGRAMS += %D%/live/stuck %D%/live/stuck-mt
if WITH_TESTS
MTRACE_TESTS = %D%/unit/code-text %D%/unit/confine %D%/unit/histogram %D%/unit/lookup %D%/unit/queues %D%/unit/symbols %D%/unit/tasks %D%/unit/verdict %D%/unit/verdict-behind
check_PROGRAMS += $(MTRACE_TESTS)
TESTS += $(MTRACE_TESTS)
endif
endif
# -g: the reports name their lines, whatever the user's CFLAGS
%C%_live_stuck_SOURCES = %D%/live/stuck.c
%C%_live_stuck_CFLAGS = $(AM_CFLAGS) -g -O1
%C%_live_stuck_LINK = $(LINK)
%C%_live_stuck_LDADD = -lpthread
%C%_live_stuck_mt_SOURCES = %D%/live/stuck-mt.c
%C%_live_stuck_mt_CFLAGS = $(AM_CFLAGS) -g -O1 -fno-optimize-sibling-calls
%C%_live_stuck_mt_LINK = $(LINK)
%C%_live_stuck_mt_LDADD = $(MTCORE)
%C%_unit_confine_SOURCES = %D%/unit/confine.c tools/mtrace/confine.c tools/mtrace/confine.h tools/mtrace/cmd.h
%C%_unit_confine_CPPFLAGS = $(UNIT_CPPFLAGS) $(SECCOMP_CPPFLAGS)
%C%_unit_confine_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
%C%_unit_confine_LINK = $(LINK)
%C%_unit_confine_LDADD = $(CMOCKA_LIBS) $(SECCOMP_LIBS)
%C%_unit_queues_SOURCES = %D%/unit/queues.c tools/mtrace/queues.c tools/mtrace/queues.h tools/mtrace/tasks.c tools/mtrace/tasks.h
%C%_unit_queues_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/bpf
%C%_unit_queues_LDADD = $(UNIT_LIBS)
%C%_unit_verdict_SOURCES = %D%/unit/verdict.c tools/mtrace/verdict.c tools/mtrace/verdict-behind.c tools/mtrace/verdict-queues.c tools/mtrace/verdict-pools.c \
	tools/mtrace/verdict-coros.c tools/mtrace/model-text.c \
	tools/mtrace/histogram.c tools/mtrace/format.c tools/mtrace/code-text.c tools/mtrace/code-text.h tools/mtrace/model.h
%C%_unit_verdict_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/bpf -I$(top_srcdir)/tools/mtrace
%C%_unit_verdict_LDADD = $(CMOCKA_LIBS) -lm
%C%_unit_verdict_behind_SOURCES = %D%/unit/verdict-behind.c tools/mtrace/verdict.c tools/mtrace/verdict-behind.c \
	tools/mtrace/model-text.c tools/mtrace/histogram.c tools/mtrace/format.c tools/mtrace/code-text.c tools/mtrace/code-text.h \
	tools/mtrace/model.h
%C%_unit_verdict_behind_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/bpf -I$(top_srcdir)/tools/mtrace
%C%_unit_verdict_behind_LDADD = $(CMOCKA_LIBS) -lm
%C%_unit_code_text_SOURCES = %D%/unit/code-text.c tools/mtrace/code-text.c tools/mtrace/code-text.h
%C%_unit_code_text_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_code_text_LDADD = $(CMOCKA_LIBS)
%C%_unit_histogram_SOURCES = %D%/unit/histogram.c tools/mtrace/histogram.c tools/mtrace/histogram.h
%C%_unit_histogram_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/bpf
%C%_unit_histogram_LDADD = $(CMOCKA_LIBS)
%C%_unit_lookup_SOURCES = %D%/unit/lookup.c tools/mtrace/lookup.c tools/mtrace/lookup.h
%C%_unit_lookup_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_lookup_LDADD = $(CMOCKA_LIBS)
%C%_unit_symbols_SOURCES = %D%/unit/symbols.c tools/mtrace/symbols.c tools/mtrace/symbols.h tools/mtrace/symbols-code.c \
	tools/mtrace/symbols-data.c tools/mtrace/symbols-internal.h tools/mtrace/symbols-maps.c tools/mtrace/symbols-member.c tools/mtrace/symbols-names.c \
	tools/mtrace/symbols-unwind.c
%C%_unit_symbols_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_symbols_CFLAGS = $(AM_CFLAGS) $(LIBDW_CFLAGS) -g
%C%_unit_symbols_LINK = $(LINK)
%C%_unit_symbols_LDADD = $(CMOCKA_LIBS) $(LIBDW_LIBS) -lelf -ldl
%C%_unit_tasks_SOURCES = %D%/unit/tasks.c tools/mtrace/tasks.c tools/mtrace/tasks.h
%C%_unit_tasks_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_unit_tasks_LDADD = $(CMOCKA_LIBS)

# live: mtrace record
RECORD_TESTS = %D%/live/record.t %D%/live/locks.t %D%/live/queues.t %D%/live/pool.t %D%/live/coros.t %D%/live/coros-patch.t \
	%D%/live/programs.t
EXTRA_DIST += $(RECORD_TESTS)
if WITH_BPF
check_PROGRAMS += %D%/live/waits %D%/live/waits-mt %D%/live/queues-mt %D%/live/pool-mt %D%/live/coros-mt \
	%D%/live/coros-threads %D%/live/coros-lost %D%/live/json-get
endif
%C%_live_waits_SOURCES = %D%/live/waits.c %D%/live/waits.h %D%/live/waits-end.c %D%/live/waits-file.c %D%/live/waits-futex.c \
	%D%/live/waits-mutex.c %D%/live/waits-rwlock.c %D%/live/waits-sem.c %D%/live/waits-time.c
%C%_live_waits_CFLAGS = $(AM_CFLAGS) -g -O1
%C%_live_waits_LINK = $(LINK)
%C%_live_waits_LDADD = -lpthread
# with the shared library, whose probes mtrace attaches to
%C%_live_waits_mt_SOURCES = %D%/live/waits-mt.c
%C%_live_waits_mt_CFLAGS = $(AM_CFLAGS) -g -O1
%C%_live_waits_mt_LINK = $(LINK)
%C%_live_waits_mt_LDADD = $(LINUXMT)
%C%_live_queues_mt_SOURCES = %D%/live/queues-mt.c
%C%_live_queues_mt_CFLAGS = $(AM_CFLAGS) -g -O1
%C%_live_queues_mt_LINK = $(LINK)
%C%_live_queues_mt_LDADD = $(LINUXMT)
%C%_live_pool_mt_SOURCES = %D%/live/pool-mt.c
%C%_live_pool_mt_CFLAGS = $(AM_CFLAGS) -g -O1
%C%_live_pool_mt_LINK = $(LINK)
%C%_live_pool_mt_LDADD = $(LINUXMT)
%C%_live_coros_mt_SOURCES = %D%/live/coros-mt.c
%C%_live_coros_mt_CFLAGS = $(AM_CFLAGS) -g -O1 -fno-optimize-sibling-calls
%C%_live_coros_mt_LINK = $(LINK)
%C%_live_coros_mt_LDADD = $(LINUXMT)
%C%_live_coros_threads_SOURCES = %D%/live/coros-threads.c
%C%_live_coros_threads_CFLAGS = $(AM_CFLAGS) -g -O1 -fno-optimize-sibling-calls
%C%_live_coros_threads_LINK = $(LINK)
%C%_live_coros_threads_LDADD = -lpthread
%C%_live_coros_lost_SOURCES = %D%/live/coros-lost.c
%C%_live_coros_lost_LDADD = -lpthread
%C%_live_json_get_SOURCES = %D%/live/json-get.c
%C%_live_json_get_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_live_json_get_LINK = $(LINK)
%C%_live_json_get_LDADD = $(JANSSON_LIBS)
# end of live: mtrace record

# What the tests that build the tree in other ways keep.
clean-local: clean-kept
.PHONY: clean-kept
clean-kept:
	rm -rf %D%/variants.kept %D%/cross.kept

# Threads that compute, and have to make way.
TESTS += %D%/patch/slices.t
EXTRA_DIST += %D%/patch/slices.t %D%/patch/slices.c %D%/patch/slices.h %D%/patch/slices-registers.c %D%/patch/slices-cxx.cc \
	%D%/patch/slices-native.c

# Unchanged threaded programs, with liblinuxmt-patch preloaded.
TESTS += %D%/patch/threads.t %D%/patch/languages.t
EXTRA_DIST += %D%/patch/threads.t %D%/patch/rings.c %D%/patch/pthreads.c %D%/patch/pthreads.h %D%/patch/pthreads-mutex.c \
	%D%/patch/pthreads-cond.c %D%/patch/pthreads-rwlock.c %D%/patch/pthreads-others.c %D%/patch/pthreads-futex.c \
	%D%/patch/pthreads-key.c %D%/patch/pthreads-thread.c %D%/patch/pthreads-process.c %D%/patch/pthreads-main.c \
	%D%/patch/pthreads-crowd.c %D%/patch/pthreads-handled.h %D%/patch/pthreads-interrupted.c %D%/patch/pthreads-left.c %D%/patch/pthreads-departs.c %D%/patch/pthreads-pipe.c %D%/patch/pthreads-sent.c %D%/patch/pthreads-strays.c \
	%D%/patch/pthreads-signals.c %D%/patch/pthreads-variables.c %D%/patch/threads-cxx.cc %D%/patch/threads-variables.cc \
	%D%/patch/threads-module.cc %D%/patch/threads-loads.c %D%/patch/threads-churn.cc %D%/patch/threads-churned.c \
	%D%/patch/pthreads-mask.c %D%/patch/pthreads-polls.c %D%/patch/threads-allocator.c %D%/patch/threads-names.c %D%/patch/threads-unloads.c \
	%D%/patch/threads-mixture.c %D%/patch/threads-runtime.c %D%/patch/languages.t %D%/patch/threads.rb %D%/patch/threads.rs \
	%D%/patch/Threads.java %D%/patch/threads.go %D%/patch/threads-many.py %D%/patch/mixed.c %D%/patch/echo-threads.c \
	%D%/patch/echo-client.c %D%/patch/proxy-load.c %D%/patch/threads.py %D%/patch/sqlite.c %D%/model/lockline.pml
