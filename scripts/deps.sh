#!/bin/bash
# Installs what a fresh Debian 12 lacks: deps.sh run|test|live|check|lab, each group holds the one before it.
# Asks apt only when something is missing; as root or with sudo.
set -euo pipefail

run="gcc make libc6-dev pkg-config ca-certificates curl libcivetweb-dev libmongoc-dev libbson-dev libcjson-dev libcurl4-openssl-dev
     libjwt-dev libpcap-dev libsqlite3-dev libsodium-dev libmaxminddb-dev zlib1g-dev libzstd-dev libcap-dev libseccomp-dev"
test="$run libcmocka-dev python3 python3-venv chromium fonts-dejavu-core procps nodejs npm"
live="$test iproute2 ethtool tcpreplay tcpdump nmap hydra hping3 vsftpd nginx-light openssh-server openssh-client"
check="$live clang clang-format clang-tidy libclang-rt-14-dev llvm valgrind cppcheck shellcheck mandoc"

group=${1:-run}
case $group in
run) wanted=$run ;;
test) wanted=$test ;;
live) wanted=$live ;;
check) wanted=$check ;;
lab) wanted="$live $(cat "$(dirname "$0")/../models/lab/deps.txt")" ;;
*) echo "deps.sh: unknown group $group (run, test, live, check, lab)" >&2; exit 2 ;;
esac

missing=()
for package in $wanted; do
    case $package in # any that is there will do, also one that is not from Debian
    nodejs | npm) command -v "${package%js}" >/dev/null && continue ;;
    esac
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "deps.sh: needs root or sudo to install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "deps.sh: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" >/dev/null
