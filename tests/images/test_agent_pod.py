"""The agent as process 1 of a capsule's container, in the image runtime-python, as a pod has it: not root, read-only root file system, no
capabilities, no new privileges, the capsule read-only, one run."""
import contextlib
import http.client
import json
import os
import shutil
import socket
import time
import unittest

from capsule_maker import Maker
from containers import USER
from images_case import ImagesCase

RUN = "/v1/runs/0123456789abcdef"
RUNNER = """import json, os, resource, socket, sys
print('{"ready":true}', flush=True)
json.loads(sys.stdin.readline())
found = {}
def attempt(name, work):
    try:
        work()
        found[name] = "done"
    except OSError as error:
        found[name] = error.strerror
attempt("socket", socket.socket)
attempt("agent", lambda: open("/proc/1/mem", "rb"))
attempt("kill", lambda: os.kill(1, 9))
attempt("root", lambda: open("/here", "w"))
attempt("capsule", lambda: open("here", "w"))
attempt("data", lambda: open(os.environ["CAPSULE_DATA"] + "/here", "w"))
found["memory"] = resource.getrlimit(resource.RLIMIT_DATA)[0]
found["installed"] = os.path.exists(os.environ["CAPSULE_DATA"] + "/installed")
print(json.dumps(found))
"""


class AgentPod(ImagesCase):
    images = ("agent", "runtime-python", "verify")

    def setUp(self):
        super().setUp()
        self.work.chmod(0o755)
        for name in ("agent", "data", "capsule/expansion", "capsule/scripts"):
            (self.work / name).mkdir(parents=True)
            os.chown(self.work / name, USER, USER)
        self.write("expansion/runner.py", RUNNER)
        self.write("scripts/install.sh", "#!/bin/sh\ntouch \"$CAPSULE_DATA/installed\"\n")
        self.write("scripts/healthcheck.sh", "#!/bin/sh\n[ -e \"$CAPSULE_DATA/installed\" ]\n")
        self.write("capsule.json", json.dumps({"name": "probe", "version": "1.0.0", "entrypoint": "expansion/runner.py", "prewarm": True}))
        self.write("checksum.sha256", "")
        done = self.podman.run("capsule-loop/agent:0.1.0", "install", "/agent/capsule-agent", volumes=[f"{self.work}/agent:/agent"])
        self.assertEqual(done.code, 0, done)

    def write(self, name, text):
        (self.work / "capsule" / name).write_text(text)

    def unpack(self):
        """The capsule as an init container unpacks it, in the place of the one that setUp wrote; the folder of its digest."""
        maker = Maker(self.work)
        package = maker.make("demo", files={"expansion/m/runner.py": RUNNER.encode()}, prewarm=True)
        shutil.rmtree(self.work / "capsule")
        for name in ("capsule", "tmp"):
            (self.work / name).mkdir(mode=0o777)
            (self.work / name).chmod(0o777)  # as an emptyDir is
        volumes = [f"{package}:/in/{package.name}:ro", f"{maker.public_key}:/in/key:ro", f"{self.work}/capsule:/capsule", f"{self.work}/tmp:/tmp"]
        done = self.podman.run("capsule-loop/verify:0.1.0", "--unpack=/capsule", "--key=/in/key", "--", f"/in/{package.name}", volumes=volumes,
                               more=["--env=TMPDIR=/tmp", "--env=CAPSULE_STATE=/tmp/state"])
        self.assertEqual(done.code, 0, done)
        return done.result["unpacked"]

    def start(self, *more, root="/capsule"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        volumes = [f"{self.work}/agent:/agent:ro", f"{self.work}/data:/data", f"{self.work}/capsule:/capsule:ro"]
        self.container = self.podman.start("capsule-loop/runtime-python:0.1.0", f"--root={root}", "--data=/data/capsule",
                                           f"--listen=127.0.0.1:{self.port}", "--replicas=1", "--runs=1", volumes=volumes, network="host",
                                           more=["--entrypoint=/agent/capsule-agent", *more])
        self.addCleanup(self.podman.call, "rm", "--force", "--time", "0", self.container)

    def ask(self, method, path, body=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())

    def when_ready(self):
        for _ in range(150):
            with contextlib.suppress(ConnectionRefusedError):
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            time.sleep(0.1)
        self.fail(f"not ready: {self.podman.call('logs', self.container)}")

    def outcome(self):
        self.assertEqual(202, self.ask("POST", RUN, {"parameters": {}, "seed": 1, "budget": 0, "time_limit_ms": 20_000})[0])
        return self.ask("GET", f"{RUN}?wait_ms=20000")[1]["outcome"]

    def test_a_capsule_that_an_init_container_unpacked_is_run(self):
        root = self.unpack()
        self.assertRegex(root, "^/capsule/[0-9a-f]{64}$")
        unpacked = self.work / root.lstrip("/")
        self.assertEqual({path.stat().st_uid for path in unpacked.rglob("*")}, {USER})
        self.start(root=root)
        self.when_ready()
        self.assertEqual(self.outcome()["result"]["data"], "done")

    def test_the_run_has_its_data_folder_and_no_socket_and_the_record_says_what_held(self):
        self.start()
        self.when_ready()
        outcome = self.outcome()
        result = outcome["result"]
        self.assertEqual((result["data"], result["installed"]), ("done", True))
        for name in ("socket", "agent", "kill", "root", "capsule"):
            self.assertNotEqual(result[name], "done", name)
        self.assertLessEqual({"seccomp", "no-new-privileges", "limits"}, set(outcome["confinement"]["held"]))
        self.assertNotIn("user", outcome["confinement"]["held"])
        self.assertEqual(503, self.ask("GET", "/readyz")[0])

    @unittest.skipUnless(any(os.access(path, os.W_OK) for path in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/cgroup.subtree_control")),
                         "no container can have a memory limit here: the control groups cannot be written")
    def test_the_containers_memory_is_what_counts(self):
        self.start("--memory=192m")
        self.when_ready()
        self.assertLessEqual(self.outcome()["result"]["memory"], 96 << 20)

    def test_process_1_takes_in_who_has_lost_their_parent(self):
        self.start()
        self.when_ready()
        self.podman.must("exec", self.container, "/bin/sh", "-c", "sleep 0.3 & sleep 0.4 &")
        time.sleep(2.5)
        states = self.podman.must("exec", self.container, "/usr/bin/python3", "-c", "import glob\nfor x in glob.glob('/proc/[0-9]*/stat'): print(open(x).read())")
        self.assertEqual([line for line in states.splitlines() if ") Z " in line], [])

    def test_a_signal_ends_all_of_it_within_the_grace(self):
        self.write("expansion/runner.py", RUNNER.replace("found = {}", "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(100)"))
        self.start()
        self.when_ready()
        self.ask("POST", RUN, {"parameters": {}, "seed": 1, "budget": 0, "time_limit_ms": 200_000})
        begun = time.monotonic()
        self.podman.must("stop", "--time", "20", self.container)
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(json.loads(self.podman.must("inspect", self.container))[0]["State"]["ExitCode"], 143)


if __name__ == "__main__":
    unittest.main()
