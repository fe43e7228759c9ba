// SPDX-License-Identifier: GPL-2.0
/*
 * kexec KERNEL INITRD: replace the running kernel, keeping its command line. What `kexec -s -l` and `kexec -e` do.
 * kexec -p KERNEL INITRD: only load it, to be entered at a panic. The running kernel needs crashkernel= for that.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int on_crash = argc == 4 && !strcmp(argv[1], "-p");
	char command_line[4096];
	int kernel, initrd, file;
	ssize_t length;

	if (argc != 3 + on_crash)
		errx(2, "usage: kexec [-p] KERNEL INITRD");
	kernel = open(argv[1 + on_crash], O_RDONLY);
	initrd = open(argv[2 + on_crash], O_RDONLY);
	file = open("/proc/cmdline", O_RDONLY);
	if (kernel < 0 || initrd < 0 || file < 0)
		err(1, "open");
	length = read(file, command_line, sizeof(command_line));
	if (length < 1)
		err(1, "/proc/cmdline");
	command_line[length - 1] = '\0';	/* in place of the line feed */

	if (syscall(SYS_kexec_file_load, kernel, initrd, length, command_line, on_crash ? KEXEC_FILE_ON_CRASH : 0))
		err(1, "kexec_file_load");
	if (!on_crash) {
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
		err(1, "reboot");
	}
	return 0;
}
