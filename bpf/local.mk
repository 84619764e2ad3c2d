# SPDX-License-Identifier: MIT
# The eBPF programs: NOUN.bpf.c is compiled by clang and becomes the skeleton NOUN.skel.h. Their flags are ours alone, never the
# user's CFLAGS: what hardens a program for the CPU is a hard error for eBPF.
BPF_PROGS = bpf/wait.bpf.c
BPF_SHARED = bpf/kernel.h bpf/wait.h bpf/call.h bpf/call-i386.h bpf/wait-task.h bpf/wait-futex.h bpf/wait-sleep.h bpf/wait-lock.h \
	bpf/wait-count.h bpf/wait-library.h bpf/wait-order.h bpf/wait-queue.h bpf/queue.h bpf/wait-pool.h bpf/pool.h \
	bpf/wait-blocked.h bpf/wait-coro.h bpf/wait-hub.h bpf/wait-unseen.h bpf/coro.h
BPF_PROGS += bpf/doctor.bpf.c bpf/stuck.bpf.c
BPF_SHARED += bpf/stuck.h

EXTRA_DIST += $(BPF_PROGS) $(BPF_SHARED)

if WITH_BPF
BPF_OBJS = $(BPF_PROGS:.bpf.c=.bpf.o)
BPF_SKELS = $(BPF_PROGS:.bpf.c=.skel.h)
MT_BPF_CFLAGS = -g -O2 -Wall -Wextra -Wno-unused-parameter -Werror -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -fno-stack-protector \
	$(LIBBPF_CFLAGS) -I$(top_srcdir)/bpf $(BPF_ARCH_INCLUDE)

AM_V_BPF = $(am__v_BPF_@AM_V@)
am__v_BPF_ = $(am__v_BPF_@AM_DEFAULT_V@)
am__v_BPF_0 = @echo "  BPF     " $@;
am__v_BPF_1 =

SUFFIXES = .bpf.c .bpf.o .skel.h
.bpf.c.bpf.o:
	$(AM_V_BPF)$(MKDIR_P) $(@D) && $(CLANG) $(MT_BPF_CFLAGS) $(BPF_CFLAGS) -MD -MP -MF $@.d -MT $@ -c $< -o $@.tmp && \
		$(LLVM_STRIP) -g $@.tmp && mv -f $@.tmp $@
.bpf.o.skel.h:
	$(AM_V_GEN)$(BPFTOOL) gen skeleton $< name $(*F)_bpf >$@.tmp && mv -f $@.tmp $@
# The objects are kept, or their headers would be forgotten with them.
.SECONDARY: $(BPF_OBJS)
-include $(BPF_OBJS:=.d)

BUILT_SOURCES += $(BPF_SKELS)
CLEANFILES += $(BPF_SKELS) $(BPF_OBJS) $(BPF_OBJS:=.d)
endif
