#!/bin/sh
# Makes the virtual environments of the tools compared with, under .local/bench. Their code is installed, not copied.
set -eu
cd "$(dirname "$0")/../.."
for tool in 'dlt dlt[postgres]==1.31.0' 'msgraph msgraph-sdk==1.65.0 azure-identity==1.27.0' 'cairn cairn-sync==1.3.1'; do
    set -- $tool
    home=.local/bench/$1
    shift
    [ -e "$home/ready" ] && continue
    "${PYTHON:-python3}" -m venv --clear "$home"
    "$home/bin/pip" install --quiet --quiet --disable-pip-version-check "$@"
    touch "$home/ready"
done
