# SPDX-License-Identifier: GPL-2.0
"""What the tests are written with. Runs inside the emulated host (selftests/rig/host).

    with Guest(devices=["vfio-pci,sysfsdev=/sys/bus/mdev/devices/UUID,id=hb"]) as guest:
        guest.wait_boot()
        status, output = guest.sh("insmod /lib/kvmhb/kvm_heartbeat_guest.ko")

Nothing here sleeps for a fixed time: everything waits for an event, and a wait that takes too long
raises Timeout with the end of the guest's console.
"""

import base64
import glob
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.environ.get("KVMHB_OUT", os.path.join(TOP, "build"))

MS = 10**6
SEC = 10**9

# The end of an interrupt is an exit: it is almost the first thing that a handler does. An emulated SVM delivered what KVM
# injects twice if it had to leave the guest before that. rig/emulator has mended it; figures were measured with this.
CPU = "host,kvm-pv-eoi=off"

# Everything is emulated twice over, and some hosts are debug kernels: patience costs nothing when all is well.
BOOT_TIMEOUT = 300
TIMEOUT = 120


def read(path):
    """The text of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    """Write a text or number, as a file that the kernel makes expects it."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(text))


def save(name, lines):
    """Leave a log with the results."""
    write(os.path.join(OUT, name), "".join(f"{line}\n" for line in lines))


def progress(text):
    """Say how far it is, in TAP's way."""
    print(f"# {text}", flush=True)


def libraries(program):
    """The libraries of a program of this machine, as files of a guest."""
    ldd = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return {path: path for path in re.findall(r"(/\S+) \(", ldd)}


def kernels():
    """The guests' kernel trees."""
    return os.environ["KVMHB_GUESTS"].split("\n")


def release(kernel):
    """The release of a kernel tree, as in uname -r."""
    return read(os.path.join(kernel, "version")).strip()


def series(kernel):
    """The series of a kernel tree, as in 6.12 or 6.12-rt."""
    return ".".join(release(kernel).split(".")[:2]) + ("-rt" if "-rt-" in release(kernel) else "")


def make_initrd(path, kernel, files):
    """The initrd of a guest: what `host` made, and an archive of our own behind it (the kernel unpacks both)."""
    version = release(kernel)
    built = os.path.join(TOP, "build", version, "src")
    shutil.copyfile(os.path.join(OUT, f"initramfs-{version}"), path)
    ours = {f"/lib/kvmhb/{os.path.basename(module)}": module
            for folder in ("guest-module", "selftests/modules/**")
            for module in glob.glob(f"{built}/{folder}/*.ko", recursive=True)}
    with open(path, "ab") as initrd:
        initrd.write(_cpio(ours | files))


class GuestError(Exception):
    """The guest or its QEMU did not do as asked."""


class Timeout(GuestError):
    """It did not happen in time."""


class GuestReset(GuestError):
    """The guest restarted, or is gone, before it answered."""


class Reply:
    """A command that was sent: wait() for what becomes of it."""

    def __init__(self, guest, command):
        self.guest, self.command = guest, command
        self.result = None   # (status, output) once answered
        self.lost = False    # the guest restarted instead

    def wait(self, timeout=TIMEOUT):
        """(status, output) of the command."""
        self.guest.wait_until(lambda: self.result or self.lost, timeout, f"an answer to: {self.command}")
        if not self.result:
            raise GuestReset(self.guest.explain_end(f"during: {self.command}"))
        return self.result


class Guest:
    """A guest in a stock QEMU.

    kernel   kernel tree (default: the first of `host`'s --guest)
    devices  each becomes -device; args: more for QEMU; append: more for the kernel's command line
    files    {path in the guest: file}; the project's modules for that kernel are in /lib/kvmhb in any case
    packed   boot the kernel as Debian packs it, which takes longer. Only such a guest survives suspend: QEMU takes
             an unpacked kernel for a ROM, and puts it back where it was when it wakes the guest up.
    kexec    have /bin/kexec (guest/kexec.c), /boot/vmlinuz and /boot/initrd in the guest
    qemu     another QEMU than this machine's own, or than KVMHB_GUEST_QEMU
    Logs in KVMHB_OUT: NAME-console.log (the guest's kernel), NAME-qemu.log (QEMU's own words).
    """

    _numbers = itertools.count(1)

    def __init__(self, kernel=None, name=None, cpus=1, memory="512M", devices=(), args=(), append="",
                 files=None, packed=False, kexec=False, machine="pc", qemu=None):
        self.kernel = kernel or kernels()[0]
        self.name = name or f"guest{series(self.kernel)}-{next(self._numbers)}"
        self.console = os.path.join(OUT, f"{self.name}-console.log")
        self.qemu_log = os.path.join(OUT, f"{self.name}-qemu.log")
        self._changed = threading.Condition()   # guards all below; notified at each change of it
        self._replies = {}                      # id -> Reply, those not answered yet
        self._boots = []                        # the releases of boots nobody waited for yet
        self._returns = {}                      # id -> what QMP returned
        self._events = []                       # QMP events nobody waited for yet
        self._readers = 2                       # threads that still read from QEMU
        self._ids = itertools.count(1)

        self._dir = tempfile.TemporaryDirectory(prefix=f"{self.name}-")
        self._initrd = os.path.join(self._dir.name, "initrd")
        self._make_initrd(files or {}, kexec)

        self._control, control = socket.socketpair()
        self._monitor, monitor = socket.socketpair()
        qemu = qemu or os.environ.get("KVMHB_GUEST_QEMU", "qemu-system-x86_64")
        command = [
            qemu, "-name", self.name, "-accel", "kvm", "-cpu", CPU, "-M", machine,
            "-smp", str(cpus), "-m", memory, "-nodefaults", "-no-user-config", "-display", "none",
            "-kernel", os.path.join(self.kernel, "vmlinuz" if packed else "vmlinux"), "-initrd", self._initrd,
            "-append", f"console=ttyS0 quiet panic=-1 {append}",
            "-chardev", f"file,id=console,path={self.console.replace(',', ',,')}", "-serial", "chardev:console",
            "-chardev", f"socket,id=control,fd={control.fileno()}",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=control,name=kvmhb",
            "-chardev", f"socket,id=monitor,fd={monitor.fileno()}", "-mon", "chardev=monitor,mode=control",
        ]
        for device in devices:
            command += ["-device", device]
        with open(self.qemu_log, "wb") as log:
            self.process = subprocess.Popen(command + list(args), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[control.fileno(), monitor.fileno()])
        self.pid = self.process.pid
        control.close()
        monitor.close()
        for reader, stream in ((self._read_control, self._control), (self._read_monitor, self._monitor)):
            threading.Thread(target=reader, args=[stream.makefile("rb")], daemon=True).start()
        self.qmp("qmp_capabilities")

    # Commands in the guest

    def wait_boot(self, timeout=BOOT_TIMEOUT):
        """Wait for the next boot (the first, or one after a reset or kexec); the kernel's release."""
        try:
            self.wait_until(lambda: self._boots, timeout, "the guest to boot")
        except Timeout:
            # Where is it instead? Boots hang before there is a console, or a guest to ask.
            with open(os.path.join(OUT, f"{self.name}-registers.log"), "w", encoding="utf-8") as log:
                for _ in range(3):
                    log.write(self.qmp("human-monitor-command", **{"command-line": "info registers -a"}))
            raise
        with self._changed:
            return self._boots.pop(0)

    def send(self, command):
        """Run a shell command in the guest without waiting; a Reply to wait for, or not."""
        if "\n" in command:
            raise ValueError("a command is one line")
        reply = Reply(self, command)
        with self._changed:
            number = next(self._ids)
            self._replies[number] = reply
        try:
            self._control.sendall(f"{number} {command}\n".encode())
        except OSError as error:
            raise GuestReset(f"{self.name} is gone, it cannot run: {command}") from error
        return reply

    def sh(self, command, timeout=TIMEOUT):
        """Run a shell command in the guest: (status, output)."""
        return self.send(command).wait(timeout)

    def run(self, command, timeout=TIMEOUT):
        """Run a shell command in the guest that must succeed: its output."""
        status, output = self.sh(command, timeout)
        if status:
            raise GuestError(f"{self.name}: '{command}' failed with status {status}: {output}")
        return output

    # QEMU

    def qmp(self, command, timeout=TIMEOUT, **arguments):
        """Run a QMP command: what it returns. Underscores of argument names stay, '-' via **{...}."""
        with self._changed:
            number = next(self._ids)
        request = {"execute": command, "arguments": arguments, "id": number}
        try:
            self._monitor.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise GuestError(f"{self.name}: QEMU is gone: {self._tail(self.qemu_log)}") from error
        self.wait_until(lambda: number in self._returns, timeout, f"QMP {command}")
        with self._changed:
            answer = self._returns.pop(number)
        if "error" in answer:
            raise GuestError(f"{self.name}: QMP {command}: {answer['error']['desc']}")
        return answer["return"]

    def qmp_event(self, name, timeout=TIMEOUT):
        """Wait for a QMP event that nobody waited for yet: its data."""
        def find():
            return next((event for event in self._events if event["event"] == name), None)
        self.wait_until(find, timeout, f"QMP event {name}")
        with self._changed:
            event = find()
            self._events.remove(event)
        return event.get("data", {})

    def forget_events(self, name):
        """Forget the QMP events of a name that nobody waited for yet."""
        with self._changed:
            self._events = [event for event in self._events if event["event"] != name]

    def kill(self, signum=signal.SIGKILL):
        """Send QEMU a signal."""
        self.process.send_signal(signum)

    def wait_exit(self, timeout=TIMEOUT):
        """Wait for QEMU to end: its status (negative: the signal that ended it)."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Timeout(self._explain("QEMU to end", timeout)) from None

    def close(self):
        """End the guest, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._control.close()
        self._monitor.close()
        self._dir.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Inside

    def wait_until(self, condition, timeout, what):
        """Wait until condition() holds; it is looked at whenever the guest or QEMU said something."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition() or not self._readers, timeout):
                raise Timeout(self._explain(what, timeout))
            if not condition():
                raise GuestReset(self.explain_end(f"while waiting for {what}"))

    def explain_end(self, when):
        """What became of the guest, as far as it can be told."""
        if self._readers:
            return (f"{self.name} restarted {when}. QEMU said of late: {self._events[-5:]}. The end of its console:\n"
                    f"{self._tail(self.console)}")
        status = self.process.wait()
        return f"{self.name}: QEMU ended with status {status} {when}. Its own words:\n{self._tail(self.qemu_log)}"

    def _explain(self, what, timeout):
        return f"{self.name}: waited {timeout} s for {what}. The end of its console:\n{self._tail(self.console)}"

    @staticmethod
    def _tail(path, lines=25):
        try:
            with open(path, errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return f"(no {path})"

    def _lose_replies(self):
        for reply in self._replies.values():
            reply.lost = True
        self._replies.clear()

    def _read_control(self, stream):
        for line in _lines(stream):
            word, _, rest = line.decode(errors="replace").rstrip("\r\n").partition(" ")
            with self._changed:
                if word == "kvmhb-boot":
                    self._lose_replies()
                    self._boots.append(rest)
                elif word == "kvmhb-reply":
                    number, status, output = rest.split(" ")
                    reply = self._replies.pop(int(number), None)
                    if reply:
                        reply.result = int(status), base64.b64decode(output).decode(errors="replace")
                self._changed.notify_all()
        self._ended()

    def _read_monitor(self, stream):
        for line in _lines(stream):
            message = json.loads(line)
            with self._changed:
                if "event" in message:
                    self._events.append(message)
                elif "id" in message:
                    self._returns[message["id"]] = message
                self._changed.notify_all()
        self._ended()

    def _ended(self):
        """A reader came to the end. After both, nothing will change any more."""
        with self._changed:
            self._readers -= 1
            if not self._readers:
                self._lose_replies()
            self._changed.notify_all()

    def _make_initrd(self, files, kexec):
        """The initrd; with kexec, it has what starts the same kernel again."""
        if kexec:
            plain = os.path.join(self._dir.name, "plain")
            make_initrd(plain, self.kernel, files)
            files = files | {"/bin/kexec": f"{TOP}/build/bin/kexec", "/boot/initrd": plain,
                             "/boot/vmlinuz": os.path.join(self.kernel, "vmlinuz")}
        make_initrd(self._initrd, self.kernel, files)


class Gdb:
    """QEMU's gdb stub, and who is connected to it. Connecting stops the VM."""

    def __init__(self, guest):
        self.guest = guest
        self.path = f"/tmp/{guest.name}-gdb"
        self.server(f"unix:{self.path},server=on,wait=off")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(self.path)
        self.send("?")
        # That the VM stops is said first, unasked, and as another signal.
        while not self.receive().startswith("T05"):
            pass

    def server(self, device):
        self.guest.qmp("human-monitor-command", **{"command-line": f"gdbserver {device}"})

    def send(self, command):
        """Send a packet."""
        self.socket.sendall(b"$%b#%02x" % (command.encode(), sum(command.encode()) & 255))

    def receive(self):
        """Wait for a packet."""
        answer = b""
        while answer[-3:-2] != b"#":
            byte = self.socket.recv(1)
            if not byte:
                raise GuestError("QEMU has closed the connection to gdb")
            answer = (answer + byte).lstrip(b"+")
        self.socket.sendall(b"+")
        return answer[1:-3].decode()

    def step(self):
        """Have one CPU execute one instruction; others run meanwhile."""
        self.send("s")
        self.receive()

    def close(self):
        """Go on and detach."""
        self.send("D")
        self.receive()
        self.server("none")
        self.socket.close()
        if os.path.exists(self.path):
            os.unlink(self.path)


def _lines(stream):
    """The lines of a stream, which may end with an error as well: QEMU was killed."""
    try:
        yield from stream
    except OSError:
        pass


def _cpio(files):
    """An archive (newc) of {path in it: file}, with the folders they need. All may be executed by all."""
    folders = {str(parent): None for path in files for parent in pathlib.PurePath(path.lstrip("/")).parents[:-1]}
    entries = [(folder, 0o040755, b"") for folder in sorted(folders)]
    for path, file in files.items():
        with open(file, "rb") as source:
            entries.append((path.lstrip("/"), 0o100755, source.read()))
    archive = bytearray()
    for inode, (name, mode, data) in enumerate(entries + [("TRAILER!!!", 0, b"")], start=1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        archive += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        archive += bytes(-len(archive) % 4)
        archive += data
        archive += bytes(-len(archive) % 4)
    return bytes(archive)
