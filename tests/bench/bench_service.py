"""The proof service: 200 clients at once on loopback, and pages of a list of 10^5 proofs against those of 10^2.

    bench_service.py [--clients 200] [--requests 50] [--proofs 100000]

The client is Python's and takes most of one core itself: the rate is a floor. Exit code 1 if a goal is missed.
"""
import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from rows import Row, report  # noqa: E402
from steps import start  # noqa: E402

GENERATE = {"title": "t", "requester": {"name": "r"}, "artifacts": [], "proof_types": ["mathematical_proof"]}


class Server:
    def __init__(self, database):
        self.process = start("proof-service", "--database", database, "--rate", "1000000")
        self.address = urlsplit(json.loads(self.process.stdout.readline())["url"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


class Client:
    """One connection that is kept."""

    def __init__(self, server, utid=""):
        self.server, self.utid = server, utid

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection(self.server.address.hostname, self.server.address.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def ask(self, method, path, body=None):
        """(status, reply)"""
        data = b"" if body is None else json.dumps(body).encode()
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-UTID: {self.utid}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        return int(head.split(b" ", 2)[1]), json.loads(await self.reader.readexactly(length))


async def login(server):
    async with Client(server) as client:
        return (await client.ask("POST", "/v1/utid/generate", {}))[1]["utid"]


async def crowd(folder, clients, requests):
    """Each client asks for proofs, and for what became of them."""
    with Server(folder / "crowd.db") as server:
        utid = await login(server)
        seconds, failed = [], 0

        async def one(number):
            nonlocal failed
            async with Client(server, utid) as client:
                for turn in range(requests // 2):
                    began = time.monotonic()
                    status, made = await client.ask("POST", "/v1/proofs/generate", {**GENERATE, "proof_hash": f"h{number}-{turn}"})
                    between = time.monotonic()
                    got, shown = await client.ask("GET", f"/v1/proofs/{made.get('proof_id')}")
                    seconds.extend((between - began, time.monotonic() - between))
                    failed += (status != 200) + (got != 200 or shown["hash"] != f"h{number}-{turn}")

        began = time.monotonic()
        await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(clients))), 120)
        took = time.monotonic() - began
    p99 = statistics.quantiles(seconds, n=100)[98]
    return Row(f"{clients} clients at once, {len(seconds)} requests, half of them stored for good",
               f"{len(seconds) / took:.0f}/s, p99 {p99 * 1000:.0f} ms, {failed} failed", "none failed", failed == 0)


def fill(database, utid, count):
    """Proofs as `generate` leaves them, copied behind the service's back. Half of the first hundred are of another state, domain and
    chain, and none of the later ones: the page that is hardest to find."""
    with sqlite3.connect(database) as file:
        (have,) = file.execute("SELECT count(*) FROM proofs").fetchone()
        row = file.execute("SELECT inputs, metadata FROM proofs LIMIT 1").fetchone()

        def proof(number):
            rare = number < 100 and number % 2
            return (f"proof_{number:08x}", "verified" if rare else "queued", f"sha256:{number}", utid, "rare" if rare else "capsule", *row,
                    '[{"chain":"local","tx":"0x1","time":1}]' if rare else '[{"chain":"eth","tx":"0x2","time":1}]', number)

        file.executemany("INSERT INTO proofs (id, state, hash, utid, domain, inputs, metadata, anchors, touched) VALUES (?,?,?,?,?,?,?,?,?)",
                         map(proof, range(have, count)))


PAGES = {"newest": "", "of a UTID": "&utid={utid}", "of a hash": "&proof_hash=sha256:7", "of a state": "&status=verified",
         "of a domain": "&domain=rare", "of a chain": "&anchor_chain=local", "of a common chain": "&anchor_chain=eth",
         "of a transaction": "&anchor_tx=0x1", "of no chain that there is": "&anchor_chain=none"}


async def page_seconds(folder, counts):
    """{page: [best seconds at each count]}"""
    with Server(folder / "pages.db") as server:
        utid = await login(server)
        async with Client(server, utid) as client:
            await client.ask("POST", "/v1/proofs/generate", GENERATE)
        found = {page: [] for page in PAGES}
        for count in counts:
            fill(folder / "pages.db", utid, count)  # takes longer than the service keeps an idle connection
            async with Client(server, utid) as client:
                for page, query in PAGES.items():
                    best = float("inf")
                    for _ in range(20):
                        began = time.monotonic()
                        status, _ = await client.ask("GET", f"/v1/proofs/?limit=50{query.format(utid=utid)}")
                        best = min(best, time.monotonic() - began)
                        assert status == 200, (page, status)
                    found[page].append(best)
    return found


async def pages(folder, count):
    for page, (few, many) in (await page_seconds(folder, (100, count))).items():
        # What takes less than a tenth of a millisecond more is the same.
        same = many <= 2 * few or many - few < 0.0001
        yield Row(f"a page of {count} proofs against one of 100: {page}", f"{few * 1000:.2f} / {many * 1000:.2f} ms = {many / few:.2f}",
                  "<= 2", same)


async def measure(arguments):
    with tempfile.TemporaryDirectory() as folder:
        yield await crowd(Path(folder), arguments.clients, arguments.requests)
        async for row in pages(Path(folder), arguments.proofs):
            yield row


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--proofs", type=int, default=100_000)
    return report([row async for row in measure(parser.parse_args())])


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
