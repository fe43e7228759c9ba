// SPDX-License-Identifier: GPL-2.0
/*
 * kexec -l KERNEL INITRD: load the kernel that is to replace the running one; the
 * command line stays as it is. kexec -e: replace it. As kexec-tools' `kexec -s`.
 * kexec -p KERNEL INITRD: load the one that a panic enters, with the command line that
 * Debian's kdump-tools give it, and such a restart as this rig needs.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CRASH_LINE	" reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll" \
			" usbcore.nousb reboot=a"

static int load(const char *kernel_path, const char *initrd_path, const char *more,
		unsigned long flags)
{
	char line[4096];
	int kernel, initrd, file;
	ssize_t length;

	kernel = open(kernel_path, O_RDONLY);
	initrd = open(initrd_path, O_RDONLY);
	file = open("/proc/cmdline", O_RDONLY);
	if (kernel < 0 || initrd < 0 || file < 0)
		err(1, "open");
	length = read(file, line, sizeof(line));
	if (length < 1 || length + strlen(more) > sizeof(line))
		err(1, "/proc/cmdline");
	memcpy(line + length - 1, more, strlen(more) + 1);	/* in place of the line feed */

	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(line) + 1, line, flags))
		err(1, "kexec_file_load");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "-l"))
		return load(argv[2], argv[3], "", 0);
	if (argc == 4 && !strcmp(argv[1], "-p"))
		return load(argv[2], argv[3], CRASH_LINE, KEXEC_FILE_ON_CRASH);
	if (argc != 2 || strcmp(argv[1], "-e"))
		errx(2, "usage: kexec -l KERNEL INITRD, then kexec -e; or kexec -p KERNEL INITRD");
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "reboot");
}
