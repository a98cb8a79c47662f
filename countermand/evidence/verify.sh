#!/bin/sh
# Checks an unpacked evidence pack with tools of other people. Run it in the pack's folder: sh verify.sh
# Exit 1 when a tool that ran says no. What is not installed is not run, and the last line says so.
cd "$(dirname "$0")" || exit 2
bad=0
skipped=''

said() { # name, exit code
  if [ "$2" -eq 0 ]; then echo "ok       $1"; else echo "REJECTED $1"; bad=1; fi
}
missing() {
  echo "not run: $1 is not here"
  skipped="$skipped $1"
}
has() { command -v "$1" >/dev/null 2>&1; }

if has sha256sum; then
  sha256sum --quiet --strict -c manifest.sha256 >/dev/null 2>&1
  said 'sha256sum: the files equal the list' $?
elif has shasum; then
  shasum -a 256 -c manifest.sha256 >/dev/null 2>&1
  said 'shasum: the files equal the list' $?
else
  missing sha256sum
fi

if has openssl && openssl pkeyutl -help 2>&1 | grep -q -e -rawin; then
  signed() { openssl pkeyutl -verify -pubin -inkey "$1" -rawin -in "$2" -sigfile "$3" >/dev/null 2>&1; }
  signed keys/ledger.pub.pem manifest.json manifest.json.sig
  said 'openssl: the ledger key signed the list' $?
  signed keys/ledger.pub.pem seal/index.json seal/index.json.sig
  said 'openssl: the ledger key signed the seal' $?
  for decision in decisions/*.json; do
    [ -e "$decision" ] || continue
    key=$(sed -n 's/.*"gateway_key_id":"\(gw-[0-9a-f]*\)".*/\1/p' "$decision")
    signed "keys/gateway-$key.pub.pem" "$decision" "${decision%.json}.sig"
    said "openssl: the gateway signed $decision" $?
  done
else
  missing 'openssl 3'
fi

if has ssh-keygen; then
  ssh-keygen -Y verify -f keys/ledger.allowed_signers -I "$(cut -d ' ' -f 1 keys/ledger.allowed_signers)" \
    -n countermand-evidence -s manifest.json.sshsig <manifest.json >/dev/null 2>&1
  said 'ssh-keygen: the ledger key signed the list' $?
else
  missing ssh-keygen
fi

if has cosign; then
  cosign verify-blob-attestation --key keys/ledger.pub.pem --bundle attestation.sigstore.json \
    --type https://countermand.dev/evidence/v1 --insecure-ignore-tlog=true manifest.json >/dev/null 2>&1
  said 'cosign: the ledger key signed the statement about the list' $?
else
  missing cosign
fi

if has spicy-torchwood; then
  (cd seal && spicy-torchwood -verify "$(cat ../keys/log.vkey)" record.json) >/dev/null 2>&1
  said 'spicy-torchwood: the sealing is in the signed tree' $?
else
  missing spicy-torchwood
fi

[ -z "$skipped" ] || echo "not everything was run; not here:$skipped"
exit "$bad"
