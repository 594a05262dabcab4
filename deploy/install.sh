#!/bin/sh
# Installs or updates Pinyon as a systemd service, out of a clone that is built: the program goes to /opt/pinyon, the command
# `pinyon` on the path, the unit to /etc/systemd/system. The node's state, /var/lib/pinyon, is not touched.
set -eu
umask 022
clone=$(cd "$(dirname "$0")/.." && pwd -P)

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "only root can install a service: run it with sudo"
[ -e "$clone/build/src/cli/main.js" ] || fail "there is no build: run \`npm ci && npm run build\` in $clone first, without sudo"
# What the service will find; a Node in somebody's home is of no use to it.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  fail "Node 20.19 or newer is needed in /usr/bin or /usr/local/bin"

rm -rf /opt/pinyon.new
mkdir -p /opt/pinyon.new/build
cp -R "$clone/build/src" /opt/pinyon.new/build/
cp "$clone/package.json" "$clone/package-lock.json" "$clone/LICENSE" /opt/pinyon.new/
# The packages that the clone was built with, without those for building and testing.
(cd "$clone" && npm ls --omit=dev --all --parseable | sed -n "s|^$clone/||p" | xargs cp -R --parents -t /opt/pinyon.new)
chmod 755 /opt/pinyon.new/build/src/cli/main.js

rm -rf /opt/pinyon.old
[ ! -e /opt/pinyon ] || mv /opt/pinyon /opt/pinyon.old
mv /opt/pinyon.new /opt/pinyon
rm -rf /opt/pinyon.old
mkdir -p /usr/local/bin
ln -sf /opt/pinyon/build/src/cli/main.js /usr/local/bin/pinyon
install -m 644 "$clone/deploy/pinyon.service" /etc/systemd/system/pinyon.service

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable pinyon
  systemctl restart pinyon
  systemctl --no-pager --lines=0 status pinyon
else
  echo "systemd does not run here: the service starts with the machine once you have run \`systemctl enable pinyon\`"
fi
