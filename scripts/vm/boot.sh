# Sourced: boots the guest. Its console goes to a file, its program's output to ours, its verdict to a second file.
# VM_ACCEL, VM_MEMORY (MiB) and VM_TESTS_LIMIT overrule what is chosen here.
# Limits, in seconds: a boot takes 3 with KVM and some 15 in emulation, on a busy machine several times that.
boot_limit=180
tests_limit=${VM_TESTS_LIMIT:-2700}

# A /dev/kvm without the processor's help behind it (in some clouds' machines) opens and then never gets anywhere.
accelerator() {
  if [ -n "${VM_ACCEL:-}" ]; then
    echo "$VM_ACCEL"
  elif [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
    echo kvm
  else
    echo tcg,thread=multi
  fi
}

# One emulated processor: with two, QEMU 7.2 at times misses that the kernel on the one has changed code which the other
# runs (each first or last netfilter hook does): that one then stays on the same instruction for good.
processors() { case "$(accelerator)" in kvm*) echo 2 ;; *) echo 1 ;; esac; }

# What QEMU emulates with. `instruction_clock=yes`: the guest's clock counts the instructions that it has carried out, 8 ns
# each (about what they take), so that whatever else this machine does meanwhile is not in what the guest measures.
acceleration() {
  case "$(accelerator)${instruction_clock:-}" in
    tcg*yes) echo "-accel tcg,thread=single -icount shift=3" ;;
    *) echo "-accel $(accelerator) -accel tcg,thread=multi" ;;
  esac
}

# qemu_guest KERNEL_ARGUMENTS [further QEMU arguments]
qemu_guest() {
  arguments=$1
  shift
  drives=
  for part in root modules npm images project ${more_parts:-}; do
    drives="$drives -drive file=$vm/$part.sqfs,format=raw,if=virtio,readonly=on"
  done
  # shellcheck disable=SC2086
  exec qemu-system-x86_64 $(acceleration) -cpu max -smp "$(processors)" -m "${VM_MEMORY:-3072}" \
    -nodefaults -display none -no-reboot -kernel "$vm/vmlinuz" -initrd "$vm/initrd" \
    -append "viaduct.guest console=ttyS0 loglevel=5 mitigations=off panic=-1 oops=panic softlockup_panic=1 watchdog_thresh=30 $arguments" $drives "$@"
}

boot_shell() {
  say "Booting; the end: exit, or Ctrl-A X"
  : >"$vm/verdict"
  qemu_guest viaduct.shell -chardev stdio,mux=on,id=tty,signal=off -serial chardev:tty -serial null \
    -serial "file:$vm/verdict" -mon chardev=tty
}

verdict() { sed -n "s/^$1 *//p" "$vm/verdict" 2>/dev/null | tr -d '\r' | head -n 1; }
started() { grep -q '^started' "$vm/verdict" 2>/dev/null; }

# Waits for the process; ends it when it has not started, or is not done, in time.
watch_guest() {
  seconds=0
  while kill -0 "$1" 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    if [ "$seconds" -ge "$boot_limit" ] && ! started; then why="did not start within $boot_limit s"; break; fi
    if [ "$seconds" -ge "$tests_limit" ]; then why="was not done within $tests_limit s"; break; fi
  done
  kill "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}

# What the program left in /run/files, into the directory `files`.
unpack_files() {
  rm -rf "$files" && mkdir -p "$files"
  sed -n 's/^files //p' "$vm/verdict" | tr -d '\r' | base64 -d | tar -C "$files" -xzf - || note "The guest handed nothing back."
}

# boot_program: runs what make_guest was given. `files`: where what it hands back goes; `after_guest`: a command that runs
# then, however it ended.
boot_program() {
  say "Booting ($(acceleration))"
  rm -f "$vm/console.log" "$vm/verdict"
  why="ended without a verdict"
  qemu_guest "" -serial "file:$vm/console.log" -chardev stdio,id=out,signal=off -serial chardev:out \
    -serial "file:$vm/verdict" </dev/null &
  guest=$!
  trap 'kill "$guest" 2>/dev/null' EXIT
  trap 'exit 130' INT TERM
  watch_guest "$guest"
  trap - EXIT INT TERM
  code=$(verdict ended)
  [ -z "${VERDICTS:-}" ] || sed -n 's/^verdict //p' "$vm/verdict" >>"$VERDICTS"
  [ -z "${files:-}" ] || unpack_files
  ${after_guest:-:}
  [ "$code" = 0 ] && return 0
  printf '%s\n' "" "The guest's console ($vm/console.log):"
  tail -n 200 "$vm/console.log"
  [ -n "$code" ] || refuse "" "The guest $why."
  exit "$code"
}
