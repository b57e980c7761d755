#!/bin/busybox sh
# The guest's first process, in its initrd: mounts the read-only images below one writable root and goes there.
# Anything that fails here ends the machine: the host sees no verdict and shows the console.
export PATH=/bin
/bin/busybox --install -s /bin
fail() {
  echo "viaduct guest: $1" >/dev/console
  reboot -f
}
mkdir -p /proc /sys /dev /root
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs dev /dev || fail "no /proc, /sys, /dev"
while read -r module; do
  insmod "/modules/$module" || fail "cannot load $module"
done </modules/order

lower=
for disk in /sys/block/vd?; do
  name=${disk##*/}
  mkdir -p "/lower/$name"
  mount -t squashfs -o ro "/dev/$name" "/lower/$name" || fail "cannot mount $name"
  lower=$lower${lower:+:}/lower/$name
done
[ -n "$lower" ] || fail "no disks"
mkdir /upper && mount -t tmpfs -o size=90% tmpfs /upper && mkdir /upper/files /upper/work || fail "no tmpfs"
mount -t overlay -o "lowerdir=$lower,upperdir=/upper/files,workdir=/upper/work" root /root || fail "no root"
for directory in proc sys dev run tmp var root; do mkdir -p "/root/$directory"; done
mount --move /proc /root/proc && mount --move /sys /root/sys && mount --move /dev /root/dev || fail "cannot move mounts"
exec switch_root /root /bin/sh /viaduct/scripts/vm/guest.sh
