// SPDX-License-Identifier: GPL-2.0
/*
 * The files of a monitor in sysfs
 */
#include "fault_test.h"

static int set_file(struct subject *s)
{
	return attr_set(&s->m, s->file, s->text);
}

static bool is_set(struct subject *s)
{
	return !strcmp(attr_text(&s->m, s->file), s->text);
}

/* A fresh monitor: what takes memory takes it once. */
static void create_anew(struct subject *s)
{
	destroy(s);
	create(s);
}

TEST_F(faults, settings)
{
	static const struct {
		const char *file, *text;
	} rows[] = {
		{ "interval_ns", "1000000000" },
		{ "timeout_ns", "5000000000" },
		{ "boot_timeout_ns", "600000000000" },
		{ "shutdown_timeout_ns", "600000000000" },
		{ "on_unresponsive", "backtrace dump" },
		{ "on_panicked", "kill" },
		{ "action_delay_ns", "1000000000" },
		{ "actions_max", "7" },
		{ "actions_window_ns", "5000000000" },
	};
	struct operation op = { NULL, set_file, is_set, create_anew };
	struct subject *s = &self->s;
	unsigned int i;

	monitor_close(&s->m);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		s->file = rows[i].file;
		s->text = rows[i].text;
		op.name = s->file;
		make_faults(_metadata, &op, s);
	}
}

/* It runs. */
static int mute(struct subject *s)
{
	return attr_set(&s->m, "mute_ns", "3600000000000");
}

static bool is_mute(struct subject *s)
{
	return attr(&s->m, "mute_ns");
}

TEST_F(faults, mute)
{
	static const struct operation op = { "mute_ns", mute, is_mute, create_anew };

	monitor_close(&self->s.m);
	make_faults(_metadata, &op, &self->s);
}

static char seen[4096];

static int read_attr(struct subject *s)
{
	snprintf(seen, sizeof(seen), "?");
	return read_file(attr_path(&s->m, s->file), seen, sizeof(seen));
}

static bool is_read(struct subject *s)
{
	return !strcmp(seen, s->text);
}

/* Of a guest that was silent, so that there is evidence. */
TEST_F(faults, readings)
{
	static const char * const files[] = { "state", "beats", "evidence", "stale_vcpus",
					      "on_panicked", "actions" };
	struct operation op = { NULL, read_attr, is_read, do_nothing };
	static char text[sizeof(seen)];
	struct subject *s = &self->s;
	unsigned int i;

	ASSERT_EQ(0, attr_set(&s->m, "interval_ns", "1000000"));
	ack(&s->m);
	ASSERT_EQ(0, say_armed(s));
	ASSERT_TRUE(becomes(&s->m, "state", "unresponsive"));
	monitor_close(&s->m);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		s->file = files[i];
		op.name = s->file;
		ASSERT_EQ(0, read_attr(s));
		memcpy(text, seen, sizeof(text));
		s->text = text;
		make_faults(_metadata, &op, s);
	}
}
