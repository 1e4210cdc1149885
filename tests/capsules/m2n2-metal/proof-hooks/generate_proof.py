#!/usr/bin/env python3
"""The capsule's proof hook: finds the evidence for one run, and asks /v1/proofs/generate for a proof.

Environment: CAPSULE_ROOT (this capsule), CAPSULE_RUN_RECORD (the run record's file), CAPSULE_OUT (a folder), PROOF_SERVICE_URL,
CAPSULE_UTID, CAPSULE_PROOF_HASH, CAPSULE_CLAIMS_DIGEST. Writes CAPSULE_OUT/proof.json {proof_id, evidence}, whole or not at all.
Exits with 1 and one line on stderr if a claim does not hold, an input is missing, or the service gives no proof_id.

Nobody has to believe this program: the claims are those of proof-hooks/claims.json with the record's numbers put in, and whoever
checks them needs the certificates that are found here, not the way in which they were found.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True  # The capsule's folder stays as it was signed.
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "expansion" / "m2n2")]

import alignment  # noqa: E402
from canonical import digest  # noqa: E402
from expressions import Claims, ExpressionError, load_claims, record_value  # noqa: E402
from prover import ClaimFails, check_compare, prove_forall  # noqa: E402
from service import ServiceError, generate  # noqa: E402

Evidence = dict[str, Any]


class HookError(Exception):
    """The hook was called wrongly, or its inputs are not what they should be."""


@dataclass(frozen=True)
class Call:
    """What the hook was given."""

    root: Path
    record: Mapping[str, Any]
    record_digest: str
    out: Path
    url: str
    utid: str
    proof_hash: str
    claims_digest: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Call:
        def value(name: str) -> str:
            if not environment.get(name):
                raise HookError(f"{name} is not set")
            return environment[name]

        data = Path(value("CAPSULE_RUN_RECORD")).read_bytes()
        try:
            record = json.loads(data)
        except ValueError as fault:
            raise HookError(f"the run record is not JSON: {fault}") from None
        if not isinstance(record, dict):
            raise HookError("the run record is not a JSON object")
        return cls(
            root=Path(value("CAPSULE_ROOT")),
            record=record,
            record_digest="sha256:" + hashlib.sha256(data).hexdigest(),
            out=Path(value("CAPSULE_OUT")),
            url=value("PROOF_SERVICE_URL"),
            utid=value("CAPSULE_UTID"),
            proof_hash=value("CAPSULE_PROOF_HASH"),
            claims_digest=value("CAPSULE_CLAIMS_DIGEST"),
        )


def mathematical_proof(claims: Claims, record: Mapping[str, Any]) -> Evidence:
    """The compare and forall claims of this run, each checked, with a certificate for each forall, and what they refer to."""
    rebuilt, certificates = [], []
    claims = claims.of_record(record)
    for claim in (claim for claim in claims.claims if claim["type"] in ("compare", "forall")):
        rebuilt.append(claim)
        if claim["type"] == "compare":
            check_compare(claim, claims)
        else:
            certificates.append({"claim": claim["name"], "type": "bisection", "tree": prove_forall(claim, claims)})
    return {
        "type": "mathematical_proof",
        "variables": claims.variables_document,
        "definitions": claims.definitions,
        "claims": rebuilt,
        "certificates": certificates,
    }


def sim_alignment(claim: Mapping[str, Any], root: Path, record: Mapping[str, Any]) -> Evidence:
    """How the run's samples stand to the reference samples; raises ClaimFails when a threshold is missed."""
    samples = _numbers(record_value(record, claim["samples"]), "the run's samples")
    document = json.loads((root / claim["reference"]).read_text("utf-8"))
    reference = _numbers(record_value(document, claim["reference_pointer"]), "the reference samples")
    seed = record["seed"]
    d, p = alignment.kolmogorov_smirnov(samples, reference)
    effect = alignment.cohens_d(samples, reference)
    if p < claim["min_p"]:
        raise ClaimFails(f"claim {claim['name']} fails: p = {p:.3g} of Kolmogorov and Smirnov is below {claim['min_p']}")
    if abs(effect) > claim["max_effect_size"]:
        raise ClaimFails(f"claim {claim['name']} fails: effect size {effect:.3g} is beyond {claim['max_effect_size']}")
    low, high = alignment.bootstrap(samples, reference, seed)
    return {
        "type": "sim_alignment",
        "claim": claim["name"],
        "samples_digest": digest(samples),
        "reference_digest": digest(reference),
        "ks": {"d": d, "p": p},
        "cohens_d": effect,
        "bootstrap": {"low": low, "high": high, "draws": alignment.DRAWS, "seed": seed},
    }


def _numbers(values: Any, what: str) -> list[float]:
    if not isinstance(values, list) or len(values) < 2 or not all(type(value) in (int, float) for value in values):
        raise HookError(f"{what} are not a list of two or more numbers")
    return values


def evidence_of(call: Call) -> list[Evidence]:
    """All evidence that claims.json asks for."""
    claims = load_claims(call.root / "proof-hooks" / "claims.json")
    unknown = {claim["type"] for claim in claims.claims} - {"compare", "forall", "sim_alignment"}
    if unknown:
        raise HookError(f"claims.json: unknown claim type {min(unknown)!r}")
    alignments = [claim for claim in claims.claims if claim["type"] == "sim_alignment"]
    return [mathematical_proof(claims, call.record), *(sim_alignment(claim, call.root, call.record) for claim in alignments)]


def request_of(call: Call, evidence: list[Evidence]) -> dict[str, Any]:
    """The body for /v1/proofs/generate. Every value of requester and artifacts is a string: the service refuses others."""
    capsule, run_id = call.record["capsule"], str(call.record["run_id"])
    reference = f"capsule://{capsule['name']}:{capsule['version']}"
    nodes = sum(len(certificate["tree"]) for item in evidence for certificate in item.get("certificates", []))
    return {
        "title": f"{capsule['name']} {capsule['version']}, run {run_id}",
        "requester": {"capsule": reference, "run_id": run_id},
        "artifacts": [
            {"type": "capsule", "uri": reference, "hash": capsule["digest"]},
            {"type": "run-record", "uri": f"run:{run_id}", "hash": call.record_digest},
            {"type": "claims", "uri": "proof-hooks/claims.json", "hash": call.claims_digest},
        ],
        "proof_types": list(dict.fromkeys(item["type"] for item in evidence)),
        "proof_hash": call.proof_hash,
        "metadata": {"evidence_digest": digest(evidence), "certificate_nodes": nodes},
    }


def write_whole(path: Path, value: Any) -> None:
    """Write a JSON file that is there as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            json.dump(value, file, allow_nan=False, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main() -> int:
    try:
        call = Call.from_environment(os.environ)
        evidence = evidence_of(call)
        proof_id = generate(call.url, call.utid, request_of(call, evidence))
        write_whole(call.out / "proof.json", {"proof_id": proof_id, "evidence": evidence})
        return 0
    except (HookError, ClaimFails, ExpressionError, ServiceError, OSError) as fault:
        message = str(fault)
    except (KeyError, TypeError, ValueError) as fault:
        message = f"claims or run record are malformed: {type(fault).__name__}: {fault}"
    print(f"generate_proof.py: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
