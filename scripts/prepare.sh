# Sourced: npm packages and the build, each skipped when what it was made from has not changed.

stamps=.cache/stamps
same_as_stamp() { [ -e "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$2" ]; }
stamp() { mkdir -p "$stamps" && printf '%s' "$2" >"$stamps/$1"; }

install_node_packages() {
  wanted="$(sha256sum <package-lock.json) node$(node -p process.versions.modules)"
  if [ -d node_modules ] && same_as_stamp npm "$wanted"; then note "npm packages: all there"; return 0; fi
  if [ -d node_modules ] && npm ls --silent >/dev/null 2>&1; then stamp npm "$wanted"; note "npm packages: all there"; return 0; fi
  say "Installing npm packages (npm ci)"
  npm ci || refuse "npm ci failed; see above." "Behind a proxy or without the registry? Set npm's registry or proxy and run again."
  stamp npm "$wanted"
}

sources_digest() { find src package.json scripts/build.sh scripts/compile.cjs -type f | LC_ALL=C sort | xargs sha256sum | sha256sum; }

build() {
  wanted=$(sources_digest)
  if [ -e dist/main.js ] && same_as_stamp build "$wanted"; then note "build: up to date"; return 0; fi
  say "Building (src/ → dist/)"
  npm run --silent build || refuse "The build failed; see above."
  stamp build "$wanted"
}
