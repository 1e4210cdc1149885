"""What a person would check by hand, with OpenSSL's command line."""
import base64
import hashlib
import subprocess
import tempfile
from pathlib import Path


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)


def must(*arguments):
    done = openssl(*arguments)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def key_pair(folder, name, kind="ecdsa-p256", passphrase_file=None):
    """(private, public): PEM files that OpenSSL made."""
    options = {"ecdsa-p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
               "ecdsa-p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
               "rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ed25519": ["ED25519"]}[kind]
    private, public = Path(folder) / f"{name}.pem", Path(folder) / f"{name}.pub.pem"
    sealed = ["-aes-256-cbc", "-pass", f"file:{passphrase_file}"] if passphrase_file else []
    must("genpkey", "-algorithm", *options, *sealed, "-out", private)
    opened = ["-passin", f"file:{passphrase_file}"] if passphrase_file else []
    must("pkey", "-in", private, *opened, "-pubout", "-out", public)
    return private, public


def verifies(public, message, signature):
    """Whether SIGNATURE is the key's over the bytes MESSAGE."""
    with tempfile.TemporaryDirectory() as folder:
        data, sig = Path(folder) / "message", Path(folder) / "signature"
        data.write_bytes(message)
        sig.write_bytes(signature)
        if b"ED25519" in must("pkey", "-pubin", "-in", public, "-noout", "-text"):
            done = openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-sigfile", sig, "-in", data)
        else:
            done = openssl("dgst", "-sha256", "-verify", public, "-signature", sig, data)
        return done.returncode == 0


def key_id(public):
    """Base64 of the SHA-256 of the DER SubjectPublicKeyInfo."""
    spki = must("pkey", "-pubin", "-in", public, "-outform", "DER")
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()
