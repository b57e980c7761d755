#!/bin/sh
# inside.sh ROOT PROGRAM…: runs the program with ROOT as its root. Called in mount, process and network namespaces of its own,
# from the project's directory, which is at the same path in there.
set -e
root=$(readlink -f "$1")
shift
here=$PWD
ip link set lo up
# A root that is no mount point could not be changed for a container's.
mount --bind "$root" "$root"
for directory in dev sys; do mount --rbind "/$directory" "$root/$directory"; done
mount -t proc proc "$root/proc"
for directory in tmp run; do mount -t tmpfs -o mode=1777 tmpfs "$root/$directory"; done
mkdir -p "$root$here"
mount --rbind "$here" "$root$here"
cd "$root"
pivot_root . mnt
umount -l /mnt
cd "$here"
set +e
# This shell is the first process in there: it stays, and waits for whoever is orphaned.
"$@"
exit $?
