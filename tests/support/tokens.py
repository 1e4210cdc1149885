"""A PKCS#11 token of SoftHSM in a folder of its own, with keys that are made on it."""
import os
import re
import subprocess
import urllib.parse
from pathlib import Path

import openssl

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
KINDS = {"ecdsa-p256": "EC:prime256v1", "ecdsa-p384": "EC:secp384r1", "rsa": "rsa:2048", "ed25519": "EC:edwards25519",
         "secp256k1": "EC:secp256k1"}
# By the size of the point: what stands before it in a SubjectPublicKeyInfo (P-256, P-384, Ed25519).
HEADS = {65: "3059301306072a8648ce3d020106082a8648ce3d030107034200", 97: "3076301006072a8648ce3d020106052b81040022036200",
         32: "302a300506032b6570032100"}


class SoftHsm:
    """A configuration folder; tokens are made in it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "tokens").mkdir(parents=True)
        self.configuration = self.folder / "softhsm2.conf"
        self.configuration.write_text(f"directories.tokendir = {self.folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.variables = {"SOFTHSM2_CONF": str(self.configuration)}

    def call(self, *words):
        done = subprocess.run([*map(str, words)], env={**os.environ, **self.variables}, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{words[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def token(self, label="capsules", pin="pin-5f0c19e7"):
        self.call("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "so-" + pin)
        return Token(self, label, pin)


class Token:
    def __init__(self, hsm, label, pin):
        self.hsm, self.label, self.pin = hsm, label, pin
        self.pin_file = hsm.folder / f"pin-of-{urllib.parse.quote(label, safe='')}"
        self.pin_file.write_text(pin + "\n")
        self.pin_file.chmod(0o600)

    def tool(self, *words):
        return self.hsm.call("pkcs11-tool", "--module", MODULE, "--token-label", self.label, "--login", "--pin", self.pin, *words)

    def generate(self, label, kind="ecdsa-p256", key_id="01", *more):
        """A key pair that the token makes; its private half never leaves it."""
        self.tool("--keypairgen", "--key-type", KINDS[kind], "--label", label, "--id", key_id, *more)
        return self

    def public_key(self, key_id="01"):
        """Its public half as a PEM file. pkcs11-tool reads P-256 and RSA keys; of others it shows the point."""
        der, pem = self.hsm.folder / f"{key_id}.der", self.hsm.folder / f"{key_id}.pub.pem"
        shown = re.split(r"^(?=Public Key Object)", self.tool("--list-objects", "--type", "pubkey"), flags=re.M)
        block = next(text for text in shown if re.search(rf"^ +ID: +{key_id}$", text, re.M))
        point = re.search(r"EC_POINT: +04(?:41|61|20)([0-9a-f]+)$", block, re.M)
        if point:
            der.write_bytes(bytes.fromhex(HEADS[len(point.group(1)) // 2] + point.group(1)))
        else:
            self.tool("--read-object", "--type", "pubkey", "--id", key_id, "--output-file", der)
        pem.write_bytes(openssl.must("pkey", "-pubin", "-inform", "DER", "-in", der))
        return pem

    def hide_public_key(self, label, key_id):
        """Its public half becomes an object that only its user sees."""
        der = self.hsm.folder / f"{key_id}.der"
        self.tool("--read-object", "--type", "pubkey", "--id", key_id, "--output-file", der)
        self.tool("--delete-object", "--type", "pubkey", "--id", key_id)
        self.tool("--write-object", der, "--type", "pubkey", "--id", key_id, "--label", label, "--private")

    def uri(self, label=None, key_id=None, pin_source=True, module=MODULE, **more):
        """The URI of one of its keys."""
        quoted = {name: urllib.parse.quote(str(value), safe="") for name, value in
                  {"token": self.label, "object": label, **more}.items() if value is not None}
        path = ";".join(f"{name}={value}" for name, value in quoted.items())
        if key_id is not None:
            path += ";id=" + "".join("%" + key_id[i:i + 2] for i in range(0, len(key_id), 2))
        query = [f"pin-source=file:{self.pin_file}"] * bool(pin_source) + [f"module-path={module}"] * bool(module)
        return f"pkcs11:{path}" + ("?" + "&".join(query) if query else "")


class FaultyModule:
    """A module in front of SoftHSM's (faulty_token.c): it counts, and it fails when it is told to."""

    def __init__(self, path, log):
        self.path, self.log = path, log

    def variables(self, fault=""):
        return {"FAULTY_REAL": str(MODULE), "FAULTY_LOG": str(self.log), "FAULTY_FAULT": fault}

    def logged(self, what):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [int(line.split()[1]) for line in lines if line.split()[0] == what]


def faulty_module(folder):
    path = Path(folder) / "faulty.so"
    include = subprocess.run(["pkg-config", "--cflags", "p11-kit-1"], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", *include,
                    Path(__file__).with_name("faulty_token.c"), "-o", path], check=True)
    return FaultyModule(path, Path(folder) / "calls")
