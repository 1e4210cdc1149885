#!/usr/bin/env bash
# build.sh OUT – the Kubernetes, etcd and containerd that the cluster's tests run on, as the Go tools of the two go.mod
# files, into OUT. Minutes when Go's build cache is cold, seconds afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1")
mkdir -p "$out"

# The version that the binaries tell each other: without it the kubelet refuses the API server's.
version=$(sed -n 's|^.*k8s.io/kubernetes \(v[0-9.]*\).*$|\1|p' "$here/kubernetes/go.mod")
IFS=. read -r major minor _ <<<"${version#v}"
stamp=''
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  stamp+=" -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
done

# build FOLDER TAGS PACKAGE… – each package of one go.mod, named like its last path element
build() {
  local folder=$1 tags=$2 package
  shift 2
  for package; do
    local name=${package##*/}
    [ "$name" != v3 ] || name=etcd
    (cd "$here/$folder" && CGO_ENABLED=0 go build -trimpath -tags "$tags" -ldflags "-s -w$stamp" -o "$out/$name" "$package")
  done
}
build kubernetes '' go.etcd.io/etcd/server/v3 \
  k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl}
build containerd no_btrfs github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
