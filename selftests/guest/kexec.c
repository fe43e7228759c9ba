// SPDX-License-Identifier: GPL-2.0
/*
 * kexec -l KERNEL INITRD: load the kernel that is to replace the running one; the
 * command line stays as it is. kexec -e: replace it. As kexec-tools' `kexec -s`.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load(const char *kernel_path, const char *initrd_path)
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
	if (length < 1 || length == sizeof(line))
		err(1, "/proc/cmdline");
	line[length - 1] = 0;	/* the line feed */

	if (syscall(SYS_kexec_file_load, kernel, initrd, length, line, 0))
		err(1, "kexec_file_load");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "-l"))
		return load(argv[2], argv[3]);
	if (argc != 2 || strcmp(argv[1], "-e"))
		errx(2, "usage: kexec -l KERNEL INITRD, then kexec -e");
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "reboot");
}
