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

# /var/run/docker.sock when it is free, else a socket of our own: two engines can live on one machine.
choose_socket() {
  if answers unix:///var/run/docker.sock || pidof -q dockerd 2>/dev/null; then
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

# Each image is one tar; `docker load` of what is there already costs milliseconds.
load_images() {
  npx --no-install tsx scripts/images/build-test-images.ts || refuse "The images could not be made; the daemon runs all the same (see above)."
  for tar in .cache/images/*.tar; do
    [ -e "$tar" ] || continue
    note "$(docker load -q -i "$tar" 2>&1)" || refuse "docker load -i $tar failed."
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
