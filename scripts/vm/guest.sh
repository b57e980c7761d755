#!/bin/sh
# The guest's first process in its own root, made from Debian packages: a machine as after boot, without systemd.
# Serial lines: ttyS0 the console, ttyS1 what the program says (`set --` in .vm-run), ttyS2 the verdict: `started`, what
# test/support/verdicts.ts writes, the files below /run/files as one line, then an exit code.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /tmp && chmod 1777 /tmp
mount -t tmpfs -o mode=755 tmpfs /var
mkdir -p /dev/pts /dev/shm /dev/mqueue /run/lock /run/netns /var/lib /var/log /var/tmp /var/cache
ln -s /run /var/run
chmod 1777 /var/tmp
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t mqueue mqueue /dev/mqueue
# Debian's default: cgroup v2 alone, and as systemd does the root hands every controller down.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
for number in 0 1 2; do stty -F "/dev/ttyS$number" raw -echo 2>/dev/null; done
hostname viaduct-vm
: >/etc/resolv.conf
ip link set lo up
modprobe -a tun br_netfilter veth bridge 2>/dev/null
cd /viaduct || reboot -f
set --
. ./.vm-run
echo started >/dev/ttyS2
if grep -q viaduct.shell /proc/cmdline; then
  stty -F /dev/ttyS0 sane
  echo "A shell in the guest. The tests: vitest run --project vm. The end: exit (or Ctrl-A X, which ends QEMU)."
  export PATH="/viaduct/node_modules/.bin:$PATH" E2E_SKIP_BUILD=1 TEST_PATIENCE=5
  setsid -c bash </dev/ttyS0 >/dev/ttyS0 2>&1
  code=0
else
  { "$@" 2>&1; echo $? >/run/code; } </dev/null | cat >/dev/ttyS1
  code=$(cat /run/code)
fi
[ ! -e /run/verdicts ] || sed 's/^/verdict /' /run/verdicts >/dev/ttyS2
[ ! -d /run/files ] || { printf 'files '; tar -C /run/files -czf - . | base64 -w 0; echo; } >/dev/ttyS2
echo "ended $code" >/dev/ttyS2
sleep 0.2
echo b >/proc/sysrq-trigger
