#!/bin/sh
# Stops the daemon that `npm start` started, and waits until it has ended.
. "$(dirname "$0")/say.sh"
. scripts/daemon.sh
need_root stop
stop_daemon
