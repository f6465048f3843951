#!/bin/sh
# Installs the Debian packages that the tests drive as partners. Needs root and apt-get; without them it says so
# and the tests that need a missing program skip by name. No service is started by an installation.
set -u
packages="freeradius freeradius-utils"
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests: not installing$missing (needs root on Debian); the tests that need them will be skipped" >&2
    exit 0
fi
echo "tests: installing$missing"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
{ apt-get -qq update && apt-get -qq install --no-install-recommends $missing; } >/dev/null 2>&1 ||
    echo "tests: could not install$missing; the tests that need them will be skipped" >&2
exit 0
