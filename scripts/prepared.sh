# Sourced by scripts/sotto with $root set: sets $main to what a member's program starts with. That is what scripts/prepare.ts has made
# of the sources, where all that it was made of stands as it stood then, and otherwise the sources. No time is taken for later than
# another: a clock may be set back before an upgrade.
main="$root/firewall/main.ts"
# What makes it runs the program that this would name.
unset ESBUILD_BINARY_PATH

is_prepared() (
  cd "$root" && [ -f prepared/stamp ] && . scripts/prepare/sources.sh && sources 2>&1 | cmp -s - prepared/stamp
)

# Not in somebody else's folder, and not where the dependencies are those of another checkout.
if ! is_prepared && [ -O "$root" ] && [ -w "$root" ] && [ ! -L "$root/node_modules" ]; then
  echo 'Preparing the program (once) ...' >&2
  node "$root/scripts/prepare.ts" </dev/null >&2 || echo 'It starts without that, only slower.' >&2
fi
if is_prepared; then main="$root/prepared/firewall.cjs"; fi
