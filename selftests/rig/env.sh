# SPDX-License-Identifier: GPL-2.0
# Sourced by every program of the rig: places, messages, downloads.
#
#   $top          the checkout               $rig    this folder
#   $build        scratch and results        $cache  downloads, kept between checkouts (KVMHB_CACHE)
#
# A *kernel tree* is what `kernel` and `debug-kernel` make and print, always of the same shape:
#   TREE/version                 the kernel's release, as in uname -r
#   TREE/vmlinux                 what QEMU boots, by PVH: in a guest, unpacking a vmlinuz takes as long as the rest of the boot
#   TREE/vmlinuz                 the same as Debian packs it, for kexec and suspend (not of the debug kernel)
#   TREE/kdir                    what `make -C` takes, to build modules
#   TREE/lib/modules/VERSION     its modules, TREE itself is for modprobe -d
#   TREE/debian13                there if modules are built for it by what `toolchain` fetches
# shellcheck shell=bash disable=SC2034  # the variables are for those who source this

export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8

rig=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$rig/../.." && pwd)
build=$top/build
cache=${KVMHB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-heartbeat}

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# progress WHAT CMD...: run CMD; when it takes more than 3 seconds, say WHAT, go on saying so, and say how long it took.
# CMD's own output goes to a log that is shown when CMD fails.
progress()
{
	local what=$1 log begin=$SECONDS status=0 watcher
	shift
	log=$(mktemp)
	(
		trap 'kill $!; exit' TERM
		pause=3
		while sleep $pause & wait $!; kill -0 $$ 2>/dev/null; do
			say "  $what ... $((SECONDS - begin)) s"
			pause=30
		done
	) >/dev/null &
	watcher=$!
	"$@" </dev/null >"$log" 2>&1 || status=$?
	kill "$watcher" 2>/dev/null || true
	wait "$watcher" || true
	if ((status)); then
		tail -n 40 "$log" >&2
		say "${0##*/}: $what: failed with status $status; above is the end of what it said"
	elif ((SECONDS - begin > 3)); then
		say "  $what: done in $((SECONDS - begin)) s"
	fi
	rm -f "$log"
	return "$status"
}

# verdict LOG...: fail if any test of these logs of hosts did, or if fewer came to their end than were planned.
verdict()
{
	cat "$@" | tr -d '\r' | awk '
		/^1\.\.[0-9]+$/ { planned += substr($0, 4) }
		/^(not )?ok / { ended++ }
		/^not ok / { failed++ }
		END { exit failed || ended != planned || !planned }'
}

# newest REGEX: the newest package whose whole name matches, or nothing.
newest()
{
	apt-cache pkgnames 2>/dev/null | grep -E "^$1\$" | sort -V | tail -n 1
}

# fetch DIR PACKAGE...: download packages with apt, which verifies them, and unpack them below DIR.
# Nothing is installed on this machine.
fetch()
{
	local dir=$1 debs
	shift
	debs=$dir.debs
	rm -rf "$debs"
	mkdir -p "$dir" "$debs"
	# The sandbox user cannot write here; apt would only warn.
	if ! (cd "$debs" && progress "downloading $1 and what belongs to it" apt-get -q -o APT::Sandbox::User=root download "$@"); then
		rm -rf "$debs"
		die "apt could not download $*. Is there a network? An old package list names packages that are gone: run 'apt-get update' and try again."
	fi
	local deb
	for deb in "$debs"/*.deb; do
		progress "unpacking $(basename "$deb")" dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$debs"
}

# suite DIR SUITE...: from here on, apt knows what Debian has in these suites, and nothing else. It reads them from the
# mirror that this machine uses anyway. Lists and downloads are below DIR, apart from the machine's own.
suite()
{
	local dir=$1 name base mirror
	shift
	mkdir -p "$dir"/{lists,cache/archives}/partial
	for name; do
		case $name in *-security) base=bookworm-security ;; *) base=bookworm ;; esac
		# shellcheck disable=SC2016  # apt expands them
		mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
			sed -n "s/ $base\$//p" | head -n 1)
		[ -n "$mirror" ] || die "apt has no source for $base, see /etc/apt/sources.list"
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $name main"
	done >"$dir/sources.list"
	cat >"$dir/config" <<-END
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		APT::Sandbox::User "root";
	END
	: >"$dir/status"
	export APT_CONFIG=$dir/config
	progress "reading the package list of $*" apt-get -q update
}
