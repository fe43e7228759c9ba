// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPUs, each with a thread that runs it
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "vcpu.h"
#include "vm.h"

/* Why a vCPU is kicked, in kvm_run::immediate_exit: for KVM each means to leave. */
enum { STOP = 1, LOOK = 2 };

unsigned int nr_vcpus = 1;
struct vcpu *vcpus;
int done;

static struct guest_run running;
static size_t run_size;
static sem_t begun, parked;
static bool started;
static bool stepping;	/* the debugger has all vCPUs go step by step */

static void stats_open(struct vcpu *vcpu)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	size_t size;
	__u32 i;

	vcpu->stats = check(ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL),
			    "KVM_GET_STATS_FD, which Linux has since 5.14");
	if (pread(vcpu->stats, &header, sizeof(header), 0) != sizeof(header))
		err(1, "cannot read the statistics of vCPU %u", vcpu->nr);
	size = sizeof(*desc) + header.name_size;
	desc = malloc(size);
	if (!desc)
		err(1, "no memory");
	for (i = 0; i < header.num_desc; i++) {
		if (pread(vcpu->stats, desc, size, header.desc_offset + i * size) != (ssize_t)size)
			err(1, "cannot read the statistics of vCPU %u", vcpu->nr);
		if (!strcmp(desc->name, "exits"))
			break;
	}
	if (i == header.num_desc)
		errx(1, "this kernel does not count the exits of a vCPU");
	vcpu->exits = header.data_offset + desc->offset;
	free(desc);
}

static __u64 vcpu_exits(struct vcpu *vcpu)
{
	__u64 exits;

	if (pread(vcpu->stats, &exits, sizeof(exits), vcpu->exits) != sizeof(exits))
		err(1, "cannot read the statistics of vCPU %u", vcpu->nr);
	return exits;
}

/*
 * What the guests use: TSC, PAE and a local APIC, and long mode. No MTRRs: where KVM heeds
 * them, as it may if there is a VFIO device, all memory would be uncached until they are set.
 */
static const struct {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[2];
} cpuid = {
	.head.nent = 2,
	.entries = {
		{ .function = 1, .edx = 1 << 4 | 1 << 6 | 1 << 9 },
		{ .function = 0x80000001, .edx = 1 << 29 },
	},
};

/* It is not in KVM_RUN, nor has KVM_RUN anything left of an exit to do. */
void vcpu_get_state(struct vcpu *vcpu, struct vcpu_state *state)
{
	check(ioctl(vcpu->fd, KVM_GET_MP_STATE, &state->mp), "KVM_GET_MP_STATE");
	check(ioctl(vcpu->fd, KVM_GET_SREGS, &state->sregs), "KVM_GET_SREGS");
	check(ioctl(vcpu->fd, KVM_GET_REGS, &state->regs), "KVM_GET_REGS");
	check(ioctl(vcpu->fd, KVM_GET_LAPIC, &state->lapic), "KVM_GET_LAPIC");
	check(ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &state->events), "KVM_GET_VCPU_EVENTS");
}

/* The local APIC's timer begins to count at once. */
void vcpu_set_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
	check(ioctl(vcpu->fd, KVM_SET_MP_STATE, &state->mp), "KVM_SET_MP_STATE");
	check(ioctl(vcpu->fd, KVM_SET_SREGS, &state->sregs), "KVM_SET_SREGS");
	check(ioctl(vcpu->fd, KVM_SET_REGS, &state->regs), "KVM_SET_REGS");
	check(ioctl(vcpu->fd, KVM_SET_LAPIC, &state->lapic), "KVM_SET_LAPIC");
	check(ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &state->events), "KVM_SET_VCPU_EVENTS");
}

static void vcpu_open(struct vcpu *vcpu, unsigned int nr)
{
	vcpu->nr = nr;
	vcpu->fd = ioctl(vm, KVM_CREATE_VCPU, nr);
	if (vcpu->fd < 0)
		err(1, "cannot create vCPU %u", nr);
	check(ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid), "KVM_SET_CPUID2");
	vcpu->run = get_memory(run_size, vcpu->fd, 0, "struct kvm_run");
	vcpu_get_state(vcpu, &vcpu->created);
	stats_open(vcpu);
	sem_init(&vcpu->go, 0, 0);
}

void vcpus_open(void)
{
	unsigned int nr;

	run_size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	vcpus = calloc(nr_vcpus, sizeof(*vcpus));
	if (!vcpus)
		err(1, "no memory");
	for (nr = 0; nr < nr_vcpus; nr++)
		vcpu_open(&vcpus[nr], nr);
}

void vcpus_close(void)
{
	unsigned int nr;

	for (nr = 0; nr < nr_vcpus; nr++) {
		close(vcpus[nr].stats);
		munmap(vcpus[nr].run, run_size);
		close(vcpus[nr].fd);
	}
	free(vcpus);
}

int vcpu_tsc_khz(const struct vcpu *vcpu)
{
	return check(ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0), "KVM_GET_TSC_KHZ");
}

/* Say what it cost. The exit by which it comes here is not counted. */
static void vcpu_done(struct vcpu *vcpu)
{
	__u64 exits = vcpu_exits(vcpu) - vcpu->exits_begun - 1;
	struct kvm_regs r;

	check(ioctl(vcpu->fd, KVM_GET_REGS, &r), "KVM_GET_REGS");
	printf("%s count=%llu ns=%.0f exits=%llu\n", running.guest->name, running.count,
	       (r.r15 - r.r14) * 1e6 / vcpu_tsc_khz(vcpu), exits);
	eventfd_write(done, 1);
}

static void vcpu_debug(struct vcpu *vcpu, bool on)
{
	struct kvm_guest_debug debug = { };

	if (on)
		debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |
				KVM_GUESTDBG_BLOCKIRQ;
	check(ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug), "KVM_SET_GUEST_DEBUG");
	vcpu->stepped = on;
}

/* Until it is kicked or done. */
static void vcpu_run(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	bool step;

	for (;;) {
		step = __atomic_load_n(&stepping, __ATOMIC_RELAXED);
		if (step != vcpu->stepped)
			vcpu_debug(vcpu, step);
		if (ioctl(vcpu->fd, KVM_RUN, 0)) {
			if (errno != EINTR && errno != EAGAIN)
				err(1, "vCPU %u does not run", vcpu->nr);
			if (__atomic_exchange_n(&run->immediate_exit, 0, __ATOMIC_RELAXED) == STOP)
				return;
			continue;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_MMIO:
			device_access(run);
			break;
		case KVM_EXIT_IO:
			if (run->io.port == PORT_DONE) {
				vcpu_done(vcpu);
				return;
			}
			if (run->io.port == PORT_RESET) {
				device_reset(&devices[0]);
				break;
			}
			vcpu->exits_begun = vcpu_exits(vcpu);
			sem_post(&begun);
			break;
		case KVM_EXIT_DEBUG:
			break;
		case KVM_EXIT_INTERNAL_ERROR:
			warnx("vCPU %u: KVM cannot run it any more", vcpu->nr);
			return;
		default:
			errx(1, "vCPU %u ends with KVM's exit reason %u, see linux/kvm.h", vcpu->nr,
			     run->exit_reason);
		}
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;

	for (;;) {
		sem_wait(&vcpu->go);
		vcpu_run(vcpu);
		sem_post(&parked);
	}
	return NULL;
}

/* Its use is that it interrupts. */
static void kicked(int signal)
{
	(void)signal;
}

/* The flag is for one that is about to enter the guest, the signal for one that is in it. */
static void kick_vcpus(int why)
{
	unsigned int nr;

	for (nr = 0; nr < nr_vcpus; nr++) {
		__atomic_store_n(&vcpus[nr].run->immediate_exit, why, __ATOMIC_RELAXED);
		pthread_kill(vcpus[nr].thread, SIGUSR1);
	}
}

/* As created, but at the beginning of the guest. */
void reset_vcpus(const struct guest_run *how)
{
	struct vcpu_state state;
	unsigned int nr;

	running = *how;
	for (nr = 0; nr < nr_vcpus; nr++) {
		state = vcpus[nr].created;
		state.mp.mp_state = KVM_MP_STATE_RUNNABLE;
		guest_begin(how, nr, &state.regs, &state.sregs);
		vcpu_set_state(&vcpus[nr], &state);
	}
}

/* From where they are. */
void start_vcpus(void)
{
	unsigned int nr;

	for (nr = 0; nr < nr_vcpus; nr++)
		vcpus[nr].run->immediate_exit = 0;
	for (nr = 0; nr < nr_vcpus; nr++)
		sem_post(&vcpus[nr].go);
	started = true;
}

/* If they are started. */
void stop_vcpus(void)
{
	unsigned int nr;

	if (!started)
		return;
	kick_vcpus(STOP);
	for (nr = 0; nr < nr_vcpus; nr++)
		sem_wait(&parked);
	started = false;
}

/* As a debugger has them go, or no more. */
void step_vcpus(void)
{
	__atomic_store_n(&stepping, !stepping, __ATOMIC_SEQ_CST);
	kick_vcpus(LOOK);
}

/* Until all that were reset run. */
void wait_begun(void)
{
	unsigned int nr;

	for (nr = 0; nr < nr_vcpus; nr++)
		sem_wait(&begun);
}

/* The signal is for these threads alone. */
void threads_open(void)
{
	/* KVM_RUN is not restarted, all else is. */
	struct sigaction kick = { .sa_handler = kicked, .sa_flags = SA_RESTART };
	unsigned int nr;

	sigaction(SIGUSR1, &kick, NULL);
	done = check(eventfd(0, EFD_CLOEXEC), "eventfd");
	sem_init(&begun, 0, 0);
	sem_init(&parked, 0, 0);
	for (nr = 0; nr < nr_vcpus; nr++) {
		errno = pthread_create(&vcpus[nr].thread, NULL, vcpu_thread, &vcpus[nr]);
		if (errno)
			err(1, "cannot start the thread of vCPU %u", nr);
	}
}

/* They are parked. */
void threads_close(void)
{
	unsigned int nr;

	for (nr = 0; nr < nr_vcpus; nr++) {
		pthread_cancel(vcpus[nr].thread);
		pthread_join(vcpus[nr].thread, NULL);
	}
	close(done);
}
