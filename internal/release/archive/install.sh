#!/bin/sh
# Installs kindred @VERSION@ from the folder of its release. KINDRED_RELEASE is that folder's address, or
# a path. KINDRED_HOME is where to install, by default ~/.local/kindred:
#   curl -fsSL "$KINDRED_RELEASE/install.sh" | KINDRED_RELEASE="$KINDRED_RELEASE" sh
set -eu

sums='@SUMS@'

fail() { echo "install.sh: $*" >&2; exit 1; }

[ -n "${KINDRED_RELEASE:-}" ] || fail "set KINDRED_RELEASE to the address or the path of the release's folder"
home=${KINDRED_HOME:-${HOME:?set KINDRED_HOME or HOME}/.local/kindred}
system=$(uname -s) processor=$(uname -m)
case $system in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fail "there is no archive for $system; build it from the sources" ;;
esac
case $processor in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no archive for the processor $processor; build it from the sources" ;;
esac
name=kindred-@VERSION@-$os-$arch
want=$(echo "$sums" | sed -n "s/  $name.tar.gz\$//p")
[ -n "$want" ] || fail "this release has no archive for $os/$arch"

mkdir -p "$home"
work=$(mktemp -d "$home/install.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
case $KINDRED_RELEASE in
  http://* | https://*)
    if command -v curl >/dev/null; then curl -fsSL -o "$work/archive" "$KINDRED_RELEASE/$name.tar.gz"
    elif command -v wget >/dev/null; then wget -qO "$work/archive" "$KINDRED_RELEASE/$name.tar.gz"
    else fail "install curl or wget"; fi ;;
  *) cp "${KINDRED_RELEASE#file://}/$name.tar.gz" "$work/archive" ;;
esac
if command -v sha256sum >/dev/null; then have=$(sha256sum "$work/archive"); else have=$(shasum -a 256 "$work/archive"); fi
have=${have%% *}
[ "$have" = "$want" ] || fail "$name.tar.gz has the SHA-256 $have, expected $want; nothing was installed"

tar xzf "$work/archive" -C "$work"
mkdir -p "$home/state"
ln -s ../state "$work/$name/.kindred" # the local stack's data belong to no version
rm -rf "${home:?}/@VERSION@"
mv "$work/$name" "$home/@VERSION@"
ln -sfn "@VERSION@" "$home/current"
echo "kindred @VERSION@ is in $home/current. Add it to your PATH: export PATH=\"$home/current/bin:\$PATH\""
echo "Try it on this machine: cd \"$home/current\" && make demo"
