"""What a signal that ends a step leaves to be read: one line on stderr, and the termination message of its pod."""
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import small_workflow
from steps import BIN, environment, start

WORKFLOW = small_workflow.HEAD + """    - name: main
      steps: [[{name: a, template: hangs}]]
    - name: hangs
      container: {command: [/bin/capsule-download], args: ["URL", --store, "STORE", --insecure-registry, "HOST", --trust, "TRUST"]}
"""
NOTHING_LEFT = "nothing half-written is left, the same call goes on from here"
RUN_GOES_ON = "the steps that ran are ended too, --resume goes on after what is done"
# A /dev of its own, with a termination-log in it as the kubelet mounts one, which is printed once all is over.
POD = """set -e
mkdir "$1/dev"; mount -t tmpfs none "$1/dev"
for name in null zero full random urandom; do : > "$1/dev/$name"; mount --bind "/dev/$name" "$1/dev/$name"; done
echo "what stood there" > "$1/dev/termination-log"; mount --move "$1/dev" /dev
cd "$1"; shift
set +e; "$@"; echo "$?" > code; cat /dev/termination-log > message"""


class Signals(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        # It takes the connection and says nothing.
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.silent.close)
        self.silent.settimeout(20)
        self.host = f"127.0.0.1:{self.silent.getsockname()[1]}"
        subprocess.run([BIN / "capsule-sign", "keygen", "--out", self.root / "key"], check=True, capture_output=True)
        self.trust = self.root / "trust.yaml"
        keys = f"  - keys: [{{file: {self.root}/key.pub.pem}}]\n"
        self.trust.write_text(f"version: 1\ncapsule:\n{keys}index:\n{keys}")

    def words_of(self, step):
        """A call that waits for ever."""
        source = f"oci://{self.host}/base/a@sha256:{64 * 'a'}"
        common = ["--insecure-registry", self.host, "--trust", self.trust]
        if step == "run":
            text = WORKFLOW.replace("URL", source).replace("STORE", str(self.root / "store")).replace("HOST", self.host)
            (self.root / "w.yaml").write_text(text.replace("TRUST", str(self.trust)))
            return [self.root / "w.yaml", "--state", self.root / "state"]
        if step == "register":
            return ["resolve", f"capsule://{self.host}/base/a:1.0.0", *common, "--state", self.root / "state"]
        more = {"download": ["--store", self.root / "store"], "deploy": ["--state", self.root / "state"]}
        return [source, *common, *more.get(step, [])]

    def ended(self, step, number):
        process = start(step, *self.words_of(step))
        connection, _ = self.silent.accept()
        process.send_signal(number)
        _, error = process.communicate(timeout=20)
        connection.close()
        return process.returncode, error

    def test_one_line_says_which_signal_and_what_is_left(self):
        for step in ("download", "verify", "deploy", "register", "run"):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                with self.subTest(step=step, signal=number.name):
                    code, error = self.ended(step, number)
                    self.assertEqual(-number, code, error)
                    said = RUN_GOES_ON if step == "run" else NOTHING_LEFT
                    lines = [line for line in error.splitlines() if f"capsule-{step}: error: " in line]
                    self.assertEqual([f"capsule-{step}: error: ended by {number.name}: {said}"], lines, error)
                    if step != "run":
                        self.assertEqual(lines[0], error.splitlines()[-1])

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to have a /dev/termination-log of its own")
    def test_the_termination_message_of_a_pod_says_it_too(self):
        for step in ("download", "run"):
            with self.subTest(step=step), tempfile.TemporaryDirectory() as pod:
                command = ["unshare", "--mount", "sh", "-c", POD, "sh", pod, BIN / f"capsule-{step}", *self.words_of(step)]
                with subprocess.Popen(command, env=environment(KUBERNETES_SERVICE_HOST="192.0.2.1"), stderr=subprocess.PIPE,
                                      stdout=subprocess.DEVNULL, text=True, start_new_session=True) as process:
                    connection, _ = self.silent.accept()
                    time.sleep(0.1)
                    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                    os.kill(int(children[0]), signal.SIGTERM)
                    _, error = process.communicate(timeout=20)
                    connection.close()
                self.assertEqual("143\n", (Path(pod) / "code").read_text(), error)
                said = f"ended by SIGTERM: {RUN_GOES_ON if step == 'run' else NOTHING_LEFT}"
                self.assertEqual(said, (Path(pod) / "message").read_text())
                records = [json.loads(line) for line in error.splitlines() if line.startswith("{")]
                self.assertIn(("error", f"capsule-{step}", said), [(one["level"], one["program"], one["message"]) for one in records])


if __name__ == "__main__":
    unittest.main()
