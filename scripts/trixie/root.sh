# Sourced: makes a Debian 13 root in .cache/trixie/root: its base, what README says to install, and what the tour uses. Nothing
# to do where it is there already. With mmdebstrap, which is apt for another directory; no service is started in it.

make_trixie_root() {
  # shellcheck disable=SC2086  # words are wanted
  install_packages $trixie_maker_packages
  # shellcheck disable=SC2086
  wanted=$(printf '%s ' trixie $run_packages $trixie_packages)
  trixie=.cache/trixie
  [ -d "$trixie/root" ] && [ "$(cat "$trixie/made" 2>/dev/null)" = "$wanted" ] && { note "Debian 13's root: up to date"; return 0; }
  say "Making a Debian 13 root"
  mkdir -p "$trixie"
  rm -rf "$trixie/making" "$trixie/made"
  # Files that nobody reads there are half of all.
  # shellcheck disable=SC2086
  mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
    --include="$(echo $run_packages $trixie_packages | tr ' ' ',')" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    trixie "$trixie/making" || refuse "Debian 13's root could not be made; see above."
  rm -rf "$trixie/root"
  mv "$trixie/making" "$trixie/root"
  printf '%s' "$wanted" >"$trixie/made"
}
