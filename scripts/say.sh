# Sourced by the other scripts: how they speak, where they stand, and the two polite refusals.
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
if [ -t 1 ]; then bold=$(printf '\033[1m'); plain=$(printf '\033[0m'); else bold=; plain=; fi
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
note() { printf '    %s\n' "$*"; }
refuse() {
  for line in "$@"; do printf '%s\n' "$line" >&2; done
  exit 1
}
need_root() {
  [ "$(id -u)" = 0 ] && return
  refuse "Viaduct makes network namespaces, links and firewall rules, so \`npm $1\` has to run as root." \
    "Nothing was changed. Try:  sudo npm $1"
}
need_debian() {
  [ -r /etc/os-release ] && . /etc/os-release
  case " ${ID:-} ${ID_LIKE:-} " in
    *" debian "*) command -v apt-get >/dev/null && return ;;
  esac
  refuse "\`npm $1\` installs its needs with apt and is made for Debian 12 and 13; this looks like ${PRETTY_NAME:-another system}." \
    "Nothing was changed. README.md lists the packages to install by hand; then run: npm ci && npm run build && bin/viaductd"
}
need_node() {
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
  [ "$major" -ge 20 ] && return
  refuse "Viaduct needs Node 20 or newer; this is $(node --version 2>/dev/null || echo 'a machine without node')." \
    "Debian 13 has it (apt install nodejs npm); for Debian 12 see https://deb.nodesource.com."
}
