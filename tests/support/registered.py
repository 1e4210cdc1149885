"""A capsule that is published, proven, anchored and registered, and whoever holds all of its keys and lies with them.

    registered = Registered(folder)
    registered.register()
    registered.forge(lambda statement: ...)      # signs another proof bundle and has the index name it
    registered.verify()                          # as a stranger: registry and trust policy, nothing else
"""
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

from openssl import key_id
from oci_layout import Layout, sha256
from proof_maker import CLAIMS, SAMPLE_HOOKS, ProofMaker, hook
from steps import environment, run

sys.path.append(str(SAMPLE_HOOKS))
import alignment  # noqa: E402
from canonical import canonical  # noqa: E402
from canonical import digest as digest_of  # noqa: E402

REFERENCE_NAME = "org.opencontainers.image.ref.name"


def with_record(value, record):
    """A claim with the record's numbers in place of {"record": pointer}."""
    if isinstance(value, dict) and set(value) == {"record"}:
        found = record
        for key in value["record"].split("/")[1:]:
            found = found[key]
        return found
    if isinstance(value, dict):
        return {key: with_record(member, record) for key, member in value.items()}
    return [with_record(member, record) for member in value] if isinstance(value, list) else value


def statistics(samples, reference, seed):
    """What a sim_alignment says of samples, each number as it is."""
    d, p = alignment.kolmogorov_smirnov(samples, reference)
    low, high = alignment.bootstrap(samples, reference, seed)
    return {"samples_digest": digest_of(samples), "reference_digest": digest_of(reference), "ks": {"d": d, "p": p},
            "cohens_d": alignment.cohens_d(samples, reference),
            "bootstrap": {"low": low, "high": high, "draws": 2000, "seed": seed}}


def opened(bundle):
    """The statement in a Sigstore bundle."""
    return json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))


def signed(statement, key, public):
    """A Sigstore bundle with that statement, signed by OpenSSL (ECDSA)."""
    payload_type, payload = "application/vnd.in-toto+json", json.dumps(statement, separators=(",", ":")).encode()
    message = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=message, capture_output=True, check=True).stdout
    return json.dumps({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                       "verificationMaterial": {"publicKey": {"hint": key_id(public)}},
                       "dsseEnvelope": {"payload": base64.b64encode(payload).decode(), "payloadType": payload_type,
                                        "signatures": [{"sig": base64.b64encode(signature).decode()}]}}).encode()


class Registered(ProofMaker):
    def __init__(self, folder):
        super().__init__(folder)
        self.index_key, self.index_public_key = self.make_key("index")
        self.log_key, log_public_key = self.make_key("log-key", "ed25519")
        self.log = self.folder / "log"
        with self.trust.open("a") as file:
            file.write(f"index:\n  - keys: [{{file: {self.index_public_key}}}]\nlog:\n  - keys: [{{file: {log_public_key}}}]\n")

    def register(self, text=None, record=None, **published):
        """The whole way of one honest run; gives its uri. `text` is the hook."""
        self.reference = self.publish(text or hook(), published.pop("claims", CLAIMS), **published)
        self.run_record = self.record(**(record or {}))
        return self.finish()

    def finish(self):
        """Proves, anchors and registers `self.run_record` of `self.reference`."""
        common = ["--trust", self.trust, "--state", self.state]
        proven = self.prove(self.reference, self.run_record)
        assert proven.code == 0, proven
        self.bundle = proven.result["proof_bundle"]
        anchored = run("anchor", "--proof-bundle", self.bundle, "--log", self.log, "--log-key", self.log_key, *common, "--", self.reference)
        assert anchored.code == 0, anchored
        self.receipts = anchored.result["receipts"]
        done = run("register", "--proof-bundle", self.bundle, "--receipts", self.receipts, "--key", self.index_key, *common, "--",
                   self.reference)
        assert done.code == 0, done
        self.uri = done.result["uri"]
        return self.uri

    def seen_place(self):
        """Where a stranger finds it."""
        return f"oci-layout:{self.registry}"

    def verify(self, *more, uri=None, home=None, trust=None):
        """As a stranger does: a home and a state of its own (or `home`), the registry, and whom to trust."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            home = home or Path(name)
            home.chmod(0o755)
            return run("verify", uri or self.uri, "--registry", self.seen_place(), "--trust", trust or self.trust,
                       "--state", home / "state", *more, env=environment(HOME=str(home)))

    # What a liar does, who holds the keys.

    def layout(self):
        return Layout(self.registry / self.name)

    def blob(self, digest):
        return (self.registry / self.name / "blobs/sha256" / digest.split(":")[1]).read_bytes()

    def put(self, data):
        digest = sha256(data)
        (self.registry / self.name / "blobs/sha256" / digest.split(":")[1]).write_bytes(data)
        return {"digest": digest, "size": len(data)}

    def statement(self, digest=None):
        """The statement of a proof bundle, to be changed."""
        return opened(self.blob(digest or self.bundle))

    def forge(self, change, key=None):
        """The proof bundle with `change` made to its statement, signed; the index names it. Gives the digest."""
        statement = self.statement()
        change(statement)
        private, public = key or (self.proof_key, self.proof_public_key)
        bundle = self.put(signed(statement, private, public))["digest"]
        self.reindex(record=lambda record: record.update(proof={"id": statement["predicate"]["proof_id"], "digest": bundle}, anchors=[]))
        return bundle

    def retold(self, **changes):
        """A change for forge: the bundle is about another record, as consistent as a liar can make it."""
        digest = self.record(**changes)
        record = json.loads(self.blob(digest))
        claims = json.loads(self.source("proof-hooks/claims.json"))
        reference = json.loads(self.source("simulation/reference.json"))["samples"]

        def change(statement):
            for subject in statement["subject"]:
                if subject["name"] == "run-record":
                    subject["digest"] = {"sha256": digest.split(":")[1]}
            statement["predicate"]["proof_hash"] = digest_of(
                {"capsule_digest": self.digest, "claims_digest": sha256(self.source("proof-hooks/claims.json")),
                 "run_record_digest": digest})
            for piece in statement["predicate"]["evidence"]:
                if piece["type"] == "sim_alignment":
                    piece.update(statistics(record["result"]["samples"], reference, record["seed"]))
                else:
                    piece["claims"] = [with_record(claim, record) for claim in claims["claims"] if claim["type"] != "sim_alignment"]
        return change

    def source(self, path):
        """A file of the capsule's folder."""
        return (self.folder / f"{self.name}-{self.version}" / path).read_bytes()

    def reindex(self, record=None, head=None, key=None):
        """Changes the record of the version, then the head of the index, and signs both."""
        private, public = key or (self.index_key, self.index_public_key)
        name = f"index-v-{self.version}"
        layout = self.layout()
        manifests = {tag: layout.document(layout.tagged(tag)) for tag in (name, "index")}
        statements = {tag: opened(layout.blob(manifest["layers"][0])) for tag, manifest in manifests.items()}
        if record:
            record(statements[name]["predicate"])
        self._sign_again(statements[name])
        changed = self.put(signed(statements[name], private, public))
        top = statements["index"]["predicate"]
        first = hashlib.sha256(self.version.encode()).digest()[0]
        number = f"{first & 0xff00 >> top['page_bits'] & 0xff:02x}"
        page = json.loads(self.blob(top["pages"][number]["digest"]))
        page[self.version] = changed
        top["pages"][number] = self.put(canonical(page).encode())
        before = {"sequence": top["sequence"], "digest": manifests["index"]["layers"][0]["digest"]}
        top.update(sequence=top["sequence"] + 1, previous=before["digest"], history=[before, *top.get("history", [])][:32])
        if head:
            head(top)
        self._sign_again(statements["index"])
        self._tag(name, manifests[name], [changed])
        self._tag("index", manifests["index"], [self.put(signed(statements["index"], private, public)), *top["pages"].values()])

    @staticmethod
    def _sign_again(statement):
        """The subjects of a record are what it is about, that of a head the digest of what it says."""
        said = statement["predicate"]
        about = {"capsule": said.get("digests", {}).get("capsule"), "version-index": said.get("digests", {}).get("index"),
                 "index": digest_of(said)}
        for subject in statement["subject"]:
            subject["digest"] = {"sha256": about[subject["name"]].split(":")[1]}

    def _tag(self, tag, manifest, layers):
        types = [layer["mediaType"] for layer in manifest["layers"]]
        document = {**manifest, "layers": [{"mediaType": types[min(i, len(types) - 1)], **layer} for i, layer in enumerate(layers)]}
        descriptor = self.put(json.dumps(document, separators=(",", ":")).encode())
        path = self.registry / self.name / "index.json"
        index = json.loads(path.read_text())
        for entry in index["manifests"]:
            if entry.get("annotations", {}).get(REFERENCE_NAME) == tag:
                entry.update(descriptor)
        head, _, rest = json.dumps({**index, "manifests": []}, separators=(",", ":")).partition("[]")
        lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in index["manifests"])
        path.write_text(f"{head}[\n{lines}\n]{rest}\n")


def days_ago(days):
    return (datetime.now(timezone.utc) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
