"""Certificates for a test's own TLS server, and of hosts."""
import hashlib
import subprocess
from pathlib import Path


def make_certificate(folder, name, subject_alternative="IP:127.0.0.1,DNS:localhost", days=2):
    """(certificate, key) files, self-signed; a negative number of days makes one that is expired."""
    certificate, key = Path(folder) / f"{name}.pem", Path(folder) / f"{name}.key"
    request = Path(folder) / f"{name}.csr"
    extensions = Path(folder) / f"{name}.ext"
    extensions.write_text(f"subjectAltName={subject_alternative}\n", encoding="ascii")
    run = lambda *arguments: subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    run("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
    run("x509", "-req", "-in", request, "-key", key, "-extfile", extensions, "-out", certificate, "-days", str(days))
    return certificate, key


# The extended key usage of a host certificate, as lib/deploy/host_identity.hpp has it.
HOST_USAGE = "2.25.884494138300892562203593607576801996"


class HostAuthority:
    """Keys and certificates of hosts, made with OpenSSL's command line."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.count = 0

    def _openssl(self, *arguments):
        return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    def key(self, curve="prime256v1"):
        """A private key's file."""
        self.count += 1
        key = self.folder / f"host-{self.count}.key"
        self._openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", key)
        return key

    def public(self, key):
        return self._openssl("pkey", "-in", key, "-pubout")

    def key_digest(self, key):
        """SHA-256 of the DER SubjectPublicKeyInfo, as a trust policy revokes it."""
        der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        return "sha256:" + hashlib.sha256(der).hexdigest()

    def certificate(self, key, issuer_key, name, extensions, issuer=None, days=2, digest="sha256"):
        """PEM text; `issuer` is the certificate above, None: the issuer has a key alone."""
        self.count += 1
        base = self.folder / f"host-{self.count}"
        request, config, out = base.with_suffix(".csr"), base.with_suffix(".ext"), base.with_suffix(".pem")
        config.write_text("\n".join(extensions) + "\n", encoding="ascii")
        self._openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        if issuer is None:  # signed by the bare key, under a name that nobody looks at
            issuer_file = base.with_suffix(".issuer.pem")
            self._openssl("req", "-new", "-x509", "-key", issuer_key, "-subj", "/CN=authority", "-out", issuer_file)
        else:
            issuer_file = base.with_suffix(".issuer.pem")
            issuer_file.write_text(issuer, encoding="ascii")
        self._openssl("x509", "-req", "-in", request, "-CA", issuer_file, "-CAkey", issuer_key, "-set_serial", self.count,
                      f"-{digest}", "-extfile", config, "-days", str(days), "-out", out)
        return out.read_text(encoding="ascii")

    def self_signed(self, key, name, extensions):
        self.count += 1
        base = self.folder / f"host-{self.count}"
        request, config, out = base.with_suffix(".csr"), base.with_suffix(".ext"), base.with_suffix(".pem")
        config.write_text("\n".join(extensions) + "\n", encoding="ascii")
        self._openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        self._openssl("x509", "-req", "-in", request, "-key", key, "-extfile", config, "-days", "2", "-out", out)
        return out.read_text(encoding="ascii")


def host_extensions(utid, node_id, usage=HOST_USAGE, more=()):
    return [f"subjectAltName=URI:{utid},URI:node-uid:{node_id}", f"extendedKeyUsage={usage}", "basicConstraints=CA:FALSE", *more]
