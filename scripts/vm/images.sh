# Sourced: makes what the guest boots from, each part only when what it was made from has changed.
#   vmlinuz, modules.sqfs   Debian's kernel package, downloaded and unpacked, never installed
#   initrd                  BusyBox and the few modules with which the root is mounted (init.sh)
#   root.sqfs               the files of the Debian packages that the tests need, taken from this machine's own, and node
#   npm.sqfs, images.sqfs   node_modules without the tools of `npm run check`; the test images
#   docker.sqfs             where `more_parts` has it: Debian's dockerd and containerd, to be measured beside
#   project.sqfs            this working tree: made at every run
# All file systems are uncompressed: emulated unpacking costs more than reading.
vm=.cache/vm
kernel_package=linux-image-cloud-amd64

# made NAME KEY COMMAND…: runs the command when $vm/NAME was made from something else than KEY.
made() {
  part=$1
  key="$2 $(cat scripts/vm/images.sh scripts/vm/init.sh | sha256sum)"
  shift 2
  [ -e "$vm/$part" ] && [ "$(cat "$vm/$part.key" 2>/dev/null)" = "$key" ] && return 0
  note "guest: $part"
  rm -f "$vm/$part.key"
  "$@" || refuse "The guest's $part could not be made; see above."
  printf '%s' "$key" >"$vm/$part.key"
}

# squash FILE: a tar on standard input as a file system.
squash() {
  rm -f "$1"
  mksquashfs - "$1" -tar -noI -noD -noF -noX -no-progress -quiet >"$1.log" 2>&1 || { cat "$1.log"; return 1; }
}

# The package that the meta-package means today, by apt's lists as they are: refreshed where they have nothing.
kernel_version_package() {
  apt-cache depends "$kernel_package" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

fetch_kernel() {
  rm -rf "$vm/kernel" && mkdir -p "$vm/kernel/deb" || return 1
  (cd "$vm/kernel/deb" && apt-get download -q -o APT::Sandbox::User=root "$1") || {
    apt-get update -q
    (cd "$vm/kernel/deb" && apt-get download -q -o APT::Sandbox::User=root "$1") || return 1
  }
  dpkg-deb -x "$vm"/kernel/deb/*.deb "$vm/kernel/tree" || return 1
  mkdir -p "$vm/kernel/tree/usr"
  # Debian 13's packages are below /usr already.
  [ ! -d "$vm/kernel/tree/lib" ] || mv "$vm/kernel/tree/lib" "$vm/kernel/tree/usr/lib"
  release=$(ls "$vm/kernel/tree/usr/lib/modules") || return 1
  ln -sfn usr/lib "$vm/kernel/tree/lib"
  depmod -b "$vm/kernel/tree" "$release" || return 1
  tar -C "$vm/kernel/tree" -cf - usr/lib/modules | squash "$vm/modules.sqfs" || return 1
  cp "$vm"/kernel/tree/boot/vmlinuz-* "$vm/vmlinuz"
}

# The modules of the early root, in the order in which they go in, as paths below its directory.
early_modules() {
  for module in virtio_pci virtio_blk squashfs overlay; do
    modprobe -d "$1" -S "$2" --show-depends "$module" || return 1
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

pack_initrd() {
  early=$vm/early
  rm -rf "$early" && mkdir -p "$early/bin" "$early/modules" || return 1
  cp "$(command -v busybox)" "$early/bin/busybox" && cp scripts/vm/init.sh "$early/init" && chmod 755 "$early/init" || return 1
  early_modules "$vm/kernel/tree" "$(ls "$vm/kernel/tree/usr/lib/modules")" >"$early/list" && [ -s "$early/list" ] || return 1
  while read -r file; do
    cp "$file" "$early/modules/" && basename "$file" >>"$early/modules/order" || return 1
  done <"$early/list"
  (cd "$early" && find . | busybox cpio -o -H newc 2>/dev/null) >"$vm/initrd"
}

# The package that a program is from, if any.
owner_of() { dpkg-query -S "$(readlink -f "$(command -v "$1")")" 2>/dev/null | cut -d: -f1; }

# Debian packages of the guest with everything they depend on, as far as installed here, and the essential ones.
guest_packages() {
  {
    dpkg-query -W -f='${Package} ${Essential}\n' | awk '$2 == "yes" { print $1 }'
    # shellcheck disable=SC2086
    apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
      --no-enhances $run_packages $test_packages $guest_packages $(owner_of docker) $(owner_of node) 2>/dev/null |
      sed -n 's/^\([a-z0-9][a-z0-9.+-]*\)\(:[a-z0-9]*\)\{0,1\}$/\1/p'
  } | sort -u
}

# Their files, as `Package version` lines decide them; daemons of other engines and what people read stay outside.
guest_files() {
  # shellcheck disable=SC2046
  dpkg-query -L $(guest_packages) 2>/dev/null |
    sed -E 's,^/(s?bin|lib[0-9a-z]*)(/|$),/usr/\1\2,' |
    grep -E '^/(usr|etc)/' |
    grep -vE '^/usr/share/(doc|man|locale|info|lintian|bug|i18n|zoneinfo)/|^/usr/s?bin/(dockerd|containerd.*)$' |
    grep -vE '^/usr/lib/python3' | sort -u
}

pack_root() {
  list=$vm/root.list
  {
    guest_files
    for path in /bin /sbin /lib /lib32 /lib64 /libx32 /etc/alternatives /etc/passwd /etc/group /etc/shadow /etc/nsswitch.conf \
      /etc/hosts /etc/protocols /etc/services /etc/ld.so.cache /etc/ssl/certs /usr/local/bin/docker \
      "$(readlink -f "$(command -v node)")"; do
      if [ -d "$path" ] && [ ! -L "$path" ]; then find "$path"; else echo "$path"; fi
    done
    find /usr/bin /usr/sbin -type l -lname '/etc/alternatives/*' # made at installation, so no package has them
    ldd "$(command -v node)" | sed -nE 's,^.*=> (/[^ ]+) .*,\1,p' | sed -E 's,^/lib,/usr/lib,'
  } | sort -u | while read -r path; do
    [ ! -e "$path" ] && [ ! -L "$path" ] || printf '%s\n' "${path#/}"
  done >"$list"
  tar -C / --no-recursion -cf - -T "$list" | squash "$vm/root.sqfs"
}

pack_npm() {
  tar -C "$(readlink -f node_modules)/.." --transform 's,^,viaduct/,S' --exclude=node_modules/@biomejs \
    --exclude=node_modules/@typescript --exclude=node_modules/typescript -cf - node_modules | squash "$vm/npm.sqfs"
}

pack_images() {
  tar --transform 's,^,viaduct/,S' -cf - .cache/images/*.tar .cache/images/*.stamp | squash "$vm/images.sqfs"
}

pack_docker() {
  dpkg-query -L docker.io containerd | grep -E '^/usr/s?bin/(dockerd|containerd.*)$' | sed 's,^/,,' |
    tar -C / -cf - -T - | squash "$vm/docker.sqfs"
}

# The working tree, and what to do with it: /viaduct/.vm-run is sourced by scripts/vm/guest.sh.
pack_project() {
  mkdir -p "$vm/run/.cache"
  printf '%s\n' "$1" >"$vm/run/.vm-run"
  { git ls-files -co --exclude-standard 2>/dev/null || find . -path ./node_modules -prune -o -path ./.cache -prune -o -type f -print; } |
    grep -v '^node_modules' | while read -r path; do [ ! -f "$path" ] || printf '%s\n' "$path"; done >"$vm/run/list"
  tar --transform 's,^,viaduct/,S' -cf - -T "$vm/run/list" dist -C "$vm/run" .vm-run | squash "$vm/project.sqfs"
}

quote() {
  for word in "$@"; do printf " '%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done
}

# make_guest COMMAND…: what runs inside; one at a time in a working tree, until the guest has ended.
make_guest() {
  mkdir -p "$vm"
  exec 9>"$vm/lock"
  flock -n 9 || { note "another guest of this working tree is running: waiting for its end"; flock 9; }
  say "Guest: Debian's kernel, its packages and this working tree"
  image=$(kernel_version_package)
  [ -n "$image" ] || { apt-get update -q; image=$(kernel_version_package); }
  [ -n "$image" ] || refuse "apt knows no $kernel_package: is Debian's main archive in its sources?"
  made vmlinuz "$image $(apt-cache policy "$image" | sed -n 's/ *Candidate: //p')" fetch_kernel "$image"
  made initrd "$(cat "$vm/vmlinuz.key")" pack_initrd
  # shellcheck disable=SC2046
  made root.sqfs "$(dpkg-query -W $(guest_packages) 2>/dev/null | sha256sum) $(sha256sum <"$(command -v node)")" pack_root
  made npm.sqfs "$(sha256sum <package-lock.json)" pack_npm
  made images.sqfs "$(cat .cache/images/*.stamp | sha256sum)" pack_images
  case " ${more_parts:-} " in
    *" docker "*) made docker.sqfs "$(dpkg-query -W docker.io containerd)" pack_docker ;;
  esac
  if [ -t 1 ]; then colour="export FORCE_COLOR=1"; else colour="export NO_COLOR=1"; fi
  pack_project "$colour
set --$(quote "$@")" || refuse "The working tree could not be packed; see above."
}
