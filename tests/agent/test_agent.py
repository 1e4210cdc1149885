"""capsule-agent by itself: its routes, its claims, its end."""
import http.client
import json
import os
import signal
import sys
import time
import unittest
from pathlib import Path

from agent_case import RUN_ID, AgentCase
from loop import processes_of
from steps import run, start
from warm_capsule import RUNNER


class Claims(AgentCase):
    def test_a_claim_is_a_run_and_its_result_stays(self):
        self.agent()
        self.when_ready()
        status, reply = self.claim(seed=2**53 - 1)
        self.assertEqual((202, RUN_ID), (status, reply["run_id"]))
        outcome = self.outcome()
        self.assertEqual(2**53 - 1, outcome["result"]["seed"])
        self.assertIs(outcome["result"]["warm"], True)
        self.assertIn("no-new-privileges", outcome["confinement"]["held"])
        self.assertEqual(outcome, self.outcome())

    def test_the_first_claim_wins_and_the_same_run_is_idempotent(self):
        self.agent()
        self.when_ready()
        self.assertEqual(202, self.claim()[0])
        self.assertEqual(200, self.claim()[0])
        self.assertEqual(409, self.claim(seed=2)[0])
        first = self.outcome()
        self.assertEqual((200, first), (lambda status, reply: (status, reply["outcome"]))(*self.claim()))

    def test_a_run_that_failed_is_run_again_when_it_is_claimed_again(self):
        self.write("expansion/runner.py", RUNNER.replace("# run", "time.sleep(request['parameters'].get('seconds', 0))"))
        self.agent()
        self.when_ready()
        slow = {"parameters": {"seconds": 1}}
        self.assertEqual(202, self.claim(time_limit_ms=100, **slow)[0])
        self.assertEqual("timed_out", self.outcome()["failure"]["kind"])
        self.when_ready()
        self.assertEqual(409, self.claim()[0])
        self.assertEqual(202, self.claim(**slow)[0])
        self.assertEqual(1, self.outcome()["result"]["parameters"]["seconds"])

    def test_who_comes_while_none_waits_is_told_so(self):
        self.write("expansion/runner.py", RUNNER.replace("# run", "time.sleep(1)"))
        self.agent()
        self.when_ready()
        self.assertEqual(202, self.claim()[0])
        self.assertEqual(503, self.claim("f" * 16)[0])
        self.outcome()
        self.when_ready()
        self.assertEqual(202, self.claim("f" * 16)[0])

    def test_sixteen_outcomes_stay(self):
        self.agent()
        for number in range(18):
            self.when_ready()
            self.assertEqual(202, self.claim(f"{number:016x}")[0])
            self.outcome(f"{number:016x}")
        self.assertEqual(404, self.ask("GET", f"/v1/runs/{0:016x}")[0])
        self.assertEqual(200, self.ask("GET", f"/v1/runs/{17:016x}")[0])

    def test_what_is_no_claim_is_refused(self):
        self.agent()
        self.when_ready()
        for bad in ({"seed": -1}, {"parameters": []}, {"other": 1}, {"time_limit_ms": "1s"}):
            self.assertEqual(422, self.claim(**bad)[0], bad)
        self.assertEqual(404, self.claim("short")[0])
        self.assertEqual(405, self.ask("DELETE", f"/v1/runs/{RUN_ID}")[0])
        self.assertEqual(404, self.ask("GET", f"/v1/runs/{RUN_ID}")[0])
        self.assertEqual(1, self.ask("GET", "/v1/pool")[1]["ready"], "nothing was used up")

    def test_a_process_that_dies_while_it_waits_is_replaced(self):
        self.agent()
        self.when_ready()
        runners = [int(pid.name) for pid in Path("/proc").iterdir()
                   if pid.name.isdigit() and b"runner.py" in _command_line(pid) and str(self.folder).encode() in _command_line(pid)
                   and b"capsule-agent" not in _command_line(pid)]
        for pid in runners:
            os.kill(pid, signal.SIGKILL)
        time.sleep(1)
        self.assertIsNone(self.when_ready()["cold"])
        self.assertEqual(202, self.claim()[0])


def _command_line(process):
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


class Probes(AgentCase):
    def test_they_say_what_healthcheck_says(self):
        self.write("scripts/healthcheck.sh", "#!/bin/sh\n[ ! -e sick ] || { echo 'I am not well' >&2; exit 1; }\n")
        self.agent()
        self.when_ready()
        self.assertEqual(200, self.ask("GET", "/healthz")[0])
        self.assertEqual(200, self.ask("GET", "/readyz")[0])

    def test_a_sick_capsule_is_unhealthy(self):
        self.write("scripts/healthcheck.sh", "#!/bin/sh\necho 'I am not well' >&2\nexit 1\n")
        self.agent()
        self.when_ready()
        status, reply = self.ask("GET", "/healthz")
        self.assertEqual(503, status)
        self.assertIn("I am not well", reply["detail"])
        self.assertEqual(503, self.ask("GET", "/readyz")[0])


class Ends(AgentCase):
    def ended(self, process, code):
        self.assertEqual(code, process.wait(timeout=5))
        self.assertEqual([], processes_of(self.root))

    def test_a_signal_ends_all_of_it(self):
        process = self.agent()
        self.when_ready()
        process.terminate()
        self.ended(process, -signal.SIGTERM)

    def test_so_does_taking_the_socket_away_even_during_a_run(self):
        self.write("expansion/runner.py", RUNNER.replace("# run", "time.sleep(100)"))
        process = self.agent("--replicas", "2")
        self.when_ready(2)
        self.assertEqual(202, self.claim()[0])
        self.socket.unlink()
        self.ended(process, 0)

    def test_so_does_it_during_a_run_that_was_started_cold(self):
        self.write("expansion/runner.py", RUNNER.replace("# run", "time.sleep(100)"))
        process = self.agent("--replicas", "0")
        self.assertEqual(202, self.claim()[0])
        self.socket.unlink()
        self.ended(process, 0)

    def test_a_second_agent_on_one_socket_is_busy(self):
        self.agent()
        done = run("agent", *self.arguments())
        self.assertEqual(42, done.code, done)
        self.when_ready()

    def test_install_runs_once_and_its_failure_is_the_capsules(self):
        self.write("scripts/install.sh", "#!/bin/sh\necho again >>\"$CAPSULE_DATA/installs\"\n")
        for _ in range(2):
            process = self.agent()
            process.terminate()
            process.wait()
        self.assertEqual("again\n", (self.data / "installs").read_text())
        self.assertTrue(Path(f"{self.data}.installed").exists())
        self.write("scripts/install.sh", "#!/bin/sh\necho 'no room' >&2\nexit 1\n")
        Path(f"{self.data}.installed").unlink()
        done = run("agent", *self.arguments())
        self.assertEqual(16, done.code, done)
        self.assertIn("no room", done.stderr)

    def test_it_serves_by_tcp_as_in_a_pod(self):
        process = start("agent", "--root", self.root, "--data", self.data, "--listen", "127.0.0.1:0")
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        url = json.loads(process.stdout.readline())["url"]
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        connection.request("GET", "/v1/pool")
        self.assertEqual(1, json.loads(connection.getresponse().read())["replicas"])
        connection.close()

    def test_it_wants_one_place_to_serve_on(self):
        for more in ((), ("--socket", self.socket, "--listen", "127.0.0.1:0")):
            done = run("agent", "--root", self.root, "--data", self.data, *more)
            self.assertEqual(2, done.code, done)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
