# SPDX-License-Identifier: MIT
# Pages of the library: man3 has one page a group of calls and a ".so" link for each further call of it, man7 the overviews.
# They are installed as data, because --program-prefix and its kin, which Automake applies to every page in MANS, are for
# commands and their pages (man1, in dist_man_MANS), not for the names of calls.
mtman3dir = $(mandir)/man3
mtman7dir = $(mandir)/man7
dist_mtman3_DATA = \
	%D%/man3/mt_accept.3 %D%/man3/mt_after.3 %D%/man3/mt_array.3 %D%/man3/mt_array_acquire.3 \
	%D%/man3/mt_array_attach.3 %D%/man3/mt_array_consistent.3 %D%/man3/mt_array_count.3 \
	%D%/man3/mt_array_fd.3 %D%/man3/mt_array_free.3 %D%/man3/mt_array_get.3 %D%/man3/mt_array_item_size.3 \
	%D%/man3/mt_array_items.3 %D%/man3/mt_array_new.3 %D%/man3/mt_array_release.3 %D%/man3/mt_array_set.3 \
	%D%/man3/mt_banker.3 %D%/man3/mt_banker_available.3 %D%/man3/mt_banker_free.3 \
	%D%/man3/mt_banker_is_safe.3 %D%/man3/mt_banker_join.3 %D%/man3/mt_banker_leave.3 \
	%D%/man3/mt_banker_new.3 %D%/man3/mt_banker_release.3 %D%/man3/mt_banker_request.3 \
	%D%/man3/mt_banker_would_be_safe.3 %D%/man3/mt_barrier_abort.3 %D%/man3/mt_barrier_init.3 \
	%D%/man3/mt_barrier_is_broken.3 %D%/man3/mt_barrier_reset.3 %D%/man3/mt_barrier_wait.3 \
	%D%/man3/mt_barrier_waiting.3 %D%/man3/mt_bundle_begin.3 %D%/man3/mt_bundle_end.3 \
	%D%/man3/mt_bundle_join.3 %D%/man3/mt_bundle_spawn.3 %D%/man3/mt_channel_close.3 \
	%D%/man3/mt_channel_get.3 %D%/man3/mt_channel_getting.3 %D%/man3/mt_channel_init.3 \
	%D%/man3/mt_channel_is_closed.3 %D%/man3/mt_channel_put.3 %D%/man3/mt_channel_putting.3 \
	%D%/man3/mt_close.3 %D%/man3/mt_completed_free.3 %D%/man3/mt_completed_new.3 \
	%D%/man3/mt_completed_next.3 %D%/man3/mt_cond_init.3 %D%/man3/mt_cond_notify.3 \
	%D%/man3/mt_cond_notify_all.3 %D%/man3/mt_cond_wait.3 %D%/man3/mt_cond_wait_for.3 \
	%D%/man3/mt_cond_wait_rlock.3 %D%/man3/mt_cond_wait_robust.3 %D%/man3/mt_cond_wait_for_robust.3 %D%/man3/mt_conn.3 %D%/man3/mt_conn_close.3 %D%/man3/mt_conn_connect.3 \
	%D%/man3/mt_conn_fd.3 %D%/man3/mt_conn_next_size.3 %D%/man3/mt_conn_open.3 %D%/man3/mt_conn_pair.3 \
	%D%/man3/mt_conn_receive.3 %D%/man3/mt_conn_receive_fd.3 %D%/man3/mt_conn_send.3 \
	%D%/man3/mt_conn_send_fd.3 %D%/man3/mt_conn_set_limit.3 %D%/man3/mt_conn_wait.3 %D%/man3/mt_connect.3 \
	%D%/man3/mt_container_of.3 %D%/man3/mt_coro_idle.3 %D%/man3/mt_coro_spawn.3 %D%/man3/mt_coro_spawn_later.3 \
	%D%/man3/mt_coro_stack_used.3 %D%/man3/mt_coro_yield.3 %D%/man3/mt_deadlock_hook.3 \
	%D%/man3/mt_deadlock_policy.3 %D%/man3/mt_event_clear.3 %D%/man3/mt_event_init.3 \
	%D%/man3/mt_event_is_set.3 %D%/man3/mt_event_set.3 %D%/man3/mt_event_wait.3 %D%/man3/mt_fail.3 \
	%D%/man3/mt_failure_hook.3 %D%/man3/mt_foreach.3 %D%/man3/mt_fsync.3 \
	%D%/man3/mt_future_add_done_callback.3 %D%/man3/mt_future_cancel.3 %D%/man3/mt_future_get.3 %D%/man3/mt_future_is_done.3 \
	%D%/man3/mt_future_is_running.3 %D%/man3/mt_future_kill.3 %D%/man3/mt_future_message.3 \
	%D%/man3/mt_future_outcome.3 %D%/man3/mt_future_read.3 %D%/man3/mt_future_release.3 \
	%D%/man3/mt_future_remove_done_callback.3 %D%/man3/mt_future_retain.3 %D%/man3/mt_future_state.3 %D%/man3/mt_future_successful.3 %D%/man3/mt_future_value.3 \
	%D%/man3/mt_future_wait.3 %D%/man3/mt_futures_wait.3 %D%/man3/mt_generator.3 \
	%D%/man3/mt_generator_close.3 %D%/man3/mt_generator_free.3 %D%/man3/mt_generator_has_ended.3 \
	%D%/man3/mt_generator_is_running.3 %D%/man3/mt_generator_iter.3 %D%/man3/mt_generator_new.3 \
	%D%/man3/mt_generator_next.3 %D%/man3/mt_generator_return.3 %D%/man3/mt_generator_send.3 \
	%D%/man3/mt_generator_stack_used.3 %D%/man3/mt_generator_throw.3 %D%/man3/mt_generator_value.3 \
	%D%/man3/mt_greenlet.3 %D%/man3/mt_greenlet_context.3 %D%/man3/mt_greenlet_current.3 \
	%D%/man3/mt_greenlet_free.3 %D%/man3/mt_greenlet_is_dead.3 %D%/man3/mt_greenlet_is_started.3 \
	%D%/man3/mt_greenlet_name.3 %D%/man3/mt_greenlet_new.3 %D%/man3/mt_greenlet_parent.3 \
	%D%/man3/mt_greenlet_set_context.3 %D%/man3/mt_greenlet_set_parent.3 %D%/man3/mt_greenlet_stack_size.3 \
	%D%/man3/mt_greenlet_stack_used.3 %D%/man3/mt_greenlet_switch.3 %D%/man3/mt_greenlet_throw.3 \
	%D%/man3/mt_greenlet_trace.3 %D%/man3/mt_group_add.3 %D%/man3/mt_group_contains.3 \
	%D%/man3/mt_group_count.3 %D%/man3/mt_group_discard.3 %D%/man3/mt_group_free.3 %D%/man3/mt_group_join.3 \
	%D%/man3/mt_group_kill.3 %D%/man3/mt_group_map.3 %D%/man3/mt_group_new.3 %D%/man3/mt_group_spawn.3 \
	%D%/man3/mt_hub_print.3 %D%/man3/mt_imap_free.3 %D%/man3/mt_imap_next.3 %D%/man3/mt_iter.3 \
	%D%/man3/mt_iter_array.3 %D%/man3/mt_iter_chain.3 %D%/man3/mt_iter_close.3 %D%/man3/mt_iter_collect.3 \
	%D%/man3/mt_iter_count.3 %D%/man3/mt_iter_enumerate.3 %D%/man3/mt_iter_filter.3 \
	%D%/man3/mt_iter_lines.3 %D%/man3/mt_iter_map.3 %D%/man3/mt_iter_next.3 %D%/man3/mt_iter_of.3 \
	%D%/man3/mt_iter_product.3 %D%/man3/mt_iter_range.3 %D%/man3/mt_iter_slice.3 \
	%D%/man3/mt_iter_take_while.3 %D%/man3/mt_iter_zip.3 %D%/man3/mt_iwait_free.3 %D%/man3/mt_iwait_new.3 \
	%D%/man3/mt_iwait_next.3 %D%/man3/mt_joinall.3 %D%/man3/mt_joinall_some.3 %D%/man3/mt_joinall_threads.3 \
	%D%/man3/mt_joinall_well.3 %D%/man3/mt_killall.3 %D%/man3/mt_latch_count.3 \
	%D%/man3/mt_latch_count_down.3 %D%/man3/mt_latch_init.3 %D%/man3/mt_latch_wait.3 %D%/man3/mt_listen.3 \
	%D%/man3/mt_listener_accept.3 %D%/man3/mt_listener_address.3 %D%/man3/mt_listener_close.3 \
	%D%/man3/mt_local_get.3 %D%/man3/mt_local_set.3 %D%/man3/mt_lock_acquire.3 \
	%D%/man3/mt_lock_acquire_any.3 %D%/man3/mt_lock_init.3 %D%/man3/mt_lock_owner.3 \
	%D%/man3/mt_lock_release.3 %D%/man3/mt_lockorder_hook.3 %D%/man3/mt_lockorder_policy.3 \
	%D%/man3/mt_lockorder_stats.3 %D%/man3/mt_loop_name.3 %D%/man3/mt_loop_reason.3 \
	%D%/man3/mt_managed_barrier_abort.3 %D%/man3/mt_managed_barrier_free.3 %D%/man3/mt_managed_barrier_is_broken.3 \
	%D%/man3/mt_managed_barrier_parties.3 %D%/man3/mt_managed_barrier_reset.3 %D%/man3/mt_managed_barrier_wait.3 \
	%D%/man3/mt_managed_barrier_waiting.3 %D%/man3/mt_managed_cond.3 %D%/man3/mt_managed_cond_acquire.3 \
	%D%/man3/mt_managed_cond_consistent.3 %D%/man3/mt_managed_cond_free.3 %D%/man3/mt_managed_cond_notify.3 \
	%D%/man3/mt_managed_cond_notify_all.3 %D%/man3/mt_managed_cond_release.3 %D%/man3/mt_managed_cond_wait.3 \
	%D%/man3/mt_managed_rwlock_acquire_read.3 %D%/man3/mt_managed_rwlock_acquire_write.3 %D%/man3/mt_managed_rwlock_consistent.3 \
	%D%/man3/mt_managed_rwlock_free.3 %D%/man3/mt_managed_rwlock_release_read.3 %D%/man3/mt_managed_rwlock_release_write.3 \
	%D%/man3/mt_manager_barrier.3 %D%/man3/mt_manager_cond.3 %D%/man3/mt_manager_rwlock.3 \
	%D%/man3/mt_managed_counter_add.3 %D%/man3/mt_managed_counter_free.3 %D%/man3/mt_managed_counter_get.3 \
	%D%/man3/mt_managed_counter_set.3 %D%/man3/mt_managed_dict.3 %D%/man3/mt_managed_dict_clear.3 \
	%D%/man3/mt_managed_dict_contains.3 %D%/man3/mt_managed_dict_del.3 %D%/man3/mt_managed_dict_free.3 \
	%D%/man3/mt_managed_dict_get.3 %D%/man3/mt_managed_dict_items.3 %D%/man3/mt_managed_dict_keys.3 \
	%D%/man3/mt_managed_dict_len.3 %D%/man3/mt_managed_dict_pop.3 %D%/man3/mt_managed_dict_replace.3 \
	%D%/man3/mt_managed_dict_set.3 %D%/man3/mt_managed_dict_setdefault.3 %D%/man3/mt_managed_event_clear.3 \
	%D%/man3/mt_managed_event_free.3 %D%/man3/mt_managed_event_is_set.3 %D%/man3/mt_managed_event_set.3 \
	%D%/man3/mt_managed_event_wait.3 %D%/man3/mt_managed_list_append.3 %D%/man3/mt_managed_list_clear.3 \
	%D%/man3/mt_managed_list_extend.3 %D%/man3/mt_managed_list_free.3 %D%/man3/mt_managed_list_get.3 \
	%D%/man3/mt_managed_list_insert.3 %D%/man3/mt_managed_list_len.3 %D%/man3/mt_managed_list_pop.3 \
	%D%/man3/mt_managed_list_set.3 %D%/man3/mt_managed_list_slice.3 %D%/man3/mt_managed_lock.3 \
	%D%/man3/mt_managed_lock_acquire.3 %D%/man3/mt_managed_lock_consistent.3 \
	%D%/man3/mt_managed_lock_free.3 %D%/man3/mt_managed_lock_release.3 %D%/man3/mt_managed_queue.3 \
	%D%/man3/mt_managed_queue_close.3 %D%/man3/mt_managed_queue_free.3 %D%/man3/mt_managed_queue_get.3 \
	%D%/man3/mt_managed_queue_join.3 %D%/man3/mt_managed_queue_local.3 %D%/man3/mt_managed_queue_put.3 \
	%D%/man3/mt_managed_queue_put_priority.3 %D%/man3/mt_managed_queue_size.3 \
	%D%/man3/mt_managed_queue_task_done.3 %D%/man3/mt_managed_sem_acquire.3 %D%/man3/mt_managed_sem_free.3 \
	%D%/man3/mt_managed_sem_release.3 %D%/man3/mt_managed_sem_value.3 %D%/man3/mt_manager.3 \
	%D%/man3/mt_manager_address.3 %D%/man3/mt_manager_close.3 %D%/man3/mt_manager_connect.3 \
	%D%/man3/mt_manager_counter.3 %D%/man3/mt_manager_dict.3 %D%/man3/mt_manager_event.3 \
	%D%/man3/mt_manager_info.3 %D%/man3/mt_manager_list.3 %D%/man3/mt_manager_lock.3 \
	%D%/man3/mt_manager_message.3 %D%/man3/mt_manager_namespace.3 %D%/man3/mt_manager_queue.3 \
	%D%/man3/mt_manager_remove.3 %D%/man3/mt_manager_sem.3 %D%/man3/mt_manager_shutdown.3 \
	%D%/man3/mt_manager_start.3 %D%/man3/mt_manager_task.3 %D%/man3/mt_manager_tcp_address.3 \
	%D%/man3/mt_monitor.3 %D%/man3/mt_monitor_count.3 %D%/man3/mt_monitor_hook.3 \
	%D%/man3/mt_now.3 %D%/man3/mt_once.3 %D%/man3/mt_once_is_done.3 %D%/man3/mt_open.3 %D%/man3/mt_is_patched.3 %D%/man3/mt_patch.3 \
	%D%/man3/mt_patch_original.3 %D%/man3/mt_patch_passed.3 %D%/man3/mt_unpatch.3 \
	%D%/man3/mt_pilock_acquire.3 %D%/man3/mt_pilock_consistent.3 %D%/man3/mt_pilock_init.3 \
	%D%/man3/mt_pilock_owner.3 %D%/man3/mt_pilock_release.3 %D%/man3/mt_poll.3 %D%/man3/mt_pool_apply.3 \
	%D%/man3/mt_pool_apply_async.3 %D%/man3/mt_pool_close.3 %D%/man3/mt_pool_count.3 \
	%D%/man3/mt_pool_free.3 %D%/man3/mt_pool_imap.3 %D%/man3/mt_pool_imap_unordered.3 \
	%D%/man3/mt_pool_join.3 %D%/man3/mt_pool_map.3 %D%/man3/mt_pool_message.3 %D%/man3/mt_pool_name.3 \
	%D%/man3/mt_pool_open.3 %D%/man3/mt_pool_reply.3 %D%/man3/mt_pool_resize.3 %D%/man3/mt_pool_terminate.3 \
	%D%/man3/mt_pool_timer.3 %D%/man3/mt_pread.3 %D%/man3/mt_process_exit.3 %D%/man3/mt_process_fd.3 \
	%D%/man3/mt_process_init.3 %D%/man3/mt_process_pidfd.3 %D%/man3/mt_process_signal.3 \
	%D%/man3/mt_process_spawn.3 %D%/man3/mt_promise_fail.3 %D%/man3/mt_promise_follow.3 \
	%D%/man3/mt_promise_new.3 %D%/man3/mt_promise_set.3 %D%/man3/mt_pwrite.3 %D%/man3/mt_queue_attach.3 \
	%D%/man3/mt_queue_attach_from.3 %D%/man3/mt_queue_capacity.3 %D%/man3/mt_queue_close.3 \
	%D%/man3/mt_queue_fd.3 %D%/man3/mt_queue_free.3 %D%/man3/mt_queue_get.3 %D%/man3/mt_queue_get_many.3 \
	%D%/man3/mt_queue_get_view.3 %D%/man3/mt_queue_give_back.3 %D%/man3/mt_queue_is_closed.3 \
	%D%/man3/mt_queue_is_empty.3 %D%/man3/mt_queue_is_full.3 %D%/man3/mt_queue_join.3 \
	%D%/man3/mt_queue_message_max.3 %D%/man3/mt_queue_name.3 %D%/man3/mt_queue_new.3 \
	%D%/man3/mt_queue_peek.3 %D%/man3/mt_queue_put.3 %D%/man3/mt_queue_put_many.3 \
	%D%/man3/mt_queue_put_priority.3 %D%/man3/mt_queue_size.3 %D%/man3/mt_queue_status.3 %D%/man3/mt_queue_task_done.3 \
	%D%/man3/mt_read.3 %D%/man3/mt_read_all.3 %D%/man3/mt_reason_name.3 %D%/man3/mt_recv.3 \
	%D%/man3/mt_recvmsg.3 %D%/man3/mt_rlock_acquire.3 %D%/man3/mt_rlock_init.3 %D%/man3/mt_rlock_release.3 \
	%D%/man3/mt_robust_acquire.3 %D%/man3/mt_robust_consistent.3 %D%/man3/mt_robust_init.3 \
	%D%/man3/mt_robust_owner.3 %D%/man3/mt_robust_release.3 %D%/man3/mt_rwlock_acquire_read.3 \
	%D%/man3/mt_rwlock_acquire_write.3 %D%/man3/mt_rwlock_init.3 %D%/man3/mt_rwlock_release_read.3 \
	%D%/man3/mt_rwlock_release_write.3 %D%/man3/mt_sandbox.3 %D%/man3/mt_sandbox_noted.3 \
	%D%/man3/mt_sandbox_refused.3 %D%/man3/mt_select.3 %D%/man3/mt_sem_acquire.3 %D%/man3/mt_sem_init.3 \
	%D%/man3/mt_sem_init_bounded.3 %D%/man3/mt_sem_release.3 %D%/man3/mt_sem_value.3 %D%/man3/mt_send.3 \
	%D%/man3/mt_sendmsg.3 %D%/man3/mt_shm.3 %D%/man3/mt_shm_address.3 %D%/man3/mt_shm_attach.3 \
	%D%/man3/mt_shm_fd.3 %D%/man3/mt_shm_free.3 %D%/man3/mt_shm_new.3 %D%/man3/mt_shm_size.3 \
	%D%/man3/mt_sleep.3 %D%/man3/mt_state_name.3 %D%/man3/mt_task.3 %D%/man3/mt_task_count.3 \
	%D%/man3/mt_task_current.3 %D%/man3/mt_task_detach.3 %D%/man3/mt_task_enumerate.3 \
	%D%/man3/mt_task_get.3 %D%/man3/mt_task_id.3 %D%/man3/mt_task_info.3 %D%/man3/mt_task_is_alive.3 \
	%D%/man3/mt_task_join.3 %D%/man3/mt_task_kill.3 %D%/man3/mt_task_killed.3 %D%/man3/mt_task_kind.3 \
	%D%/man3/mt_task_link.3 %D%/man3/mt_task_list.3 %D%/man3/mt_task_main.3 %D%/man3/mt_task_message.3 \
	%D%/man3/mt_task_name.3 %D%/man3/mt_task_outcome.3 %D%/man3/mt_task_ready.3 %D%/man3/mt_task_release.3 \
	%D%/man3/mt_task_retain.3 %D%/man3/mt_task_set_name.3 %D%/man3/mt_task_set_value.3 \
	%D%/man3/mt_task_spawner.3 %D%/man3/mt_task_state.3 %D%/man3/mt_task_successful.3 \
	%D%/man3/mt_task_tid.3 %D%/man3/mt_task_unlink.3 %D%/man3/mt_task_value.3 %D%/man3/mt_thread_backend.3 \
	%D%/man3/mt_thread_backend_reason.3 %D%/man3/mt_thread_spawn.3 %D%/man3/mt_thread_start.3 \
	%D%/man3/mt_timeout_cancel.3 %D%/man3/mt_timeout_expired.3 %D%/man3/mt_timeout_start.3 \
	%D%/man3/mt_timer_cancel.3 %D%/man3/mt_timer_cancel_wait.3 %D%/man3/mt_timer_free.3 \
	%D%/man3/mt_timer_join.3 %D%/man3/mt_timer_message.3 %D%/man3/mt_timer_missed.3 \
	%D%/man3/mt_timer_outcome.3 %D%/man3/mt_timer_restart.3 %D%/man3/mt_timer_runs.3 \
	%D%/man3/mt_timer_start.3 %D%/man3/mt_value_get.3 %D%/man3/mt_value_new.3 %D%/man3/mt_value_set.3 \
	%D%/man3/mt_with_timeout.3 %D%/man3/mt_write.3 %D%/man3/mt_write_all.3 %D%/man3/mt_yield.3 \
	%D%/man3/mt_yield_from.3 %D%/man3/mt_yield_from_generator.3
dist_mtman7_DATA = %D%/man7/liblinuxmt-patch.7 %D%/man7/linuxmt.7 %D%/man7/mt_deadlock.7 %D%/man7/mt_gevent.7 %D%/man7/mt_lockorder.7 %D%/man7/mt_probes.7
dist_man_MANS += %D%/man1/mtrace-deadlock.1 %D%/man1/mtrace-doctor.1
dist_man_MANS += %D%/man1/mtrace.1 %D%/man1/mtrace-locks.1 %D%/man1/mtrace-sched.1 %D%/man1/mtrace-queues.1 %D%/man1/mtrace-pool.1 %D%/man1/mtrace-coros.1 %D%/man1/mtrace-patch.1 %D%/man5/mtrace-json.5
