#!/usr/bin/env bash
# Gradescope runs this script once, when it builds the image. It installs everything that grading needs.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
export DEBIAN_FRONTEND=noninteractive

apt-get update
apt-get install -y --no-install-recommends bubblewrap util-linux

# Python 3.11 or newer: the image's own, or the first one in its package list.
python=""
for version in 3.13 3.12 3.11; do
    if command -v "python$version" >/dev/null || apt-get install -y "python$version"; then
        apt-get install -y "python$version-venv"
        python="python$version"
        break
    fi
done
if [ -z "$python" ]; then
    echo "This image has no Python 3.11 or newer: choose a newer Ubuntu in the assignment's autograder settings." >&2
    exit 1
fi

"$python" -m venv "$root/venv"
pip="$root/venv/bin/pip install --quiet --constraint $root/source/constraints.txt"
$pip --index-url https://download.pytorch.org/whl/cpu torch
$pip "$root/source[grading]"

# Only root may read the solutions, whether or not the sandbox works.
chmod 0700 "$root/source"
"$root/venv/bin/python" -m autograder gradescope --prepare
