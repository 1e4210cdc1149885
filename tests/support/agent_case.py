"""capsule-agent by itself, started by a test, and what it answers."""
import http.client
import json
import socket
import time

from steps import start
from warm_capsule import RUNNER, WarmCase

RUN_ID = "0123456789abcdef"


class Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class AgentCase(WarmCase):
    def setUp(self):
        super().setUp()
        self.root, self.data = self.folder / "root", self.folder / "data"
        self.socket = self.folder / "agent.sock"
        self.write("expansion/runner.py", RUNNER)
        self.write("capsule.json", json.dumps({"name": "probe", "version": "1.0.0", "entrypoint": "expansion/runner.py", "prewarm": True}))
        self.write("checksum.sha256", "")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def arguments(self, *more):
        return ["--root", self.root, "--data", self.data, "--socket", self.socket, *more]

    def agent(self, *more):
        process = start("agent", *self.arguments(*more))
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.first_line = process.stdout.readline()
        return process

    def connection(self):
        return Connection(self.socket)

    def ask(self, method, path, body=None):
        connection = self.connection()
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def when_ready(self, count=1):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            state = self.ask("GET", "/v1/pool")[1]
            if state["ready"] >= count or state["cold"]:
                return state
            time.sleep(0.02)
        self.fail(f"not ready: {state}")

    def claim(self, run_id=RUN_ID, **more):
        return self.ask("POST", f"/v1/runs/{run_id}", {"parameters": {}, "seed": 1, "budget": 0, "time_limit_ms": 20_000, **more})

    def outcome(self, run_id=RUN_ID):
        status, reply = self.ask("GET", f"/v1/runs/{run_id}?wait_ms=20000")
        self.assertEqual((200, "done"), (status, reply.get("state")), reply)
        return reply["outcome"]


class PodCase(AgentCase):
    """The agent by TCP, for one run, as in a pod."""
    more = ("--runs", "1")

    def agent(self, *more, wait=True):
        """`wait`: for its first line, which comes when install.sh has ended."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        process = start("agent", "--root", self.root, "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *self.more, *more)
        for action in (process.stderr.close, process.stdout.close, process.wait, process.kill):
            self.addCleanup(action)
        self.first_line = process.stdout.readline() if wait else None
        return process

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def when(self, path, wanted, patience=15):
        """The answer to GET, once its status is the wanted one."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                found = self.ask("GET", path)
                if found[0] == wanted:
                    return found[1]
            except ConnectionRefusedError:
                found = "it does not listen"
            time.sleep(0.05)
        self.fail(f"{path} is not {wanted} but {found}")
