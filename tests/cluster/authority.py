"""The certificates and kubeconfigs of one cluster, made with OpenSSL's command line; Kubernetes documentation, "PKI certificates and requirements"."""
import json
import subprocess
from pathlib import Path


class Authority:
    """One certificate authority for servers and clients alike: `ca.crt`, and `<name>.crt` with `<name>.key` for each."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def path(self, name):
        return self.folder / name

    def make(self):
        self.folder.mkdir(parents=True, mode=0o700)
        self._key("ca")
        self._openssl("req", "-new", "-x509", "-key", self.path("ca.key"), "-subj", "/CN=capsule-test-ca", "-days", "30", "-out", self.path("ca.crt"))
        self._key("service-accounts")
        self._openssl("pkey", "-in", self.path("service-accounts.key"), "-pubout", "-out", self.path("service-accounts.pub"))

    def server(self, name, *alternatives):
        self._signed(name, f"/CN={name}", "serverAuth", alternatives)

    def client(self, name, user, group=None):
        self._signed(name, f"/O={group}/CN={user}" if group else f"/CN={user}", "clientAuth", ())

    def kubeconfig(self, name, server):
        """A kubeconfig whose user is the client certificate `name`."""
        one = lambda kind, value: [{"name": "capsule", kind: value}]
        document = {
            "apiVersion": "v1", "kind": "Config", "current-context": "capsule",
            "clusters": one("cluster", {"server": server, "certificate-authority": str(self.path("ca.crt"))}),
            "users": one("user", {"client-certificate": str(self.path(f"{name}.crt")), "client-key": str(self.path(f"{name}.key"))}),
            "contexts": one("context", {"cluster": "capsule", "user": "capsule"}),
        }
        path = self.path(f"{name}.kubeconfig")
        path.write_text(json.dumps(document), encoding="ascii")
        path.chmod(0o600)
        return path

    def _signed(self, name, subject, usage, alternatives):
        self._key(name)
        request, extensions = self.path(f"{name}.csr"), self.path(f"{name}.ext")
        lines = [f"extendedKeyUsage={usage}", *([f"subjectAltName={','.join(alternatives)}"] if alternatives else [])]
        extensions.write_text("\n".join(lines) + "\n", encoding="ascii")
        self._openssl("req", "-new", "-key", self.path(f"{name}.key"), "-subj", subject, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.path("ca.crt"), "-CAkey", self.path("ca.key"), "-CAcreateserial",
                      "-extfile", extensions, "-days", "30", "-out", self.path(f"{name}.crt"))

    def _key(self, name):
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path(f"{name}.key"))

    @staticmethod
    def _openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
