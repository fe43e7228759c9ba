// SPDX-License-Identifier: GPL-2.0
/*
 * The module, loaded and unloaded, and its monitors, created and removed. It is left loaded,
 * without parameters.
 */
#include "fault_test.h"

#define PARAMETERS "on_panicked=backtrace"
/* Not by the link in the class mdev_bus: mdev_register_parent() goes on without it. */
#define TYPES "/sys/devices/virtual/kvm_heartbeat/kvm_heartbeat/mdev_supported_types/"

static int load(struct subject *s)
{
	int ko = open(s->file, O_RDONLY | O_CLOEXEC), ret;

	ret = ko < 0 ? -errno : result(syscall(SYS_finit_module, ko, s->text, 0));
	close(ko);
	return ret;
}

static int unload(struct subject *s)
{
	return result(syscall(SYS_delete_module, "kvm_heartbeat", O_NONBLOCK));
}

static bool is_loaded(struct subject *s)
{
	return !access(TYPES "kvm_heartbeat-vm/create", F_OK);
}

static bool is_unloaded(struct subject *s)
{
	return !is_loaded(s) && access("/sys/module/kvm_heartbeat", F_OK) &&
	       access(MDEV "../drivers/kvm_heartbeat", F_OK);
}

static bool is_created(struct subject *s)
{
	return is(&s->m, "detached", "none") &&
	       !strcmp(attr_text(&s->m, "on_panicked"), "backtrace");
}

static bool is_destroyed(struct subject *s)
{
	char path[128];

	snprintf(path, sizeof(path), MDEV "%.36s", s->m.uuid);
	return access(path, F_OK);
}

static void undo_load(struct subject *s)
{
	unload(s);
}

/* With a monitor, which goes with it. */
static void undo_unload(struct subject *s)
{
	load(s);
	create(s);
}

static void undo_create(struct subject *s)
{
	destroy(s);
}

static void undo_destroy(struct subject *s)
{
	create(s);
}

/*
 * How many workqueues the kernel has, by the objects that they are made of: one that was left
 * behind is on a list, where what looks for leaks finds it.
 */
static long workqueues(void)
{
	long objects = -1;
	char line[256];
	FILE *caches;

	/* Or what is free on a CPU would count, too. */
	write_file("/sys/kernel/slab/pool_workqueue/shrink", "1");
	caches = fopen("/proc/slabinfo", "re");
	while (caches && objects < 0 && fgets(line, sizeof(line), caches))
		sscanf(line, "pool_workqueue %ld", &objects);
	if (caches)
		fclose(caches);
	return objects;
}

/* What a workqueue was made of is freed some time after it is gone. */
static bool workqueues_become(long nr)
{
	double patience = now_s() + PATIENCE_MS / 1000;

	while (workqueues() != nr)
		if (now_s() > patience)
			return false;
	return true;
}

FIXTURE(module)
{
	struct subject s;
	long workqueues;
};

FIXTURE_SETUP(module)
{
	const char *why = faults_open();
	struct subject *s = &self->s;

	if (why)
		SKIP(return, "%s", why);
	s->file = getenv("KVMHB_HOST_KO");
	if (!s->file)
		SKIP(return, "KVMHB_HOST_KO names no module to load");
	monitor_init(&s->m, "5e1f7e57-0000-4000-8000-4b48425400f0");
	s->text = PARAMETERS;
	self->workqueues = workqueues();
	ASSERT_LT(0, self->workqueues);
	ASSERT_EQ(0, unload(s));
	ASSERT_EQ(0, load(s));
}

FIXTURE_TEARDOWN(module)
{
	unload(&self->s);
	self->s.text = "";
	EXPECT_EQ(0, load(&self->s));
	EXPECT_TRUE(workqueues_become(self->workqueues));
	faults_close();
}

/* In its own initialisation; that of any module is the kernel's affair. */
TEST_F(module, load)
{
	/* EINVAL: module_add_driver() in drivers/base/module.c, without memory for a folder. */
	static const struct operation op = {
		"load", load, is_loaded, undo_load, .core_answers = -EINVAL
	};

	ASSERT_EQ(0, unload(&self->s));
	ASSERT_EQ(0, faults_only_in("do_one_initcall"));
	make_faults(_metadata, &op, &self->s);
}

TEST_F(module, unload)
{
	static const struct operation op = { "unload", unload, is_unloaded, undo_unload };

	ASSERT_EQ(0, create(&self->s));
	make_faults(_metadata, &op, &self->s);
}

TEST_F(module, create)
{
	static const struct operation op = { "create", create, is_created, undo_create };

	make_faults(_metadata, &op, &self->s);
}

TEST_F(module, remove)
{
	static const struct operation op = { "remove", destroy, is_destroyed, undo_destroy };

	ASSERT_EQ(0, create(&self->s));
	make_faults(_metadata, &op, &self->s);
}
