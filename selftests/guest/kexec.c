// SPDX-License-Identifier: GPL-2.0
/*
 * kexec KERNEL INITRD [ARGS]: replace the running kernel. The command line stays
 * as it is, with ARGS behind it. What `kexec -s -l` and `kexec -e` do together.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char line[4096];
	int kernel, initrd, file;
	ssize_t length;

	if (argc != 3 && argc != 4)
		errx(2, "usage: kexec KERNEL INITRD [ARGS]");
	kernel = open(argv[1], O_RDONLY);
	initrd = open(argv[2], O_RDONLY);
	file = open("/proc/cmdline", O_RDONLY);
	if (kernel < 0 || initrd < 0 || file < 0)
		err(1, "open");
	length = read(file, line, sizeof(line));
	if (length < 1)
		err(1, "/proc/cmdline");
	length--;	/* the line feed */
	length += snprintf(line + length, sizeof(line) - length, " %s", argc == 4 ? argv[3] : "");
	if (length >= (ssize_t)sizeof(line))
		errx(1, "the command line is too long");

	if (syscall(SYS_kexec_file_load, kernel, initrd, length + 1, line, 0))
		err(1, "kexec_file_load");
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "reboot");
}
