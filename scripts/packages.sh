# Sourced: installs Debian packages with progress shown and without starting any service of theirs.
# Invariants: services that were running stay as they are; services that come with a package of ours are not started,
# neither now (policy-rc.d) nor at the next boot (disabled).

# What the daemon calls (etcd and Serf only where there is a swarm), and the programs from which the test images are made.
run_packages='nftables conmon crun skopeo buildah containers-storage iproute2 busybox-static nginx-light curl iputils-ping ca-certificates etcd-server serf'
# What the tests and the benchmark use besides: Debian's own docker as client and as the benchmark's peer, Compose, probes.
test_packages='docker.io docker-compose runc iptables conntrack socat netcat-openbsd tcpdump procps openvswitch-switch iperf3 wireguard-tools'
# A third-party plugin for Docker by others, run unmodified, and the network it drives. Not in the VM lane's guest.
plugin_packages='ovn-docker ovn-central ovn-host python3-openvswitch python3-flask'
# The VM lane: what boots the guest; and what is inside it besides the packages above.
vm_packages='qemu-system-x86 squashfs-tools kmod'
guest_packages='kmod mount mawk'

# The Debian 13 lane: what makes its root, and what is in it besides run_packages.
trixie_maker_packages='mmdebstrap'
trixie_packages='nodejs docker-cli netcat-openbsd procps util-linux mawk'

installed() { dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^.i'; }
available() { apt-cache show "$1" >/dev/null 2>&1; }

missing_of() {
  for package in "$@"; do
    installed "$package" || printf '%s ' "$package"
  done
}

# The package that brings a `docker` command: Debian 13 has the client alone.
client_package() {
  command -v docker >/dev/null && return
  if available docker-cli; then echo docker-cli; else echo docker.io; fi
}

# Denies every service start while packages are unpacked, unless the machine already has a policy of its own.
with_quiet_services() {
  policy=/usr/sbin/policy-rc.d
  ours=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\n# put here by Viaduct while it installs packages\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    ours=yes
  fi
  trap '[ -z "$ours" ] || rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  "$@"
  status=$?
  [ -z "$ours" ] || rm -f "$policy"
  trap - EXIT INT TERM
  return $status
}

# The services of packages, which must not come up at the next boot and take our socket, port 80, or etcd's ports.
services='docker.io docker.service docker.socket containerd.service
nginx-light nginx.service
openvswitch-switch openvswitch-switch.service
ovn-central ovn-central.service
ovn-host ovn-host.service
etcd-server etcd.service
serf serf.service'

# keep_off PACKAGES: those of packages that were not there before; whoever had one already wants it.
keep_off() {
  command -v systemctl >/dev/null || return 0
  printf '%s\n' "$services" | while read -r package units; do
    case " $1 " in
      *" $package "*) for unit in $units; do systemctl disable "$unit" >/dev/null 2>&1 || true; done ;;
    esac
  done
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dpkg::Progress-Fancy=0 -o DPkg::Lock::Timeout=120 "$@"
}

# install_packages PACKAGE…: nothing to do in milliseconds when all are there.
install_packages() {
  missing=$(missing_of "$@")
  [ -z "$missing" ] && { note "Debian packages: all there"; return 0; }
  say "Installing Debian packages: $missing"
  # shellcheck disable=SC2086  # words are wanted
  available ${missing%% *} && apt-get install -s --no-install-recommends $missing >/dev/null 2>&1 || apt-get update
  # shellcheck disable=SC2086
  with_quiet_services apt_install $missing || refuse "apt could not install: $missing" "See its messages above; run the same command again when that is mended."
  keep_off "$missing"
}
