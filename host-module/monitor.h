/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitor of one guest: takes the guest's words in, looks at the guest when it is time
 * to, and reports each change of state. Knows nothing of VFIO.
 */
#ifndef KVMHB_MONITOR_H
#define KVMHB_MONITOR_H

#include <linux/mutex.h>

#include "deadline.h"
#include "life.h"
#include "outage.h"
#include "patrol.h"
#include "react.h"
#include "report.h"
#include "saved.h"
#include "tally.h"
#include "timing.h"
#include "watch.h"
#include "words.h"

/**
 * struct kvmhb_config - what users set
 * @timing: interval and timeout
 * @timeout_set_ns: the explicit timeout, ns, or 0 while it follows the interval
 */
struct kvmhb_config {
	struct kvmhb_timing timing;
	u64 timeout_set_ns;
};

/**
 * struct kvmhb_vm - the VM that a monitor is attached to
 * @pulse: its pulse page; NULL while detached
 * @kvm: for evidence; NULL while detached and without KVM
 * @vmm: the VMM, held while attached; NULL while detached
 */
struct kvmhb_vm {
	struct kvmhb_pulse *pulse;
	struct kvm *kvm;
	struct pid *vmm;
};

struct kvmhb_monitor;

/**
 * struct kvmhb_monitor_ops - the way back from a monitor to its device
 * @config_changed: what the guest reads has changed
 * @stop: stop the VM, to be looked at; returns false if the VMM does not listen
 *
 * Called in process context, never with the monitor's lock held, and as often as it happens.
 */
struct kvmhb_monitor_ops {
	void (*config_changed)(struct kvmhb_monitor *mon);
	bool (*stop)(struct kvmhb_monitor *mon);
};

/**
 * struct kvmhb_monitor - the monitor of one guest
 * @ops: the way back to the device; never changes
 * @tally: what beats leave behind; without a lock, by rules of its own
 * @turn: when to look; by rules of its own
 *
 * @lock: serialises whatever changes the state or the configuration, and with it the order
 *	of reports; protects all below
 * @reporter: what reports are limited by
 * @vm: the VM
 * @config: what users set
 * @timing: what the guest is judged by: @config, or while @retuning something more patient
 * @judging: @timing, as far as this host can tell, as of the last look
 * @paused_at_ns: when the VMM paused the VM, ns of CLOCK_MONOTONIC; 0 while it runs. Until then
 *	nothing is judged
 * @retuning: the guest has not yet beaten by @config
 * @leaving: the VMM copies the VM's memory to somewhere: a pause is no news
 * @arrived: the VM came from elsewhere, and has not run here yet
 * @moves: the VM goes on elsewhere if it ends now; never while it runs
 * @lifecycle: the last word that the guest said and the monitor accepted
 * @verdict: state and cause
 * @living: why it was degraded when it last beat as it should, or none; means nothing before
 *	it has armed
 * @oops_beats: how many beats there were when the guest said that its kernel met a fault;
 *	means nothing unless that was its last word
 * @goodbye: the cause to be given if the VM ends now, or none
 * @life: how often the guest began and ended
 * @outages: silences and outages
 * @reactions: what is done about an outage; NULL as long as no user wants anything of it
 * @deadlines: by when it has to boot and to end; NULL as long as no user has set one
 * @watch: what was seen of the guest so far
 *
 * While it beats, a guest is looked at by the time at which it would be late had it not
 * beaten since the last look: about once an interval.
 */
struct kvmhb_monitor {
	const struct kvmhb_monitor_ops *ops;
	struct kvmhb_tally tally;
	struct kvmhb_turn turn;

	struct mutex lock;	/* of all below */
	struct kvmhb_reporter reporter;
	struct kvmhb_vm vm;
	struct kvmhb_config config;
	struct kvmhb_timing timing;
	struct kvmhb_timing judging;
	u64 paused_at_ns;
	bool retuning;
	bool leaving;
	bool arrived;
	bool moves;
	u32 lifecycle;
	struct kvmhb_verdict verdict;
	enum kvmhb_cause living;
	u32 oops_beats;
	enum kvmhb_cause goodbye;
	struct kvmhb_life life;
	struct kvmhb_outages outages;
	struct kvmhb_reactions *reactions;
	struct kvmhb_deadlines *deadlines;
	struct kvmhb_watch watch;
};

/**
 * struct kvmhb_readings - what sysfs shows of a monitor, taken at one moment
 * @verdict: state and cause
 * @timing: the configuration
 * @boot_timeout_ns: how long the guest may take until it arms, ns, or 0
 * @shutdown_timeout_ns: and until it ends, likewise
 * @lifecycle: the last word that the guest said and the monitor accepted
 * @vmm_pid: thread group of the VMM, 0 if there is none
 * @beats: beats since the VM was attached
 * @missed: beats that did not come, a running silence included
 * @outages: how often the guest became unresponsive
 * @downtime_ns: how long it was, a running outage included, ns
 * @life: how often the guest began and ended
 * @has_beaten: the guest has armed since the VM was last reset
 * @last_beat_ns: time since the last beat or the arming, ns
 * @gaps: statistics of the time between beats
 * @suspicion_milli: how suspicious the running silence is, phi times 1000;
 *	means nothing unless the guest is armed
 */
struct kvmhb_readings {
	struct kvmhb_verdict verdict;
	struct kvmhb_timing timing;
	u64 boot_timeout_ns;
	u64 shutdown_timeout_ns;
	u32 lifecycle;
	pid_t vmm_pid;
	u64 beats;
	u64 missed;
	u64 outages;
	u64 downtime_ns;
	struct kvmhb_life life;
	bool has_beaten;
	u64 last_beat_ns;
	struct kvmhb_gaps gaps;
	u64 suspicion_milli;
};

int kvmhb_monitors_init(void);
void kvmhb_monitors_exit(void);

/* All of these but the first two take the monitor's lock. */
void kvmhb_monitor_init(struct kvmhb_monitor *mon, struct device *dev,
			const struct kvmhb_config *config,
			const struct kvmhb_monitor_ops *ops);
void kvmhb_monitor_stop(struct kvmhb_monitor *mon);
void kvmhb_monitor_uninit(struct kvmhb_monitor *mon);
void kvmhb_monitor_attach(struct kvmhb_monitor *mon, const struct kvmhb_vm *vm);
void kvmhb_monitor_detach(struct kvmhb_monitor *mon);
void kvmhb_monitor_reset(struct kvmhb_monitor *mon);
void kvmhb_monitor_pause(struct kvmhb_monitor *mon);
void kvmhb_monitor_resume(struct kvmhb_monitor *mon);
void kvmhb_monitor_leaves(struct kvmhb_monitor *mon, bool leaving);
void kvmhb_monitor_moves(struct kvmhb_monitor *mon);
void kvmhb_monitor_save(struct kvmhb_monitor *mon, struct kvmhb_saved *saved);
void kvmhb_monitor_load(struct kvmhb_monitor *mon, const struct kvmhb_saved *saved);
void kvmhb_monitor_lifecycle(struct kvmhb_monitor *mon, u32 word);
int kvmhb_monitor_configure(struct kvmhb_monitor *mon, const u64 *interval_ns,
			    const u64 *timeout_ns);
int kvmhb_monitor_set_deadlines(struct kvmhb_monitor *mon, const u64 *boot_ns,
				const u64 *shutdown_ns);
void kvmhb_monitor_lock_to_read(struct kvmhb_monitor *mon);
void kvmhb_monitor_unlock_to_read(struct kvmhb_monitor *mon);
void kvmhb_monitor_read(struct kvmhb_monitor *mon, struct kvmhb_readings *readings);
void kvmhb_monitor_stale(struct kvmhb_monitor *mon, unsigned long *cpus);
int kvmhb_monitor_show_judgement(struct kvmhb_monitor *mon, char *buf,
				 int (*show)(const struct kvmhb_judgement *judged, char *buf));

/* A monitor's files in sysfs, for a device whose driver data it is. */
extern const struct attribute_group *kvmhb_sysfs_groups[];

/* Between the monitor's own files. Unlike those above, all but the turn want its lock held. */
void kvmhb_monitor_look(struct kvmhb_monitor *mon);
void kvmhb_monitor_change(struct kvmhb_monitor *mon, enum kvmhb_state state,
			  enum kvmhb_cause cause);
void kvmhb_monitor_announce(struct kvmhb_monitor *mon);
void kvmhb_monitor_begin_deadline(struct kvmhb_monitor *mon);
u64 kvmhb_monitor_deadline_ns(const struct kvmhb_monitor *mon);
bool kvmhb_monitor_watches(const struct kvmhb_monitor *mon);
bool kvmhb_monitor_has_beaten(const struct kvmhb_monitor *mon);
bool kvmhb_monitor_has_oopsed(const struct kvmhb_monitor *mon);
void kvmhb_monitor_judge_by(struct kvmhb_monitor *mon, struct kvmhb_timing timing, bool retuning);
u64 kvmhb_monitor_now_ns(const struct kvmhb_monitor *mon);
u64 kvmhb_monitor_missing(const struct kvmhb_monitor *mon);
bool kvmhb_monitor_take_turn(struct kvmhb_turn *turn, enum kvmhb_looker by, u64 asked_at_ns);
void kvmhb_monitor_say_if_too_fine(struct kvmhb_monitor *mon);

#endif /* KVMHB_MONITOR_H */
