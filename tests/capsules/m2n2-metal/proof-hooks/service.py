"""The one call to the proof service: POST /v1/proofs/generate."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

PATH = "/v1/proofs/generate"
TIMEOUT_SECONDS = 30
ATTEMPTS = 5
WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 10.0
RETRIED = frozenset({429, 503})
MAX_REPLY_BYTES = 1 << 20
PROOF_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class ServiceError(Exception):
    """The service did not give a proof_id; says what it answered."""


def generate(base_url: str, utid: str, request: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> str:
    """Ask for a proof; gives its proof_id. Waits and tries again when the service says that it is busy."""
    for attempt in range(1, ATTEMPTS + 1):
        status, retry_after, body = _post(base_url, utid, request)
        if status not in RETRIED or attempt == ATTEMPTS:
            break
        sleep(_wait(retry_after, attempt))
    if status != 200:
        raise ServiceError(f"{PATH}: the service answered {status}: {_detail(body)}")
    try:
        proof_id = json.loads(body)["proof_id"]
    except (ValueError, KeyError, TypeError):
        raise ServiceError(f"{PATH}: the answer has no proof_id: {_detail(body)}") from None
    if not isinstance(proof_id, str) or not PROOF_ID.fullmatch(proof_id):
        raise ServiceError(f"{PATH}: the answer's proof_id is malformed: {_detail(body)}")
    return proof_id


def _post(base_url: str, utid: str, request: dict[str, Any]) -> tuple[int, str | None, bytes]:
    """Status, Retry-After and body of one call. No proxy is used, no redirect is followed."""
    url = urlsplit(base_url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if url.scheme not in kinds or not url.hostname:
        raise ServiceError("PROOF_SERVICE_URL is not an http or https URL")
    headers = {"Content-Type": "application/json", "Accept": "application/json", "X-UTID": utid}
    try:
        connection = kinds[url.scheme](url.hostname, url.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", url.path.rstrip("/") + PATH, json.dumps(request, allow_nan=False).encode(), headers)
            response = connection.getresponse()
            return response.status, response.getheader("Retry-After"), response.read(MAX_REPLY_BYTES)
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as fault:
        raise ServiceError(f"{PATH}: the service cannot be reached: {fault or type(fault).__name__}") from None


def _wait(retry_after: str | None, attempt: int) -> float:
    """Seconds until the next try: what the service asks for, within our limit, else 1, 2, 4, ..."""
    asked = float(retry_after) if retry_after and retry_after.strip().isdigit() else WAIT_SECONDS * 2 ** (attempt - 1)
    return min(asked, LONGEST_WAIT_SECONDS)


def _detail(body: bytes) -> str:
    """The reply's text on one line, without control characters."""
    return "".join(c if c.isprintable() else " " for c in body[:200].decode("utf-8", "replace")).strip() or "(nothing)"
