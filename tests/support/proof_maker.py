"""A small capsule with claims and a proof hook, published, and run records of any kind for it."""
import hashlib
import json
import shutil
from pathlib import Path

from capsule_maker import Maker
from oci_layout import BUNDLE, INDEX, Layout
from steps import SOURCE, environment, run, start

SAMPLE_HOOKS = SOURCE / "tests/capsules/m2n2-metal/proof-hooks"

CLAIMS = {
    "version": 1,
    "variables": {"x": {"min": 0, "max": 1}, "y": {"min": 0, "max": 1}},
    # 1 at x = y = 0.5. Each variable stands there twice, so that a proof needs halving.
    "definitions": {"score": {"add": [{"mul": [2, "x", {"sub": [1, "x"]}]}, {"mul": [2, "y", {"sub": [1, "y"]}]}]}},
    "claims": [
        {"name": "score-is-objective", "type": "compare", "left": {"record": "/result/score"}, "relation": "=",
         "right": {"at": {"x": {"record": "/result/params/x"}, "y": {"record": "/result/params/y"}}, "value": "score"},
         "tolerance": 1e-9},
        {"name": "near-optimal", "type": "forall", "left": "score", "relation": "<=",
         "right": {"add": [{"record": "/result/score"}, 0.1]}},
        {"name": "like-the-reference", "type": "sim_alignment", "samples": "/result/samples",
         "reference": "simulation/reference.json", "reference_pointer": "/samples", "max_effect_size": 0.8, "min_p": 0.01},
    ],
}
REFERENCE = {"samples": [1.0, 1.5, 2.5, 2.0, 3.0, 2.25]}
RESULT = {"params": {"x": 0.5, "y": 0.5}, "score": 1.0, "samples": [1.25, 1.75, 2.0, 2.5, 2.75]}

def seeded(result=RESULT, seed=7):
    """A runner that gives `result` for `seed`. For another its samples are other ones, a little: all else is the same."""
    return f"""#!/usr/bin/env python3
import json
import sys
asked = json.loads(sys.stdin.readline())
result = json.loads({json.dumps(json.dumps(result))})
result["samples"][0] += (asked["seed"] - {seed}) % 2**20 / 2**24
print(json.dumps(result))
"""


RUNNER = seeded()


def samples_of(seed):
    """What RUNNER draws with it."""
    return [RESULT["samples"][0] + (seed - 7) % 2**20 / 2**24, *RESULT["samples"][1:]]


# An honest hook. A test replaces `# before`, `# after` or `# answer` by what goes wrong.
HOOK = '''#!/usr/bin/env python3
import json, os, sys, urllib.request
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import alignment
from canonical import digest

# before
root, out = os.environ["CAPSULE_ROOT"], os.environ["CAPSULE_OUT"]
record = json.load(open(os.environ["CAPSULE_RUN_RECORD"]))
hooks = os.path.dirname(os.path.abspath(__file__))
claims = json.load(open(os.path.join(hooks, "claims.json")))
result = record["result"]

def put_in(value):
    if isinstance(value, dict) and set(value) == {"record"}:
        for key in value["record"].split("/")[1:]:
            found = (found if "found" in locals() else record)[key]
        return found
    if isinstance(value, dict):
        return {key: put_in(member) for key, member in value.items()}
    return [put_in(member) for member in value] if isinstance(value, list) else value

def tree(low, high, depth=0):
    upper = sum(2 * b * (1 - a) for a, b in zip(low, high))
    if upper + 1e-9 <= result["score"] + 0.1 or depth > 14:
        return "."
    side = depth % 2
    middle = low[side] * 0.5 + high[side] * 0.5
    left, right = list(high), list(low)
    left[side], right[side] = middle, middle
    return "ab"[side] + tree(low, left, depth + 1) + tree(right, high, depth + 1)

evidence = []
if any(claim["type"] != "sim_alignment" for claim in claims["claims"]):
    certificates = [{"claim": claim["name"], "type": "bisection", "tree": tree([0, 0], [1, 1])}
                    for claim in claims["claims"] if claim["type"] == "forall"]
    evidence.append({"type": "mathematical_proof", "variables": claims["variables"], "definitions": put_in(claims["definitions"]),
                     "claims": [put_in(claim) for claim in claims["claims"] if claim["type"] != "sim_alignment"],
                     "certificates": certificates})
for claim in claims["claims"]:
    if claim["type"] != "sim_alignment":
        continue
    samples, reference = result["samples"], json.load(open(os.path.join(root, claim["reference"])))["samples"]
    d, p = alignment.kolmogorov_smirnov(samples, reference)
    low, high = alignment.bootstrap(samples, reference, record["seed"])
    evidence.append({"type": "sim_alignment", "claim": claim["name"], "samples_digest": digest(samples),
                     "reference_digest": digest(reference), "ks": {"d": d, "p": p},
                     "cohens_d": alignment.cohens_d(samples, reference),
                     "bootstrap": {"low": low, "high": high, "draws": 2000, "seed": record["seed"]}})
# after

def post(path, body):
    request = urllib.request.Request(os.environ["PROOF_SERVICE_URL"] + path, json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "X-UTID": os.environ["CAPSULE_UTID"]})
    return json.load(urllib.request.urlopen(request, timeout=30))

asked = {"title": "test", "requester": {"who": "test"}, "artifacts": [], "proof_types": ["mathematical_proof"],
         "proof_hash": os.environ["CAPSULE_PROOF_HASH"]}
answer = {"proof_id": post("/v1/proofs/generate", asked)["proof_id"], "evidence": evidence}
# answer
with open(os.path.join(out, "proof.json"), "w") as file:
    json.dump(answer, file)
'''


def hook(before="", after="", answer=""):
    return HOOK.replace("# before", before).replace("# after", after).replace("# answer", answer)


class ProofMaker(Maker):
    """A published capsule, keys, a trust policy and a state folder, all below `folder`."""

    def __init__(self, folder):
        super().__init__(folder)
        self.proof_key, self.proof_public_key = self.make_key("proof")
        self.state = self.folder / "state"
        self.trust = self.folder / "trust.yaml"
        self.trust.write_text(f"version: 1\ncapsule:\n  - keys: [{{file: {self.public_key}}}]\n"
                              f"proof:\n  - keys: [{{file: {self.proof_public_key}}}]\n")
        self.registry = self.folder / "registry"
        self.place = None

    @property
    def location(self):
        """Of the registry: the folder, or `place` where that was set."""
        return self.place or f"oci-layout:{self.registry}"

    def publish(self, text=None, claims=CLAIMS, name="probe", version="1.0.0", folder="proof-hooks", reference=REFERENCE,
                runner=RUNNER, extra=None, **manifest):
        """Gives the reference by digest. The hook is `text`; None leaves it out."""
        files = {"expansion/m/runner.py": runner.encode(), "simulation/reference.json": json.dumps(reference).encode(),
                 **(extra or {})}
        for shared in ("alignment.py", "canonical.py"):
            files[f"{folder}/{shared}"] = (SAMPLE_HOOKS / shared).read_bytes()
        if claims is not None:
            files[f"{folder}/claims.json"] = json.dumps(claims).encode()
        if text is not None:
            files[f"{folder}/generate_proof.py"] = text.encode()
        manifest.setdefault("proof_policy", {"required": True, "types": ["mathematical_proof", "sim_alignment"]})
        shutil.rmtree(self.folder / f"{name}-{version}", ignore_errors=True)
        made = self.capsule(name, version, files=files, **manifest)
        package = self.package(made)
        done = run("publish", package, "--registry", self.location, "--trust", self.trust, "--state", self.state)
        assert done.code == 0, done
        self.digest = done.result["capsule_digest"]
        self.name, self.version = name, version
        return done.result["reference"]

    def record(self, **changes):
        """Puts a run record into the registry; gives its digest. `result` members of `changes` are laid over RESULT."""
        document = {"capsule": {"name": self.name, "version": self.version, "digest": self.digest}, "run_id": "0" * 16,
                    "target": "test", "parameters": {}, "seed": 7, "budget": 100, "result": {**RESULT, **changes.pop("result", {})}}
        data = json.dumps({**document, **changes}).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self.registry / self.name / "blobs/sha256" / digest).write_bytes(data)
        return f"sha256:{digest}"

    def arguments(self, reference, record, *more):
        return ["--run-record", record, "--key", self.proof_key, "--trust", self.trust, "--state", self.state, *more, "--",
                reference]

    def prove(self, reference, record, *more, **kwargs):
        return run("generate-proof", *self.arguments(reference, record, *more), **kwargs)

    def start_proving(self, reference, record, *more):
        return start("generate-proof", *self.arguments(reference, record, *more))

    def bundles(self):
        """The statements of the proof bundles that are attached to versions in the registry, unchecked. Each is attached to its run
        record too."""
        import base64
        layout = Layout(self.registry / self.name)
        out = []
        for entry in layout.index["manifests"]:
            document = layout.document(entry)
            if document.get("artifactType") != BUNDLE:
                continue
            if document["annotations"].get("dev.sigstore.bundle.predicateType") != "https://industriverse.ai/capsule-proof/v1":
                continue
            if document["subject"]["mediaType"] != INDEX:
                continue
            bundle = json.loads(layout.blob(document["layers"][0]))
            out.append((document, json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))))
        return out
