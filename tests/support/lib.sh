# shellcheck shell=bash disable=SC2034
# Shared by the scripts that set up test servers. Source it; do not run it.
#
#   PROVOST_TEST_SERVERS   what is installed or made once     (default: target/test-servers of this repository)
#   STATE                  one server's own folder            (given by the caller, empty at first)

set -euo pipefail
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
SUPPORT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${PROVOST_TEST_SERVERS:-$SUPPORT/../../target/test-servers}
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)
PASSWORD='Test-Passw0rd!'   # of every made-up account
HOST=${HOST:-127.0.0.1}

# The interpreter that owns Debian's python3-samba; a pyenv or conda in front of it does not.
PYTHON=/usr/bin/python3
[ -x $PYTHON ] || PYTHON=$(command -v python3 || echo python3)

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# once NAME COMMAND...: run it under a lock, so that tests and terminals that start at once wait for the first.
once() {
  local name=$1 fd
  shift
  exec {fd}>"$CACHE/.$name.lock"
  flock "$fd"
  "$@" {fd}>&-   # children must not keep the lock
  exec {fd}>&-
}

# tls: a CA and three server certificates in $CACHE/tls: good, expired, wrong (another host's name).
tls() { [ -f "$CACHE/tls/ca.crt" ] || once tls tls_make; }
tls_make() {
  [ ! -f "$CACHE/tls/ca.crt" ] || return 0
  local d=$CACHE/tls.new n san to
  rm -rf "$d"
  mkdir -p "$d/new"
  (
    cd "$d"
    : >index
    echo 01 >serial
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
      -subj "/CN=Provost test CA" -keyout ca.key -out ca.crt \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    printf '%s\n' '[ca]' 'default_ca=d' '[d]' 'database=index' 'serial=serial' 'new_certs_dir=new' \
      'default_md=sha256' 'policy=p' 'unique_subject=no' 'copy_extensions=copy' '[p]' 'commonName=supplied' >ca.cnf
    for n in good expired wrong; do
      san=DNS:localhost,IP:127.0.0.1 to=20451231000000Z
      [ $n != expired ] || to=20210101000000Z
      [ $n != wrong ] || san=DNS:elsewhere.invalid
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=test $n" \
        -keyout $n.key -out $n.csr -addext "subjectAltName=$san" -addext extendedKeyUsage=serverAuth
      openssl ca -batch -config ca.cnf -cert ca.crt -keyfile ca.key -in $n.csr -out $n.crt -notext \
        -startdate 20200101000000Z -enddate $to
    done
  ) >"$CACHE/tls.log" 2>&1 || { tail -5 "$CACHE/tls.log" >&2; die "openssl could not make the test certificates"; }
  rm -rf "$CACHE/tls"
  mv "$d" "$CACHE/tls"
}
