// SPDX-License-Identifier: GPL-2.0
/*
 * Migration. A VMM to which a state is refused may find the device in it, or on the way.
 */
#include "fault_test.h"

static int go_to(struct subject *s, __u32 state)
{
	return mig_set(&s->m, state, &s->transfer);
}

static void drop(struct subject *s)
{
	if (s->transfer >= 0)
		close(s->transfer);
	s->transfer = -1;
}

static void undo_migration(struct subject *s)
{
	drop(s);
	undo_all(s);
}

static int precopy(struct subject *s)
{
	return go_to(s, PRE_COPY);
}

static int stop_copy(struct subject *s)
{
	return go_to(s, VFIO_DEVICE_STATE_STOP_COPY);
}

static int resume(struct subject *s)
{
	return go_to(s, VFIO_DEVICE_STATE_RESUMING);
}

static int stop(struct subject *s)
{
	return mig_set(&s->m, VFIO_DEVICE_STATE_STOP, NULL);
}

/* With the file of the one before: none comes with it. */
static int stop_precopy(struct subject *s)
{
	return mig_set(&s->m, VFIO_DEVICE_STATE_STOP_COPY, NULL);
}

static int ask_precopy(struct subject *s)
{
	struct precopy_info info = { .argsz = sizeof(info), .dirty_bytes = 1 };
	int ret = result(ioctl(s->transfer, GET_PRECOPY_INFO, &info));

	s->value = !info.dirty_bytes;
	return ret;
}

static bool in_precopy(struct subject *s)
{
	return mig_get(&s->m) == PRE_COPY;
}

static bool in_stop_copy(struct subject *s)
{
	return mig_get(&s->m) == VFIO_DEVICE_STATE_STOP_COPY;
}

static bool in_resuming(struct subject *s)
{
	return mig_get(&s->m) == VFIO_DEVICE_STATE_RESUMING;
}

static bool is_stopped(struct subject *s)
{
	return mig_get(&s->m) == VFIO_DEVICE_STATE_STOP;
}

/* At once, and not to its end: no bytes are copied there, which nobody notices to fail. */
static int take_stream(struct subject *s)
{
	s->length = read(s->transfer, s->stream, STREAM_MAX);
	return result(s->length);
}

static int give_stream(struct subject *s)
{
	return write_stream(s->transfer, s->stream, s->length, s->length);
}

static bool has_stream(struct subject *s)
{
	return s->length > 4096;
}

/* What the stream says of the guest: it has beaten once. */
static bool has_arrived(struct subject *s)
{
	return attr(&s->m, "beats") == 1;
}

static void undo_take_stream(struct subject *s)
{
	undo_migration(s);
	s->length = 0;
	stop_copy(s);
}

static void undo_stop_precopy(struct subject *s)
{
	undo_migration(s);
	precopy(s);
}

static void undo_give_stream(struct subject *s)
{
	drop(s);
	open_anew(s);
	resume(s);
}

static void undo_finish(struct subject *s)
{
	undo_give_stream(s);
	give_stream(s);
}

TEST_F(faults, migration_out)
{
	static const struct operation stops = {
		"STOP_COPY", stop_copy, in_stop_copy, undo_migration, .answers_last = true
	};
	static const struct operation begins = {
		"PRE_COPY", precopy, in_precopy, undo_migration, .answers_last = true
	};
	static const struct operation asks = {
		"GET_PRECOPY_INFO", ask_precopy, is_answered, undo_read
	};
	static const struct operation goes_on = {
		"STOP_COPY after PRE_COPY", stop_precopy, in_stop_copy, undo_stop_precopy,
		.answers_last = true
	};
	static const struct operation takes = {
		"take the stream", take_stream, has_stream, undo_take_stream
	};
	struct subject *s = &self->s;

	make_faults(_metadata, &stops, s);
	ASSERT_EQ(0, stop_copy(s));
	make_faults(_metadata, &takes, s);
	undo_migration(s);
	if (!has_precopy(&s->m))
		return;
	make_faults(_metadata, &begins, s);
	ASSERT_EQ(0, precopy(s));
	make_faults(_metadata, &asks, s);
	make_faults(_metadata, &goes_on, s);
}

TEST_F(faults, migration_in)
{
	static const struct operation begins = {
		"RESUMING", resume, in_resuming, undo_migration, .answers_last = true
	};
	static const struct operation gives = {
		"give the stream", give_stream, has_arrived, undo_give_stream
	};
	static const struct operation ends = {
		"STOP after RESUMING", stop, is_stopped, undo_finish, .answers_last = true
	};
	struct subject *s = &self->s;

	ASSERT_EQ(0, say_armed(s));
	ring(&s->m);
	ASSERT_EQ(0, stop_copy(s));
	ASSERT_EQ(0, take_stream(s));
	undo_migration(s);
	make_faults(_metadata, &begins, s);
	undo_give_stream(s);
	make_faults(_metadata, &gives, s);
	ASSERT_EQ(0, give_stream(s));
	make_faults(_metadata, &ends, s);
}

/* What became of these cannot be seen. */

static bool maybe(struct subject *s)
{
	return true;
}

static int start_logging(struct subject *s)
{
	struct vfio_device_feature_dma_logging_range range = { 0, 1 << 30 };
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = 4096, .num_ranges = 1, .ranges = (unsigned long)&range,
	};

	return feature(&s->m, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
		       &control, sizeof(control));
}

static int report_logging(struct subject *s)
{
	static __u8 bitmap[4096];
	struct vfio_device_feature_dma_logging_report report = {
		.length = 1 << 27, .page_size = 4096, .bitmap = (unsigned long)bitmap,
	};

	return feature(&s->m, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
		       &report, sizeof(report));
}

static int stop_logging(struct subject *s)
{
	return feature(&s->m, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
		       NULL, 0);
}

static void undo_start_logging(struct subject *s)
{
	stop_logging(s);
}

static void undo_stop_logging(struct subject *s)
{
	start_logging(s);
}

TEST_F(faults, dma_logging)
{
	static const struct operation starts = {
		"DMA_LOGGING_START", start_logging, maybe, undo_start_logging,
		.answers_last = true
	};
	static const struct operation reports = {
		"DMA_LOGGING_REPORT", report_logging, maybe, do_nothing, .answers_last = true
	};
	static const struct operation stops = {
		"DMA_LOGGING_STOP", stop_logging, maybe, undo_stop_logging, .answers_last = true
	};
	struct subject *s = &self->s;

	ASSERT_EQ(0, map_device(s));
	make_faults(_metadata, &starts, s);
	ASSERT_EQ(0, start_logging(s));
	make_faults(_metadata, &reports, s);
	make_faults(_metadata, &stops, s);
	undo_map(s);
}
