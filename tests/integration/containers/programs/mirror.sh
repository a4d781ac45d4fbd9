#!/bin/sh
# Copies each input to the output of its name.
set -eu
in=$1 out=$2
shift 2
for name in "$@"; do
    cp -R "$in/$name" "$out/$name"
done
printf 'greeting: %s' "$GREETING"
