#!/bin/sh
# From a bare Debian machine to a running Viaduct with images to play with; a second time in seconds.
. "$(dirname "$0")/say.sh"
. scripts/packages.sh
. scripts/prepare.sh
. scripts/daemon.sh
need_root start
need_debian start
need_node start

say "Viaduct: installs what it needs, builds, starts the daemon in the background, loads small images"
# shellcheck disable=SC2086
install_packages $run_packages $(client_package)
install_node_packages
build
start_daemon
load_images

say "Viaduct answers on $DOCKER_HOST"
note "log: $log   stop it: npm stop"
[ "$DOCKER_HOST" = "unix:///var/run/docker.sock" ] || {
  note ""
  note "A Docker daemon of this machine owns /var/run/docker.sock, so tell the client where to go:"
  note "    export DOCKER_HOST=$DOCKER_HOST"
}
note ""
note "Try:"
note "    docker network create mynetwork"
note "    docker run -d --name web --network mynetwork -p 8080:80 nginx"
note "    docker run --rm --network mynetwork alpine ping -c 3 web"
note "    curl http://localhost:8080/"
