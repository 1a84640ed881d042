# Sourced by scripts/sotto with $root set: sets $main to what a member's program starts with. That is what scripts/prepare.ts has made
# of the sources, where nothing that it was made of is younger, and otherwise the sources.
# Times of change (ctime) are looked at, which no archive sets: what is unpacked over an older version is younger.
main="$root/firewall/main.ts"
# What makes it runs the program that this would name.
unset ESBUILD_BINARY_PATH

is_prepared() (
  cd "$root" && [ -f prepared/stamp ] &&
    [ -z "$(find client firewall protocol camouflage-templates scripts/prepare scripts/prepare.ts scripts/node-flags.ts \
      package.json node_modules/.package-lock.json -cnewer prepared/stamp -print -quit 2>&1)" ]
)

# Not in somebody else's folder, and not where the dependencies are those of another checkout.
if ! is_prepared && [ -O "$root" ] && [ -w "$root" ] && [ ! -L "$root/node_modules" ]; then
  echo 'Preparing the program (once) ...' >&2
  node "$root/scripts/prepare.ts" </dev/null >&2 || echo 'It starts without that, only slower.' >&2
fi
if is_prepared; then main="$root/prepared/firewall.cjs"; fi
