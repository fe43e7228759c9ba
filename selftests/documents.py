#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The commands that README.md, Documentation/ and the man pages tell their readers to run, and those that
documents_test.py does not run, with the reason. Run by itself, it checks that both fit: selftests/style does that.

A command is a line of a literal block (in a man page, of a display in EXAMPLES) that begins with a prompt:

    src$ src#      in the checkout, as any user and as root
    host$ host#    on the host, likewise
    guest#         in the guest
    target#        on the host that a VM moves to
    (qemu)         in QEMU's monitor
"""

import collections
import glob
import os
import re
import sys

README = "README.md"
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

PROMPT = re.compile(r"(src[$#]|host[$#]|guest#|target#|\(qemu\)) (.*)")

# file: path below the checkout; line: its number; place: the prompt; text: what a shell gets, comments and all.
Command = collections.namedtuple("Command", "file line place text")


def bare(text):
    """A command without the comment behind it, as the tables below name it."""
    return re.sub(r" {2,}# .*", "", text)


def by(program, text):
    """The reason of an exception: another program of the tests does it, and has this text."""
    return program, text


CHECK, PACKAGES, CHROOT, RULES = "selftests/check", "selftests/packages", "selftests/packages-in-chroot", "debian/rules"
BUILD_ONE = 'selftests/rig/host --kernel "$tree" --out build/one -- sh -c \'\n'

# Commands that are not run: reason -> commands, each as it stands in all documents.
EXCEPTIONS = {
    "it runs for minutes or hours on hosts of its own, and what it is made of runs in make check": [
        "make check", "make demo", "make matrix", "make matrix N=5", "make torture", "make torture BOOTS=20",
        "make bench", "selftests/bench vmm", "selftests/check debug", "selftests/check kcsan", "selftests/check hostile",
        "selftests/check lifetimes", "selftests/check vmm-fuzz", "selftests/coverage", "make soak", "make soak TIME=300"],
    by("Makefile", "KVMHB_CDEV=1 selftests/check debug"): ["KVMHB_CDEV=1 selftests/check debug"],
    by("Makefile", "@selftests/style"): ["make style"],
    by("Makefile", "@selftests/migrations"): ["selftests/migrations 20 5"],
    by("Makefile", "@selftests/pairs"): ["selftests/pairs"],
    by("Makefile", "@selftests/packages"): ["selftests/packages"],
    by("Makefile", "@selftests/twin/mutate.py"): ["selftests/twin/mutate.py"],
    by("Makefile", "@selftests/qemus"): ["selftests/qemus"],
    by("Makefile", "@selftests/bochs"): ["selftests/bochs", "selftests/bochs 6.12"],
    by("Makefile", "@selftests/fuzz/stream"): ["selftests/fuzz/stream 100000"],
    by("Makefile", "@selftests/soak"): ["selftests/soak 60 --vms 20 --workers 4 --seed 1"],
    by("selftests/matrix", "matrix.py"): ["selftests/matrix 1 sigstop freezer quota"],
    by(CHECK, '/selftests/packages" build'): ["selftests/packages build"],
    by(CHECK, '"$rig/deps"'): ["selftests/rig/deps"],
    by(CHECK, '$("$rig/kernel" "$1")'): ["tree=$(selftests/rig/kernel 6.12)"],
    by(CHECK, '"$rig/build" "${trees[$1]}"'): ['selftests/rig/build "$tree"'],
    by(CHECK, 'KSELFTEST="$("$rig/source")/tools/testing/selftests"'): [
        'make -C selftests KSELFTEST="$(selftests/rig/source)/tools/testing/selftests"'],
    by(CHECK, '"$rig/host" --kernel'): [
        BUILD_ONE + "        export KVMHB_HOST_KO=build/$(uname -r)/src/host-module/kvm_heartbeat.ko\n"
        '        insmod "$KVMHB_HOST_KO" && selftests/guest_test.py brief\'',
        BUILD_ONE + "        insmod build/$(uname -r)/src/host-module/kvm_heartbeat.ko && "
        "build/bin/vfio_test -t outage'"],
    by(CHECK, 'make -s -C "$top/tools"'): ["make tools"],
    by("selftests/rig/build", "kdir"): ["make KDIR=/path/to/headers"],
    by(CHROOT, "by_make modules"): ["make"],
    by(CHROOT, "by_make install"): ["make install"],
    by(CHROOT, "by_make uninstall"): ["make uninstall"],
    by(CHROOT, "scripts/sign-file"): [
        "/lib/modules/$(uname -r)/build/scripts/sign-file sha256 /root/own.key /root/own.der "
        "host-module/kvm_heartbeat.ko"],
    by(RULES, "$(MAKE) install-tools"): ["make install-tools"],
    by(RULES, "$(MAKE) install-dkms-host install-boot"): ["make install-boot", "make install-dkms-host install-boot"],
    by("selftests/rig/deps", "libtracefs-dev libtraceevent-dev libncurses-dev"): [
        "apt-get install libtracefs-dev libtraceevent-dev libncurses-dev pkg-config \\\n"
        "        libudev-dev libsystemd-dev libinih-dev libjansson-dev libcurl4-openssl-dev"],
    by("selftests/rig/deps", "mdevctl"): ["apt-get install mdevctl"],
    by("selftests/rig/deps", "dpkg-dev debhelper dh-dkms"): ["apt-get build-dep ./"],
    by(PACKAGES, "dpkg-buildpackage -us -uc -b"): ["dpkg-buildpackage -us -uc -b"],
    by(PACKAGES, 'mkdir -p "$src" "$dir/SOURCES"'): [
        "mkdir -p build/rpm/SOURCES",
        "git archive --prefix=kvm-heartbeat-0.1/ -o build/rpm/SOURCES/kvm-heartbeat-0.1.tar.gz HEAD"],
    by(PACKAGES, "rpmbuild -bb --nodeps -D"): [
        'rpmbuild -bb --nodeps -D "_topdir $PWD/build/rpm" packaging/kvm-heartbeat.spec'],
    by(CHROOT, "apt-get -q -y install --no-install-recommends"): [
        "apt-get install linux-headers-amd64 ../kvm-heartbeat-dkms_0.1_all.deb",
        "apt-get install linux-headers-amd64 ../kvm-heartbeat-guest-dkms_0.1_all.deb",
        "apt-get install linux-headers-amd64 ./kvm-heartbeat-dkms_0.1_all.deb ./kvm-heartbeat-tools_0.1_amd64.deb",
        "apt-get install linux-headers-amd64 ./kvm-heartbeat-guest-dkms_0.1_all.deb"],
    by(CHROOT, "dkms status"): ["dkms status"],
    by(CHROOT, "dkms remove kvm-heartbeat/"): ["dkms remove kvm-heartbeat/0.1 -k $(uname -r)"],
    by(CHROOT, "dkms install kvm-heartbeat/"): [
        "dkms install kvm-heartbeat/0.1", "dkms install kvm-heartbeat/0.1 -k $(uname -r)"],
    by(CHROOT, "openssl req -new -x509 -newkey rsa:2048 -nodes"): [
        "openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=our modules/' \\\n"
        "        -keyout /root/own.key -outform DER -out /root/own.der"],
    "no test has a firmware with Secure Boot, or a Debian in the guest that could reboot": [
        "mokutil --import /var/lib/dkms/mok.pub", "reboot"],
    "Debian's kdump-tools is not in the rig's guest: crash_kernel of matrix.py does what it does": [
        "install -m 644 /usr/share/doc/kvm-heartbeat-guest-dkms/examples/kdump-tmpfiles.conf \\\n"
        "        /etc/tmpfiles.d/kvm-heartbeat-kdump.conf",
        "systemd-tmpfiles --create kvm-heartbeat-kdump.conf",
        "echo kvm_heartbeat_guest >>/etc/initramfs-tools/modules",
        "/etc/kernel/postinst.d/kdump-tools $(uname -r)",
        "lsinitramfs /var/lib/kdump/initrd.img-$(uname -r) | grep heartbeat",
        "kdump-config reload"],
    "trace-cmd 3.1 takes half a minute on an emulated host, and need not end at Ctrl-C: tracing.rst reads trace_pipe": [
        "trace-cmd stream -e kvm_heartbeat", "trace-cmd stream -e kvm_heartbeat:state",
        "trace-cmd stream -e kvm_heartbeat:state -e kvm_heartbeat:evidence"],
    by("selftests/guest_test.py", "systemctl daemon-reexec"): ["systemctl daemon-reexec"],
    by("selftests/service_test.py", '"enable", "--now", "heartbeatd"'): ["systemctl enable --now heartbeatd"],
    by("selftests/service_test.py", '"restart", "heartbeatd"'): ["systemctl restart heartbeatd"],
    by("selftests/service_test.py", '"enable", "--now", "kvm-heartbeat-metrics.socket"'): [
        "systemctl enable --now kvm-heartbeat-metrics.socket"],
    by("selftests/service_test.py", '"enable", "--now", "kvm-heartbeat-metrics.timer"'): [
        "systemctl enable --now kvm-heartbeat-metrics.timer"],
    by("selftests/rig/prometheus", "prometheus-node-exporter"): ["apt-get install prometheus-node-exporter"],
    by("selftests/migrate_test.py", '"migrate-incoming", uri=uri'): [
        "qemu-system-x86_64 ... -device vfio-pci,sysfsdev=/sys/bus/mdev/devices/$UUID -incoming tcp:0:4444",
        "migrate tcp:TARGET:4444"],
    by("selftests/migrate_test.py", "file:{path}"): [
        "migrate file:/var/tmp/vm", "qemu-system-x86_64 ... -incoming file:/var/tmp/vm"],
    by("selftests/libvirt_test.py", 'vm.virsh("managedsave", DOMAIN)'): ["virsh managedsave web1"],
    by("selftests/libvirt_test.py", 'vm.virsh("start", DOMAIN)'): ["virsh start web1"],
    by("selftests/libvirt_test.py", 'vm.virsh("save", DOMAIN, path)'): ["virsh save web1 /var/tmp/web1"],
    by("selftests/libvirt_test.py", 'vm.virsh("save-image-dumpxml", path)'): [
        "virsh save-image-dumpxml /var/tmp/web1 >other.xml"],
    by("selftests/libvirt_test.py", 'vm.virsh("restore", path, "--xml", other)'): [
        "virsh restore /var/tmp/web1 --xml other.xml"],
    by("selftests/libvirt_test.py", 'vm.virsh("detach-device", DOMAIN, path, "--live")'): [
        "virsh detach-device DOMAIN hostdev.xml --live"],
    by("selftests/libvirt_test.py", 'vm.virsh("attach-device", DOMAIN, path, "--live")'): [
        "virsh attach-device DOMAIN hostdev.xml --live"],
    by("selftests/libvirt_test.py", 'vm.virsh("inject-nmi", DOMAIN)'): ["virsh inject-nmi DOMAIN"],
    by("selftests/libvirt_test.py", '"monitor_scripts": f"{TOP}/tools/pacemaker/virtualdomain-monitor"'): [
        "pcs resource update web1 monitor_scripts=/usr/share/kvm-heartbeat/virtualdomain-monitor"],
    by("selftests/neighbours_test.py", 'hook = f"{TOP}/tools/proxmox/hookscript"'): [
        "cp /usr/share/kvm-heartbeat/hookscript /var/lib/vz/snippets/kvm-heartbeat"],
    by("selftests/neighbours_test.py", 'Tracer("bpftrace", "-c", "/usr/bin/cat"'): [
        "bpftrace /usr/share/kvm-heartbeat/intervals.bt",
        "bpftrace /usr/share/kvm-heartbeat/silence.bt 11111111-2222-3333-4444-555555555555",
        "bpftrace /usr/local/share/kvm-heartbeat/silence.bt $UUID"],
    by("selftests/neighbours_test.py", '"-object", "iommufd,id=iommufd0"'): [
        "qemu-system-x86_64 -accel kvm ... -object iommufd,id=iommufd0 \\\n"
        "        -device vfio-pci,sysfsdev=/sys/bus/mdev/devices/$UUID,iommufd=iommufd0"],
    "there is no Proxmox here": [
        "qm set 100 --hookscript local:snippets/kvm-heartbeat",
        "qm set 100 --args '-device vfio-pci,sysfsdev=/sys/bus/mdev/devices/00000000-0000-4000-8000-000000000100'"],
    by("selftests/vmm_test.py", '"-o", image, "beat"'): ["vmm -m UUID1 -o FILE beat &"],
    by("selftests/vmm_test.py", '"-i", image'): ["vmm -m UUID2 -i FILE"],
}


def literal_blocks(path):
    """The literal blocks of a document: lists of (number, line)."""
    with open(f"{TOP}/{path}", encoding="utf-8") as file:
        lines = list(enumerate(file.read().splitlines(), start=1))
    if path.endswith(".rst"):
        begins = [i for i, (_, line) in enumerate(lines) if re.search(r"^(?! *\.\. ).*:: *$", line)]
    elif path.endswith(".md"):
        begins = [i for i, (_, line) in enumerate(lines[:-1])
                  if not line and lines[i + 1][1].startswith("    ") and (i == 0 or lines[i - 1][1][:4].strip())]
    else:
        examples = lines.index(next((n, line) for n, line in lines if line == ".Sh EXAMPLES"))
        ends = [i for i, (_, line) in enumerate(lines) if line == ".Ed"]
        return [[(n, line.replace(r"\(aq", "'")) for n, line in lines[i + 1:min(end for end in ends if end > i)]]
                for i, (_, line) in enumerate(lines) if i > examples and line.startswith(".Bd -literal")]
    blocks = []
    for begin in begins:
        indent = len(lines[begin][1]) - len(lines[begin][1].lstrip())
        block = []
        for number, line in lines[begin + 1:]:
            if line and len(line) - len(line.lstrip()) <= indent:
                break
            block.append((number, line))
        blocks.append(block)
    return blocks


def unfinished(text):
    """Whether a command goes on in the next line."""
    return text.endswith("\\") or bare(text).count("'") % 2 == 1


def read_block(block):
    """The commands of a block as (number, place, text), and the lines that are none as (number, None, line)."""
    lines = iter(block)
    for number, line in lines:
        match = PROMPT.match(line.strip())
        if not match:
            yield number, None, line
            continue
        place, text = match.groups()
        while unfinished(text):
            text += "\n" + next(lines)[1]
        yield number, place, text


def commands(path):
    """The commands of a document, in their order."""
    return [Command(path, number, place, text) for block in literal_blocks(path)
            for number, place, text in read_block(block) if place]


def documents():
    """All that have commands."""
    return [README, *sorted(os.path.relpath(path, TOP) for path in
                                 glob.glob(f"{TOP}/Documentation/*.rst") + glob.glob(f"{TOP}/tools/*.8"))]


def excepted():
    """Command -> reason."""
    return {text: reason for reason, texts in EXCEPTIONS.items() for text in texts}


def mistakes():
    """What does not fit: exceptions of commands that are in no document, reasons that are not true any more, commands
    that cannot be run, and commands that do not say where they run."""
    all_commands = [command for path in documents() for command in commands(path)]
    known = {bare(command.text) for command in all_commands}
    for text in excepted():
        if text not in known:
            yield f"selftests/documents.py: no document has '{text}'"
    for reason in EXCEPTIONS:
        if isinstance(reason, tuple):
            with open(f"{TOP}/{reason[0]}", encoding="utf-8") as file:
                if reason[1] not in file.read():
                    yield f"selftests/documents.py: {reason[0]} does not have '{reason[1]}'"
    for command in all_commands:
        if command.place.startswith(("src", "(qemu)")) and bare(command.text) not in excepted():
            yield f"{command.file}:{command.line}: '{bare(command.text)}' cannot run there, and is no exception"
    programs = {command.text.split()[0] for command in all_commands}
    for path in documents():
        for block in literal_blocks(path):
            for number, place, line in read_block(block):
                if not place and line.split()[:1] and line.split()[0] in programs:
                    yield f"{path}:{number}: has no prompt: {line.strip()}"


def main():
    """Complain of what does not fit."""
    found = list(mistakes())
    for mistake in found:
        print(mistake, file=sys.stderr)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
