# SPDX-License-Identifier: GPL-2.0
# kvm-heartbeat: see README.md

# The kernel to build for.
KDIR ?= /lib/modules/$(shell uname -r)/build

modules:
	@test -e "$(KDIR)/Makefile" || { echo "No kernel headers in $(KDIR): install linux-headers-$$(uname -r), or say where they are with KDIR=" >&2; exit 1; }
	$(MAKE) -C "$(KDIR)" M="$(CURDIR)" modules

# As root. Packages install through DKMS, elsewhere in the same folder: of two modules modprobe would take either.
installed = $(INSTALL_MOD_PATH)/lib/modules/$(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$(KDIR)/include/generated/utsrelease.h")
# Debian's headers have no System.map, without which the kernel's makefile skips this.
depmod = depmod $(if $(INSTALL_MOD_PATH),-b "$(INSTALL_MOD_PATH)") "$(notdir $(installed))"
install: modules
	@! find "$(installed)" -name 'kvm_heartbeat*.ko*' ! -path '*/updates/*-module/*' | grep . >&2 || \
		{ echo "A package has installed the above: remove the package, or do not install by make." >&2; exit 1; }
	$(MAKE) -C "$(KDIR)" M="$(CURDIR)" INSTALL_MOD_DIR=updates modules_install
	$(depmod)

uninstall:
	rm -rf "$(installed)/updates/host-module" "$(installed)/updates/guest-module"
	$(depmod)

# Programs for the host, by tools/Makefile, which says what they need. In build/bin.
tools:
	@$(MAKE) -C tools

# As root, or with DESTDIR. Below PREFIX, /usr/local by default.
install-tools: tools
	@$(MAKE) -C tools install

# For packages, and for hosts without: see packaging/Makefile.
install-boot install-dkms-host install-dkms-guest:
	$(MAKE) -C packaging $@

demo:
	@selftests/demo

check:
	@selftests/check

# What Documentation/proofs.rst lists.
prove:
	@$(MAKE) -s -C selftests ../build/bin/prove
	@build/bin/prove

# Every cause, N times over.
N ?= 20
matrix:
	@selftests/matrix $(N)

# What takes too long for check: VFIO's device files, which lines of the host's module the tests reach, mutants of pure files,
# mutated streams, the commands of the documents, hostile guests, lifetimes, a host and a guest that look for data races, migrations, newer QEMUs, Intel's VMX, two hosts that
# Prometheus watches, a host with systemd, packages in all Debians, and boots.
STREAMS ?= 1000000
MIGRATIONS ?= 200
CANCELLED ?= 50
BOOTS ?= 200
torture:
	@KVMHB_FUZZ=2000 KVMHB_CDEV=1 selftests/check debug
	@selftests/coverage
	@selftests/twin/mutate.py
	@selftests/fuzz/stream $(STREAMS)
	@selftests/check documents hostile vmm-fuzz lifetimes kcsan kcsan-guest
	@selftests/migrations $(MIGRATIONS) $(CANCELLED)
	@selftests/pairs
	@selftests/qemus
	@selftests/bochs
	@selftests/fleet
	@selftests/service
	@selftests/packages
	@selftests/boots $(BOOTS)

# Many guests for so many seconds: by default, for a million seconds in sum.
TIME ?= 2100
soak:
	@selftests/soak $(TIME)

# What a beat costs, and how exactly silence is noticed.
bench:
	@selftests/bench

style:
	@selftests/style

# Documentation/ as HTML, in build/docs/. All of it anew, as what was read before warns of nothing.
docs:
	@sphinx-build -aEqW --keep-going Documentation build/docs

clean:
	find host-module guest-module selftests -name '*.o' -o -name '*.ko' -o -name '*.mod' -o \
		-name '*.mod.c' -o -name '.*.cmd' -o -name 'modules.order' | xargs -r rm -f
	rm -rf build Module.symvers modules.order .*.cmd .*.o

.PHONY: modules install tools install-tools demo check prove matrix torture soak bench style docs clean install-boot install-dkms-host install-dkms-guest uninstall
