"""The one node: containerd, kubelet, kube-proxy; their files are all under one folder."""
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from network import NODE, PODS

PAUSE = "capsule-loop.test/pause:1"
# The registry that runs beside the node: pods, the kubelet and tests reach it under the same name.
REGISTRY = f"{NODE}:5000"


class Node:
    def __init__(self, name, folder, binaries, authority, image_volumes, control_group):
        self.name, self.folder, self.binaries, self.authority = name, Path(folder), Path(binaries), authority
        self.image_volumes, self.control_group = image_volumes, control_group
        self.socket = self.folder / "containerd.sock"

    def write_files(self):
        for part in ("cni", "registries", "kubelet", "logs"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self._write_json("cni/10-capsule.conflist", {
            "cniVersion": "0.4.0", "name": "capsule",
            "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True,
                         "ipam": {"type": "host-local", "dataDir": str(self.folder / "addresses"),
                                  "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}},
                        {"type": "portmap", "capabilities": {"portMappings": True}}]})
        self._write_json("registry.json", {
            "version": 0.1, "log": {"level": "warn"}, "http": {"addr": REGISTRY, "secret": "of this cluster alone"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "registry")}, "delete": {"enabled": True}}})
        hosts = self.folder / "registries" / REGISTRY
        hosts.mkdir(exist_ok=True)
        (hosts / "hosts.toml").write_text(f'server = "http://{REGISTRY}"\n', encoding="ascii")
        (self.folder / "containerd.toml").write_text(self._containerd(), encoding="ascii")
        self._write_json("kubelet.json", self._kubelet())
        self._write_json("kube-proxy.json", {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables", "clusterCIDR": PODS,
            "bindAddress": NODE, "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
            "clientConnection": {"kubeconfig": str(self.authority.path("kube-proxy.kubeconfig"))}, "hostnameOverride": self.name,
            # The limits of connection tracking belong to the host.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}})

    def containerd(self):
        return ["containerd", "--config", self.folder / "containerd.toml"]

    def kubelet(self):
        return ["kubelet", f"--config={self.folder / 'kubelet.json'}", f"--kubeconfig={self.authority.path('kubelet.kubeconfig')}",
                f"--hostname-override={self.name}", f"--node-ip={NODE}", f"--root-dir={self.folder / 'kubelet'}",
                f"--cert-dir={self.folder / 'kubelet/pki'}"]

    def proxy(self):
        return ["kube-proxy", f"--config={self.folder / 'kube-proxy.json'}"]

    def registry(self):
        """Debian's docker-registry on the node's address, without TLS."""
        return ["/usr/bin/docker-registry", "serve", self.folder / "registry.json"]

    def ctr(self, *words):
        done = self._ctr(*words)
        assert done.returncode == 0, done
        return done.stdout

    def _ctr(self, *words):
        return subprocess.run([str(word) for word in (self.binaries / "ctr", "--address", self.socket, "--namespace", "k8s.io", *words)],
                              capture_output=True, text=True, timeout=120, check=False)

    def import_pause(self):
        """An image of one static program, made here: nothing is pulled."""
        program, archive = self.folder / "pause", self.folder / "pause.tar"
        subprocess.run(["gcc", "-static", "-Os", "-s", "-o", program, Path(__file__).with_name("pause.c")], check=True)
        write_archive(archive, PAUSE, {"pause": program.read_bytes()}, ["/pause"])
        self.ctr("images", "import", archive)

    def end_tasks(self, seconds=30):
        """All containers, in good order as far as containerd still takes part: what is left then is killed with the control group."""
        if not self.socket.exists():
            return  # it has just been started
        until, said = time.monotonic() + seconds, ""
        try:
            # One that ends by itself meanwhile is an error to whoever deletes it; it counts what is there afterwards.
            while listed := self.ctr("tasks", "list", "--quiet").split():
                if time.monotonic() > until:
                    print(f"containerd does not end its containers, they are killed: {said}", file=sys.stderr)
                    return
                for task in listed:
                    done = self._ctr("tasks", "delete", "--force", task)
                    said = done.stderr.strip()
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            print(f"containerd does not end its containers, they are killed: {error}", file=sys.stderr)

    def remove_log_links(self):
        """The kubelet keeps links to the logs in a folder that is the same for all kubelets."""
        for link in Path("/var/log/containers").glob("*.log"):
            if link.is_symlink() and link.readlink().is_relative_to(self.folder):
                link.unlink()

    def unmount(self):
        """Whatever is mounted below the folder, the innermost first."""
        points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
        for point in sorted((point for point in points if point.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)

    def _containerd(self):
        return f"""version = 3
root = "{self.folder}/containerd"
state = "{self.folder}/containerd-state"
disabled_plugins = ["io.containerd.nri.v1.nri"]
[grpc]
  address = "{self.socket}"
[ttrpc]
  address = "{self.socket}.ttrpc"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{PAUSE}"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "{self.folder}/registries"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "{self.folder}/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  BinaryName = "/usr/sbin/runc"
  Root = "{self.folder}/runc"
  SystemdCgroup = false
"""

    def _kubelet(self):
        path = lambda name: str(self.authority.path(name))
        return {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "address": NODE,
                "containerRuntimeEndpoint": f"unix://{self.socket}", "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{self.control_group}", "failCgroupV1": False, "failSwapOn": False,
                "enforceNodeAllocatable": [], "resolvConf": "", "readOnlyPort": 0, "healthzPort": 0, "podLogsDir": str(self.folder / "logs"),
                "volumePluginDir": str(self.folder / "plugins"), "featureGates": {"KubeletInUserNamespace": True, "ImageVolume": self.image_volumes},
                "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
                "imageGCHighThresholdPercent": 100, "serializeImagePulls": False,
                "tlsCertFile": path("kubelet-server.crt"), "tlsPrivateKeyFile": path("kubelet-server.key"),
                "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": path("ca.crt")}},
                "authorization": {"mode": "Webhook"}}

    def _write_json(self, name, document):
        (self.folder / name).write_text(json.dumps(document, indent=1), encoding="ascii")


def write_archive(path, tag, files, command):
    """A docker archive of one layer: each file is a program at the root."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Entrypoint": command, "User": "65532:65532"},
                         "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for name, content in (("layer.tar", layer.getvalue()), ("config.json", config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
