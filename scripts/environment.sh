# Sourced by the scripts beside it: goes to the project's folder, installs what the lock file names, puts the right Node first.
# Not where node_modules is a link: npm would empty the folder of another checkout.
cd "$(dirname "$0")/.." || exit 1
if [ ! -L node_modules ] && { [ ! -x node_modules/.bin/node ] || [ package-lock.json -nt node_modules/.package-lock.json ]; }; then
  echo 'Installing dependencies (once) ...' >&2
  npm ci --no-audit --no-fund >&2 || {
    echo 'That failed: is the registry of npm reachable from here? What is there is kept; try again.' >&2
    exit 1
  }
  # npm 9.2, which Debian 12 has, leaves this link out: the package for the other kind of processor has one of the same name.
  if [ ! -x node_modules/.bin/node ]; then
    for node in node_modules/node-linux-*/bin/node; do ln -sf "../../$node" node_modules/.bin/node; done
  fi
  node_modules/.bin/node --version >/dev/null || {
    echo 'Node does not run here. On Debian it needs: apt-get install libatomic1' >&2
    exit 1
  }
  touch node_modules/.package-lock.json
fi
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
