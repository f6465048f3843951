#!/bin/sh
# Installs the Debian packages that the tests drive as partners: those named, or all of them. Needs root and apt-get;
# without them it says so, and the tests that need a missing program skip by name. No installation starts a service.
set -u
[ $# -gt 0 ] || set -- freeradius freeradius-utils radsecproxy libpam-radius-auth pamtester slapd php-cli whois
missing=""
for package; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests: not installing$missing (needs root on Debian); the tests that need them will be skipped" >&2
    exit 0
fi
echo "tests: installing$missing"
policy=/usr/sbin/policy-rc.d
made_policy=""
log=$(mktemp)
trap 'rm -f "$log" $made_policy' EXIT
trap 'exit 130' INT TERM
if [ ! -e "$policy" ]; then
    made_policy=$policy
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
install() {
    # shellcheck disable=SC2086 # a list of words
    apt-get -qq -o DPkg::Lock::Timeout=120 install --no-install-recommends $missing </dev/null >"$log" 2>&1
}
install || { apt-get -qq update >/dev/null 2>&1; install; } || {
    echo "tests: could not install$missing; the tests that need them will be skipped. apt-get said:" >&2
    tail -n 5 "$log" >&2
}
exit 0
