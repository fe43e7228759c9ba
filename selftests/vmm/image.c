// SPDX-License-Identifier: GPL-2.0
/*
 * A VM that does not run, in a file, which may be a pipe
 *
 * It has, in this machine's byte order, the head, a struct vcpu_state for each vCPU, the memory,
 * and for each device the length of its stream, in 8 bytes, and the stream.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "guest.h"
#include "image.h"
#include "migrate.h"
#include "vcpu.h"

static const char magic[8] = "hb-vmm-1";

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static bool put(int file, const void *data, size_t size)
{
	ssize_t ret;

	for (; size; size -= ret, data = (const char *)data + ret) {
		ret = write(file, data, size);
		if (ret < 0) {
			warn("cannot write the VM's file");
			return false;
		}
	}
	return true;
}

/* Return: how much there was, less than @size only at the end of the file. */
static size_t get(int file, void *data, size_t size)
{
	size_t done = 0;
	ssize_t ret = 1;

	while (done < size && ret) {
		ret = read(file, (char *)data + done, size - done);
		if (ret < 0)
			err(1, "cannot read the VM's file");
		done += ret;
	}
	return done;
}

static void get_all(int file, void *data, size_t size)
{
	if (get(file, data, size) != size)
		errx(1, "the VM's file ends too early");
}

static bool put_machine(int file)
{
	struct image_head head = { .nr_vcpus = nr_vcpus, .nr_devices = nr_devices };
	void *memory = memory_get(&head.memory_size);
	struct vcpu_state state;
	unsigned int nr;

	memcpy(head.magic, magic, sizeof(magic));
	if (!put(file, &head, sizeof(head)))
		return false;
	for (nr = 0; nr < nr_vcpus; nr++) {
		vcpu_get_state(&vcpus[nr], &state);
		if (!put(file, &state, sizeof(state)))
			return false;
	}
	return put(file, memory, head.memory_size);
}

static bool put_stream(int file, const struct stream *stream)
{
	__u64 length = stream->length;

	return put(file, &length, sizeof(length)) && put(file, stream->data, length);
}

/*
 * The vCPUs are stopped. Return: whether all is in the file; then the devices are stopped, too,
 * and otherwise they run.
 */
bool image_save(int file)
{
	struct stream streams[MAX_DEVICES] = {};
	__u64 begin = now_ns(), end, bytes = 0;
	bool saved = true;
	unsigned int nr;

	/* All of them stand still before the first one is saved. */
	for (nr = 0; nr < nr_devices && saved; nr++)
		saved = device_stop(&devices[nr]);
	for (nr = 0; nr < nr_devices && saved; nr++)
		saved = device_save(&devices[nr], &streams[nr]);
	end = now_ns();

	saved = saved && put_machine(file);
	for (nr = 0; nr < nr_devices; nr++) {
		saved = saved && put_stream(file, &streams[nr]);
		bytes += streams[nr].length;
		free(streams[nr].data);
	}
	if (saved)
		printf("saved bytes=%llu ns=%llu\n", bytes, end - begin);
	else
		devices_run();
	return saved;
}

void image_read_head(int file, struct image_head *head)
{
	get_all(file, head, sizeof(*head));
	if (memcmp(head->magic, magic, sizeof(magic)))
		errx(1, "this is no VM's file of ours");
}

static void get_machine(int file, const struct image_head *head)
{
	struct vcpu_state state;
	__u64 memory_size;
	void *memory = memory_get(&memory_size);
	unsigned int nr;

	if (head->memory_size != memory_size)
		errx(1, "the VM's file has %llu bytes of memory, this VM %llu", head->memory_size,
		     memory_size);
	for (nr = 0; nr < nr_vcpus; nr++) {
		get_all(file, &state, sizeof(state));
		vcpu_set_state(&vcpus[nr], &state);
	}
	get_all(file, memory, memory_size);
}

/* Whether it is whole is for the device to say. */
static void get_stream(int file, struct stream *stream)
{
	__u64 length;

	get_all(file, &length, sizeof(length));
	stream->data = malloc(length);
	if (!stream->data)
		err(1, "a device's stream of %llu bytes", length);
	stream->length = get(file, stream->data, length);
}

/* All is open, and as it was created. Afterwards the devices run. If it fails, we end. */
void image_restore(int file, const struct image_head *head)
{
	__u64 begin, stopped, end, bytes = 0;
	struct stream streams[MAX_DEVICES];
	unsigned int nr;

	get_machine(file, head);
	for (nr = 0; nr < nr_devices; nr++)
		get_stream(file, &streams[nr]);

	begin = now_ns();
	for (nr = 0; nr < nr_devices; nr++)
		if (!device_load(&devices[nr], &streams[nr]))
			exit(1);
	stopped = now_ns();
	if (!devices_run())
		exit(1);
	end = now_ns();

	for (nr = 0; nr < nr_devices; nr++) {
		bytes += streams[nr].length;
		free(streams[nr].data);
	}
	printf("restored bytes=%llu ns=%llu run_ns=%llu\n", bytes, stopped - begin, end - stopped);
}
