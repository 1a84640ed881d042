# Sourced by the scripts beside it: goes to the project's folder, installs what the lock file names, puts the right Node first.
# Not where node_modules is a link: npm would empty the folder of another checkout.
cd "$(dirname "$0")/.." || exit 1
if [ ! -L node_modules ] && { [ ! -x node_modules/.bin/node ] || [ package-lock.json -nt node_modules/.package-lock.json ]; }; then
  echo 'Installing dependencies (once) ...' >&2
  npm ci --no-audit --no-fund >&2 || exit 1
  touch node_modules/.package-lock.json
fi
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
