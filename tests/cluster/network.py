"""The one network namespace that the whole cluster lives in: on the host itself nothing changes."""
import subprocess

NODE = "10.99.0.1"
PODS = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"


class Network:
    def __init__(self, name):
        self.name = name
        # Not `ip netns exec`: that lays a new /sys over the old one, and the kubelet no longer finds its cgroups.
        self.enter = ["nsenter", f"--net=/run/netns/{name}", "--"]

    def exists(self):
        listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
        return self.name in {line.split()[0] for line in listed.splitlines()}

    def make(self):
        self._run("ip", "netns", "add", self.name)
        inside = lambda *words: self._run(*self.enter, *words)
        inside("ip", "link", "set", "lo", "up")
        inside("ip", "link", "add", "capd0", "type", "bridge")
        inside("ip", "address", "add", f"{NODE}/32", "dev", "capd0")
        inside("ip", "link", "set", "capd0", "up")
        # A route to everywhere: without one, the kubelet and Go's resolver do not find an address of this node.
        inside("ip", "route", "add", "default", "dev", "capd0")
        inside("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

    def delete(self):
        if self.exists():
            self._run("ip", "netns", "delete", self.name)

    @staticmethod
    def _run(*words):
        subprocess.run(words, check=True, capture_output=True, text=True)
