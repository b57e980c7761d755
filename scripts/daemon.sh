# Sourced: starting, finding and stopping the one daemon that `npm start` runs.
pid_file=/run/viaduct.pid
log=/var/log/viaduct.log
host_file=/run/viaduct.host

# The id of the running daemon of ours, or nothing: a pid file alone may be stale and its number somebody else's.
daemon_pid() {
  pid=$(cat "$pid_file" 2>/dev/null) || return 0
  [ -n "$pid" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qE '/(dist|src)/main\.(js|ts)$' && echo "$pid"
}

answers() { curl -fs --max-time 2 --unix-socket "${1#unix://}" http://localhost/_ping >/dev/null 2>&1; }

# Somebody listens on the socket, whether or not he answers in time. (curl: 7 is "could not connect".)
owned() {
  [ -S "$1" ] || return 1
  curl -s --max-time 2 --unix-socket "$1" http://localhost/_ping >/dev/null 2>&1
  [ $? -ne 7 ]
}

# /var/run/docker.sock when it is free, else a socket of our own: two engines can live on one machine.
choose_socket() {
  if owned /var/run/docker.sock; then
    DOCKER_HOST=unix:///run/viaduct.sock
  else
    DOCKER_HOST=unix:///var/run/docker.sock
  fi
  export DOCKER_HOST
}

wait_until_it_answers() {
  tries=0
  until answers "$DOCKER_HOST"; do
    [ -n "$(daemon_pid)" ] || kill -0 "$1" 2>/dev/null || refuse "The daemon ended at start. Its last words ($log):" "$(tail -n 5 "$log")"
    tries=$((tries + 1))
    [ "$tries" -lt 150 ] || refuse "The daemon does not answer on $DOCKER_HOST after 30 s; see $log."
    sleep 0.2
  done
}

start_daemon() {
  if [ -n "$(daemon_pid)" ]; then
    DOCKER_HOST=$(cat "$host_file" 2>/dev/null || echo unix:///var/run/docker.sock)
    export DOCKER_HOST
    note "the daemon runs already (process $(daemon_pid)); after a change of the code: npm stop && npm start"
    wait_until_it_answers "$(daemon_pid)"
    return
  fi
  choose_socket
  say "Starting bin/viaductd in the background"
  setsid bin/viaductd --host "$DOCKER_HOST" --pidfile "$pid_file" </dev/null >>"$log" 2>&1 &
  printf '%s\n' "$DOCKER_HOST" >"$host_file"
  wait_until_it_answers $!
}

# What is made is said; where the archives lie is not news to somebody who gets them loaded.
make_images() {
  failure=.cache/images.failed
  rm -f "$failure"
  { npx --no-install tsx scripts/images/build-test-images.ts || { mkdir -p .cache && : >"$failure"; }; } |
    sed '/^Test images are in place/,$d; s/^/    /'
  [ ! -e "$failure" ]
}

# Each image is one tar, loaded again only where it changed or is gone from the daemon.
load_images() {
  say "Images to play with"
  make_images || refuse "The images could not be made; the daemon runs all the same (see above)."
  mkdir -p "$stamps"
  for tar in .cache/images/*.tar; do
    [ -e "$tar" ] || continue
    name=$(basename "$tar" .tar)
    if [ "$stamps/loaded-$name" -nt "$tar" ] && docker image inspect "$name" >/dev/null 2>&1; then
      note "$name: there"
      continue
    fi
    loaded=$(docker load -q -i "$tar" 2>&1) || refuse "docker load -i $tar failed: $loaded"
    note "$loaded"
    : >"$stamps/loaded-$name"
  done
}

stop_daemon() {
  pid=$(daemon_pid)
  [ -n "$pid" ] || { note "no daemon of ours is running"; return 0; }
  say "Stopping the daemon (process $pid)"
  kill -TERM "$pid"
  tries=0
  while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || refuse "The daemon still runs after 60 s; see $log."
    sleep 0.2
  done
  rm -f "$host_file"
}
