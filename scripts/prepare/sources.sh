# What the prepared program is made of, as it stands: each file and folder with its inode, size and time of change (ctime), which no
# archive sets. Sourced by scripts/prepared.sh and scripts/prepare.ts, in the program's folder.
sources() {
  find client firewall protocol camouflage-templates scripts/prepare scripts/prepare.ts scripts/node-flags.ts \
    package.json node_modules/.package-lock.json -printf '%p %i %s %C@\n'
}
