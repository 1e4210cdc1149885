"""Trust policies for tests, and several signers of one package."""
import base64

import openssl
from steps import run


def suffix_of(public):
    """What the bundles of a further signer are named by: the beginning of the SHA-256 of the key's DER."""
    return "." + base64.b64decode(openssl.key_id(public)).hex()[:16]


def rule(keys, threshold=1, names=None):
    """One rule; a key is a path, or (path, not_after)."""
    entries = []
    for key in keys:
        path, end = key if isinstance(key, tuple) else (key, None)
        entries.append(f"      - {{file: {path}{f', not_after: {end}' if end else ''}}}\n")
    return f"  - names: {names or ['*']}\n    threshold: {threshold}\n    keys:\n{''.join(entries)}"


def write_policy(path, revoked=(), **roles):
    """A policy of `role=[rule, …]`."""
    text = "version: 1\n" + "".join(f"{role}:\n{''.join(rules)}" for role, rules in roles.items())
    if revoked:
        text += f"revoked: {list(revoked)}\n"
    path.write_text(text)
    return path


class Signers:
    """Keys by name, and signing with them in turn."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = {}

    def __getitem__(self, name):
        if name not in self.keys:
            kind = name if name in ("rsa", "ed25519") else "ecdsa-p256"
            self.keys[name] = openssl.key_pair(self.folder, f"{name}-signer", kind)
        return self.keys[name]

    def public(self, *names):
        return [self[name][1] for name in names]

    def id(self, name):
        return openssl.key_id(self[name][1])

    def sign(self, package, *names):
        for name in names:
            done = run("sign", package, "--key", self[name][0])
            assert done.code == 0, done
