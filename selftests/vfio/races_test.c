// SPDX-License-Identifier: GPL-2.0
/*
 * Races: with each other, with readers, with a patrol
 */
#include "vfio_test.h"

/* All of it at once, from as many sides as there are: nothing may break. */
static atomic_bool racing;

static void *race_beats(void *arg)
{
	while (racing)
		ring(arg);
	return NULL;
}

static void *race_words(void *arg)
{
	unsigned int seed = 1;

	while (racing)
		say(arg, rand_r(&seed) % 8);
	return NULL;
}

static void race_tuning(struct monitor *m, unsigned int rounds)
{
	unsigned int seed = 2;

	while (rounds--) {
		int r = rand_r(&seed) % 4;

		attr_set(m, "interval_ns", r & 1 ? "1000000" : "3000000");
		attr_set(m, "timeout_ns", r & 2 ? "0" : "4000000");
		attr_set(m, "mute_ns", r ? "0" : "1000000");
		attr_set(m, "boot_timeout_ns", r & 1 ? "0" : "1000000");
		attr_set(m, "shutdown_timeout_ns", r & 2 ? "1000000" : "0");
		attr_text(m, "downtime_ns");
	}
}

static void *race_resets(void *arg)
{
	struct monitor *m = arg;

	while (racing) {
		ioctl(m->device, VFIO_DEVICE_RESET);
		ack(m);
	}
	return NULL;
}

static void *race_interrupts(void *arg)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	while (racing) {
		set_irq(arg, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			VFIO_PCI_MSI_IRQ_INDEX, 0, 1, 24, fd);
		set_irq(arg, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			VFIO_PCI_MSI_IRQ_INDEX, 0, 1, 24, -1);
	}
	close(fd);
	return NULL;
}

/* Signalled without end, while another thread gives and takes it. */
static int race_eventfd = -1;

static void *race_signals(void *arg)
{
	while (racing)
		signal_eventfd(race_eventfd, 1);
	return NULL;
}

static void *race_doorbells(void *arg)
{
	while (racing) {
		set_doorbell(arg, race_eventfd, 0);
		set_doorbell(arg, -1, 0);
	}
	return NULL;
}

TEST_F(hb, everything_at_once)
{
	static void *(*const racers[])(void *) = {
		race_beats, race_words, race_resets, race_interrupts, race_signals,
		race_doorbells,
	};
	enum { N = ARRAY_SIZE(racers) };
	pthread_t threads[N];
	int round, i;

	ASSERT_EQ(0, attr_set(&self->m, "action_delay_ns", "0"));
	ASSERT_EQ(0, attr_set(&self->m, "on_panicked", "backtrace pause dump"));
	ASSERT_EQ(0, attr_set(&self->m, "on_unresponsive", "dump pause backtrace"));
	ASSERT_EQ(0, attr_set(&self->m, "actions_max", "32"));
	ASSERT_EQ(0, attr_set(&self->m, "actions_window_ns", "1000000000"));
	race_eventfd = eventfd(0, EFD_NONBLOCK);
	for (round = 0; round < 4; round++) {
		racing = true;
		for (i = 0; i < N; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, racers[i], &self->m));
		race_tuning(&self->m, 60);
		racing = false;
		for (i = 0; i < N; i++)
			pthread_join(threads[i], NULL);

		/* It still works. */
		ASSERT_EQ(0, attr_set(&self->m, "boot_timeout_ns", "0"));
		ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
		ASSERT_TRUE(is(&self->m, "waiting", "none"));
		ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "0"));
		ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
		ack(&self->m);
		say(&self->m, KVM_HEARTBEAT_ARM);
		ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));

		/* And the VMM may die in any state. */
		monitor_close(&self->m);
		ASSERT_TRUE(is(&self->m, "detached", "vmm-gone"));
		ASSERT_EQ(0, monitor_open(&self->m));
	}
	close(race_eventfd);
}

static void *race_readings(void *arg)
{
	while (racing)
		attr_text(arg, "downtime_ns");
	return NULL;
}

/* Whoever reads holds the lock, and a patrol does not wait for it: others then look. */
TEST_F(hb, readers_on_patrol)
{
	struct page *page = map_page(&self->m);
	struct monitor *m = &self->m;
	pthread_t threads[3];
	int i;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, attr_set(m, "interval_ns", "20000000"));
	ack(m);
	page->slots[0].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	say(m, KVM_HEARTBEAT_ARM);
	racing = true;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race_readings, m));
	for (i = 0; i < 1000; i++) {
		page->slots[0].pulses++;
		ring(m);
		poll(NULL, 0, 3);
	}
	racing = false;
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_TRUE(becomes(m, "state", "unresponsive"));
	munmap(page, sizeof(*page));
}

/* A VM that beats once, with intervals of two kinds, and ends. */
static void *race_visits(void *arg)
{
	struct monitor *m = arg;
	unsigned int round;

	for (round = 0; racing; round++) {
		if (!monitor_open(m)) {
			attr_set(m, "interval_ns", round & 1 ? "1000000000" : "2000000000");
			ack(m);
			say(m, KVM_HEARTBEAT_ARM);
			ring(m);
		}
		monitor_close(m);
	}
	return NULL;
}

/* Those that beat alike are looked at together; each by itself, while others come and go. */
TEST(guests_share_a_patrol)
{
	enum { STAY = 3, VISIT = 3, ILL = 1 };
	struct monitor m[STAY + VISIT];
	double end = now_s() + PATIENCE_MS / 1000;
	pthread_t threads[VISIT];
	struct page *pages[STAY];
	bool seen = false;
	int i;

	for (i = 0; i < STAY + VISIT; i++)
		ASSERT_EQ(0, monitor_create(&m[i], i));
	for (i = 0; i < STAY; i++) {
		ASSERT_EQ(0, monitor_open(&m[i]));
		pages[i] = map_page(&m[i]);
		ASSERT_NE(MAP_FAILED, pages[i]);
		ASSERT_EQ(0, attr_set(&m[i], "interval_ns", "1000000000"));
		/* However long we may be kept from beating. */
		ASSERT_EQ(0, attr_set(&m[i], "timeout_ns",
				      i == ILL ? "3000000000" : "3600000000000"));
		ack(&m[i]);
		pages[i]->slots[0].flags = KVM_HEARTBEAT_SLOT_ONLINE;
		pages[i]->slots[1].flags = KVM_HEARTBEAT_SLOT_ONLINE;
		say(&m[i], KVM_HEARTBEAT_ARM);
	}
	racing = true;
	for (i = 0; i < VISIT; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race_visits, &m[STAY + i]));

	/* One CPU of one of them stands still. */
	while (!seen && now_s() < end) {
		for (i = 0; i < STAY; i++) {
			pages[i]->slots[0].pulses++;
			if (i != ILL)
				pages[i]->slots[1].pulses++;
			ring(&m[i]);
		}
		poll(NULL, 0, 200);
		seen = !strcmp(attr_text(&m[ILL], "stale_vcpus"), "1");
	}
	EXPECT_TRUE(seen);

	racing = false;
	for (i = 0; i < VISIT; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < STAY + VISIT; i++) {
		if (i < STAY && i != ILL)
			EXPECT_EQ(0, attr(&m[i], "outages"));
		if (i < STAY)
			munmap(pages[i], sizeof(*pages[i]));
		monitor_close(&m[i]);
		EXPECT_EQ(0, monitor_remove(&m[i]));
	}
}
