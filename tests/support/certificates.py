"""Certificates for a test's own TLS server."""
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
