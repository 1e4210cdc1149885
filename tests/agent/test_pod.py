"""capsule-agent as a pod has it: by TCP, for one run, ever."""
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from agent_case import RUN_ID, PodCase
from steps import run
from warm_capsule import RUNNER

OTHER = "f" * 16


class OneRun(PodCase):
    def test_its_pod_is_ready_while_it_goes_on(self):
        """A ReplicaSet that is to have fewer pods ends those that are not ready first."""
        self.write("expansion/runner.py", RUNNER.replace("# run", "time.sleep(100)"))
        self.agent()
        self.when("/readyz", 200)
        self.assertEqual(202, self.claim()[0])
        self.assertEqual("at work", self.ask("GET", "/readyz")[1]["status"])
        self.assertEqual(503, self.claim(OTHER)[0])

    def test_after_it_the_agent_is_used_and_keeps_the_result(self):
        self.agent()
        self.when("/readyz", 200)
        self.assertEqual(202, self.claim()[0])
        outcome = self.outcome()
        self.assertIn("Used", self.ask("GET", "/readyz")[1]["detail"])
        self.assertEqual((outcome["result"]["warm"], outcome["start"]["mode"]), (True, "warm"))
        time.sleep(1)
        state = self.ask("GET", "/v1/pool")[1]
        self.assertEqual((state["phase"], state["ready"], state["runs_left"]), ("used", 0, 0))
        self.assertEqual(200, self.ask("GET", "/healthz")[0], "nothing may end what keeps a result")
        self.assertEqual(503, self.claim(OTHER)[0])
        self.assertEqual((200, outcome), (lambda status, reply: (status, reply["outcome"]))(*self.claim()))

    def test_one_that_failed_is_not_run_again(self):
        self.write("expansion/runner.py", RUNNER.replace("# run", "sys.exit('broken')"))
        self.agent()
        self.when("/readyz", 200)
        self.claim()
        self.assertIn("broken", self.outcome()["failure"]["message"])
        status, reply = self.claim()
        self.assertEqual((200, "done"), (status, reply["state"]))
        self.assertEqual(503, self.claim(OTHER)[0])

    def test_a_container_that_is_started_again_runs_nothing_again(self):
        self.write("expansion/runner.py", RUNNER.replace("# run", "open(os.environ['CAPSULE_DATA'] + '/ran', 'a').write('x'); time.sleep(100)"))
        self.write("scripts/install.sh", "#!/bin/sh\necho again >>\"$CAPSULE_DATA/installs\"\n")
        process = self.agent()
        self.when("/readyz", 200)
        self.assertEqual(202, self.claim()[0])
        deadline = time.monotonic() + 10
        while not (self.data / "ran").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.agent()
        self.assertIn("started anew", self.outcome()["failure"]["message"])
        self.assertEqual(409, self.claim(seed=2)[0])
        self.assertEqual(200, self.claim()[0])
        self.assertEqual((503, 503), (self.claim(OTHER)[0], self.ask("GET", "/readyz")[0]))
        self.assertEqual(("x", "again\n"), ((self.data / "ran").read_text(), (self.data / "installs").read_text()))

    def test_a_claim_that_cannot_be_noted_is_no_run(self):
        self.agent()
        self.when("/readyz", 200)
        Path(f"{self.data}.runs").mkdir()
        status, reply = self.claim()
        self.assertEqual(503, status)
        self.assertIn("not begun", reply["detail"])
        Path(f"{self.data}.runs").rmdir()
        self.assertEqual(202, self.claim()[0])

    def test_a_damaged_list_of_claims_is_an_end(self):
        self.data.mkdir()
        Path(f"{self.data}.runs").write_text("[{")
        done = run("agent", "--root", self.root, "--data", self.data, "--listen", "127.0.0.1:0", *self.more)
        self.assertEqual((10, 1), (done.code, done.stderr.count("\n")), done)


class ColdRun(PodCase):
    def test_a_runner_that_cannot_wait_is_started_for_its_run(self):
        self.write("expansion/runner.py", RUNNER.replace('{"ready":true}', "hello"))
        self.agent()
        self.when("/readyz", 200)
        self.assertIn("hello", self.ask("GET", "/v1/pool")[1]["cold"])
        self.write("expansion/runner.py", RUNNER.replace("# run", "print('a word', file=sys.stderr)"))
        self.assertEqual(202, self.claim()[0])
        outcome = self.outcome()
        self.assertEqual((outcome["result"]["warm"], outcome["start"]["mode"], outcome["log"]), (False, "cold", ["a word"]))
        self.assertIn("hello", outcome["start"]["reason"])

    def test_no_process_waits_where_none_is_asked_for(self):
        self.agent("--replicas", "0")
        self.when("/readyz", 200)
        self.assertEqual(0, self.ask("GET", "/v1/pool")[1]["ready"])
        self.assertEqual(202, self.claim()[0])
        self.assertEqual("cold", self.outcome()["start"]["mode"])

    def test_without_a_limit_of_runs_they_come_one_after_the_other(self):
        self.more = ()
        self.write("expansion/runner.py", RUNNER.replace("# run", "time.sleep(0.5)"))
        self.agent("--replicas", "0")
        self.when("/readyz", 200)
        self.assertEqual((202, 503), (self.claim()[0], self.claim(OTHER)[0]))
        self.outcome()
        self.assertEqual(202, self.claim(OTHER)[0])


class Installing(PodCase):
    def test_it_is_alive_meanwhile_but_not_ready(self):
        self.write("scripts/install.sh", "#!/bin/sh\necho 'it waits' >&2; echo 'for go' >&2\nwhile [ ! -e \"$CAPSULE_DATA/go\" ]; do sleep 0.05; done\n")
        self.agent(wait=False)
        self.assertEqual("installing", self.when("/healthz", 200)["status"])
        self.assertIn("install.sh", self.ask("GET", "/readyz")[1]["detail"])
        deadline = time.monotonic() + 10
        while (state := self.ask("GET", "/v1/pool")[1])["said"] != "for go" and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(("installing", "for go"), (state["phase"], state["said"]))
        self.assertEqual(503, self.claim()[0])
        (self.data / "go").touch()
        self.when("/readyz", 200)
        self.assertIsNone(self.ask("GET", "/v1/pool")[1]["said"])

    def ended(self, script, *more):
        self.write("scripts/install.sh", script)
        done = run("agent", "--root", self.root, "--data", self.data, "--listen", "127.0.0.1:0", *self.more, *more)
        self.assertEqual(1, done.stderr.rstrip().split("\n")[-1].count("error:"), done)
        return done

    def test_its_failure_is_the_end_and_says_why(self):
        done = self.ended("#!/bin/sh\necho 'no room' >&2\nexit 3\n")
        self.assertEqual(16, done.code)
        self.assertIn("no room", done.stderr)

    def test_one_without_end_is_ended(self):
        self.assertEqual(41, self.ended("#!/bin/sh\nsleep 1000\n", "--timeout", "1s").code)

    def test_one_that_forks_for_ever_is_ended(self):
        # Each stays for a while: else those that cannot fork end all at once, now and then between two looks at their number.
        done = self.ended("#!/bin/sh\nbomb() { bomb | bomb & sleep 100; }\nbomb\nwait\n", "--timeout", "60s")
        self.assertEqual(16, done.code, done)
        self.assertIn("over its limit of processes (512 at a time, for every capsule: no field of capsule.json raises it): ", done.stderr)


class Volume(PodCase):
    """DATA holds 16 MiB."""
    fills = 'head -c 40000000 /dev/zero >"$CAPSULE_DATA/much"'

    def ended(self, script, *more):
        self.write("scripts/install.sh", script)
        done = run("agent", "--root", self.root, "--data", self.data, "--listen", "127.0.0.1:0", *self.more, "--data-size", "16Mi", *more)
        self.assertEqual((16, 1), (done.code, done.stderr.count("error:")), done)
        for words in ("install.sh failed, it wrote more than its volume holds (", " of 16.0 MiB, which no field of capsule.json raises; bring large files in the package)"):
            self.assertIn(words, done.stderr)
        self.assertEqual([], list(self.data.iterdir()), "the next try begins anew, and the volume is below its limit again")
        return done

    def test_an_installation_that_fills_it_is_ended_while_it_writes(self):
        begun = time.monotonic()
        self.assertIn("it is large", self.ended(f"#!/bin/sh\necho 'it is large' >&2\n{self.fills}\nsleep 100\n").stderr)
        self.assertLess(time.monotonic() - begun, 20)

    def test_one_that_ends_before_that_is_seen_has_failed_all_the_same(self):
        self.ended(f"#!/bin/sh\n{self.fills}\n")
        self.ended(f"#!/bin/sh\n{self.fills}\nexit 3\n")

    def test_what_is_sparse_or_goes_again_counts_as_it_is(self):
        self.write("scripts/install.sh", """#!/bin/sh
cd "$CAPSULE_DATA"
truncate -s 1T sparse
for _ in 1 2 3; do head -c 9000000 /dev/zero >much; ln much much2; sleep 0.4; rm much much2; done
""")
        self.agent("--data-size", "16Mi")
        self.when("/readyz", 200)

    def test_a_run_that_fills_it_is_ended(self):
        self.write("expansion/runner.py", RUNNER.replace("# run", "open(os.environ['CAPSULE_DATA'] + '/much', 'wb').write(bytes(40_000_000)); time.sleep(100)"))
        self.agent("--data-size", "16Mi")
        self.when("/readyz", 200)
        self.assertEqual(202, self.claim()[0])
        failure = self.outcome()["failure"]
        self.assertEqual("capsule_failed", failure["kind"])
        self.assertIn("wrote more than its volume holds (", failure["message"])

    def test_a_size_that_is_none_is_refused(self):
        for size in ("0", "much", "-1", "4 Gi"):
            done = run("agent", "--root", self.root, "--data", self.data, "--listen", "127.0.0.1:0", f"--data-size={size}")
            self.assertEqual((2, 1), (done.code, done.stderr.count("\n")), done)


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small disk")
class SmallDisk(PodCase):
    """DATA is on a file system of its own, of 16 MiB."""

    def test_an_installation_that_fills_it_says_so(self):
        self.data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", self.data], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.data], check=True)
        for script in ("head -c 40000000 /dev/zero >\"$CAPSULE_DATA/much\"", "head -c 15900000 /dev/zero >\"$CAPSULE_DATA/much\"; sleep 100"):
            self.write("scripts/install.sh", f"#!/bin/sh\n{script}\n")
            done = run("agent", "--root", self.root, "--data", self.data, "--installed", self.folder / "installed", "--listen", "127.0.0.1:0", "--data-size=1Gi")
            self.assertEqual((16, 1), (done.code, done.stderr.count("error:")), done)
            self.assertIn("install.sh failed, the disk that it writes to is nearly full (", done.stderr)
            self.assertIn(" of 16.0 MiB; make room there)", done.stderr)


class Health(PodCase):
    def test_a_probe_does_not_wait_for_a_slow_check(self):
        self.write("scripts/healthcheck.sh", "#!/bin/sh\nsleep 2\n")
        self.agent()
        self.when_ready()
        begun = time.monotonic()
        status, reply = self.ask("GET", "/readyz")
        self.assertLess(time.monotonic() - begun, 1.5)
        self.assertEqual((503, "healthcheck.sh has not answered yet"), (status, reply["detail"]))
        self.when("/readyz", 200)

    def test_one_that_never_passes_keeps_it_from_ready_and_says_why(self):
        self.write("scripts/healthcheck.sh", "#!/bin/sh\necho 'no model' >&2; exit 1\n")
        self.agent()
        self.when_ready()
        self.assertIn("no model", self.when("/readyz", 503)["detail"])
        self.assertIn("no model", self.when("/healthz", 503)["detail"])
        self.assertIn("no model", self.ask("GET", "/v1/pool")[1]["illness"])

    def test_one_that_recovers_is_asked_again_soon(self):
        self.write("scripts/healthcheck.sh", "#!/bin/sh\n[ -e \"$CAPSULE_DATA/well\" ]\n")
        self.agent()
        self.when("/healthz", 503)
        (self.data / "well").touch()
        self.when("/readyz", 200, patience=10)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
