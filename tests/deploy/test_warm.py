"""The warm pool on this machine: runs in processes that waited for them, and what happens when there are none."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

from steps import environment, run, start
from warm_capsule import WarmCase, copy_without_agent


def when(condition, seconds=10):
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


class WarmPool(WarmCase):
    def test_a_run_goes_to_a_process_that_waited_and_the_record_says_so(self):
        self.publish()
        done = self.deploy()
        record = self.record(done)
        self.assertEqual("warm", done.result["start"])
        self.assertEqual("warm", record["start"]["mode"])
        self.assertIs(record["result"]["warm"], True)
        self.assertEqual(record["seed"], record["result"]["seed"])
        self.assertEqual(self.record(self.deploy()), record, "found again, not made again")

    def test_each_process_gets_one_run_and_the_pool_is_filled_again(self):
        self.publish()
        records = [self.record(self.deploy("--new-run")) for _ in range(3)]
        self.assertEqual([1, 1, 1], [record["result"]["runs"] for record in records])
        self.assertEqual(["warm"] * 3, [record["start"]["mode"] for record in records])
        self.assertEqual(1, len(self.agents()), "the same agent all the time")

    def test_as_many_wait_as_the_manifest_says(self):
        self.publish(prewarm={"replicas": 3})
        self.record(self.deploy())
        self.assertTrue(when(lambda: len([line for line in self.processes() if "/runner.py" in line]) == 3), self.processes())

    def test_a_waiting_process_is_confined_like_a_cold_one_before_its_first_line(self):
        # What it finds when it loads, not when it runs.
        look = ("import socket\ntry:\n    socket.socket(socket.AF_INET)\n    loaded = 'socket'\nexcept OSError:\n    loaded = 'refused'\n"
                "import pathlib\nprivileges = [line for line in pathlib.Path('/proc/self/status').read_text().splitlines()\n"
                "              if line.startswith(('NoNewPrivs', 'Seccomp:', 'Uid'))]\n")
        self.publish(before=look, at_run="request['parameters'] = [loaded, privileges]")
        warm = self.record(self.deploy())
        self.assertEqual("warm", warm["start"]["mode"])
        loaded, privileges = warm["result"]["parameters"]
        self.assertEqual("refused", loaded)
        self.assertIn("NoNewPrivs:\t1", privileges)
        self.assertIn("Seccomp:\t2", privileges)
        if os.geteuid() == 0:
            self.assertIn("Uid:\t65532\t65532\t65532\t65532", privileges)
        self.publish(before=look, at_run="request['parameters'] = [loaded, privileges]", prewarm=False, version="1.0.1")
        cold = self.record(self.deploy())
        self.assertEqual("cold", cold["start"]["mode"])
        self.assertEqual(cold["confinement"], warm["confinement"])

    def test_the_socket_is_our_users_alone(self):
        self.publish()
        self.record(self.deploy())
        self.assertEqual(0o700, self.pool.stat().st_mode & 0o777)
        self.assertEqual(0o600, (self.pool / "agent.sock").stat().st_mode & 0o777)

    def test_a_long_state_folder_is_no_obstacle(self):
        self.publish()
        self.state = self.folder / ("s" * 150)
        self.pool = self.state / "deployments/probe/pool"
        self.assertEqual("warm", self.record(self.deploy())["start"]["mode"])

    def test_another_version_gets_a_pool_of_its_own(self):
        self.publish()
        self.record(self.deploy())
        first = self.agents()
        self.publish(version="1.0.1")
        self.assertEqual("warm", self.record(self.deploy())["start"]["mode"])
        self.assertEqual(1, len(self.agents()))
        self.assertNotEqual(first, self.agents())

    def test_a_run_that_fails_is_the_capsules_fault(self):
        self.publish(at_run="sys.exit('no luck')")
        done = self.deploy()
        self.assertEqual(16, done.code, done)
        self.assertIn("no luck", done.stderr)
        self.assertIn("capsule-deploy delete probe", done.stderr, "the pool goes on, and that is said")
        self.assertEqual(1, len(self.agents()))
        status = json.loads((self.pool.parent / "proofeddeployment.json").read_text())["status"]
        self.assertEqual("Failed", status["phase"])
        self.assertIn("no luck", next(one["message"] for one in status["conditions"] if one["type"] == "Stalled"))

    def test_a_run_without_a_result_is_not_taken_for_its_ready_line(self):
        self.publish(at_run="sys.exit(0)")
        done = self.deploy()
        self.assertEqual(16, done.code, done)
        self.assertIn("there is none", done.stderr)

    def test_a_run_beyond_its_time_is_ended(self):
        self.publish(at_run="time.sleep(100)")
        done = self.deploy("--timeout", "1s")
        self.assertEqual(41, done.code, done)
        self.assertTrue(when(lambda: len([line for line in self.processes() if "/runner.py" in line]) == 1), self.processes())

    def test_a_run_that_failed_or_timed_out_is_tried_again(self):
        self.publish(at_run="time.sleep(1.5)")
        self.assertEqual(41, self.deploy("--timeout", "1s").code)
        self.assertEqual("warm", self.record(self.deploy())["start"]["mode"])
        self.publish(version="1.0.1", at_run="mark = os.environ['CAPSULE_DATA'] + '/again'\n"
                     "if not os.path.exists(mark):\n    open(mark, 'w').close()\n    os.kill(os.getpid(), 9)")
        self.assertEqual(16, self.deploy().code)
        self.assertEqual("warm", self.record(self.deploy())["start"]["mode"])

    def test_what_the_runner_says_is_passed_on(self):
        self.publish(at_run="print('half way', file=sys.stderr)")
        self.assertIn("run: half way", self.deploy().stderr)


class ColdRuns(WarmCase):
    def cold(self, word, **how):
        self.publish(**how)
        done = self.deploy()
        record = self.record(done)
        self.assertEqual("cold", record["start"]["mode"])
        self.assertIn(word, record["start"]["reason"])
        self.assertIs(record["result"]["warm"], False)
        return done

    def test_no_prewarm(self):
        self.cold("the manifest wants no waiting process", prewarm=False)
        self.assertEqual([], self.agents())

    def test_no_ready_line(self):
        started = time.monotonic()
        done = self.cold("no ready line within 10 s", before="import os\nif os.environ.get('CAPSULE_WARM'):\n    time.sleep(100)\n")
        self.assertIn("a cold run", done.stderr)
        self.assertLess(time.monotonic() - started, 20)

    def test_another_first_line(self):
        self.cold("first line is not", before="print('loading', flush=True)\n")

    def test_an_early_end(self):
        self.cold("cannot load twice", before="if os.environ.get('CAPSULE_WARM'):\n    sys.exit('cannot load twice')\n")

    def test_no_agent(self):
        self.publish()
        programs = copy_without_agent(self.folder)
        done = subprocess.run([programs / "capsule-deploy", *map(str, self.arguments("--outputs", self.folder / "out"))], env=environment(),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("there is no", done.stderr)
        self.assertIn("capsule-agent", done.stderr)


class Deleted(WarmCase):
    def test_delete_ends_all_of_it_and_twice_is_fine(self):
        self.publish()
        record = self.record(self.deploy())
        self.assertEqual(1, len(self.agents()))
        for _ in range(2):
            self.assertEqual(0, self.delete().code)
            self.assertEqual([], self.processes())
            self.assertFalse(self.pool.exists())
        self.assertEqual(record, self.record(self.deploy()), "the run stays on record")
        self.assertEqual(0, run("deploy", "delete", self.reference, "--state", self.state).code)
        self.assertEqual(0, run("deploy", "delete", "never-deployed", "--state", self.state).code)

    def test_what_is_no_name_is_refused(self):
        for text in ("../x", "./x", "/x", "..", "deployments/x", ""):
            self.assertEqual(2, run("deploy", "delete", text, "--state", self.state).code, text)

    def test_a_state_that_cannot_be_looked_at_is_no_success(self):
        done = run("deploy", "delete", "probe", "--state", "/dev/null")
        self.assertEqual(12, done.code, done)
        self.assertIn("/dev/null/deployments/probe", done.stderr)
        self.publish()
        self.state = "/dev/null/state"
        done = self.deploy()
        self.assertEqual(12, done.code, done)
        self.assertNotIn("filesystem error", done.stderr)
        self.assertIn("/dev/null/state", done.stderr)

    def test_a_pool_that_is_a_link_is_not_followed(self):
        self.publish()
        target = self.folder / "target"
        target.mkdir(mode=0o755)
        self.pool.parent.mkdir(parents=True)
        self.pool.symlink_to(target)
        record = self.record(self.deploy())
        self.assertEqual("cold", record["start"]["mode"])
        self.assertIn("must be no link", record["start"]["reason"])
        self.assertEqual(0, self.delete().code)
        self.assertFalse(self.pool.is_symlink())
        self.assertEqual((0o755, []), (target.stat().st_mode & 0o777, list(target.iterdir())))

    def test_an_agent_ends_when_its_folder_goes(self):
        self.publish()
        self.record(self.deploy())
        (self.pool / "agent.sock").unlink()
        self.assertTrue(when(lambda: not self.processes()), self.processes())


class Killed(WarmCase):
    def test_kill_9_of_the_agent_leaves_nothing_and_the_next_deploy_recovers(self):
        self.publish()
        self.record(self.deploy())
        for pid in self.agents():
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(when(lambda: not self.processes()), self.processes())
        self.assertTrue((self.pool / "agent.sock").exists(), "a stale socket")
        self.assertEqual("warm", self.record(self.deploy("--new-run"))["start"]["mode"])

    def test_an_agent_that_is_stopped_costs_seconds_and_a_cold_run(self):
        self.publish()
        self.record(self.deploy())
        agents = self.agents()
        for pid in agents:
            os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            self.assertEqual("cold", self.record(self.deploy("--new-run"))["start"]["mode"])
            self.assertLess(time.monotonic() - began, 20)
        finally:
            for pid in agents:
                os.kill(pid, signal.SIGCONT)

    def test_kill_9_of_the_agent_during_a_run_is_a_cold_run(self):
        self.publish(at_run="time.sleep(2 if warm else 0)")
        process = start("deploy", *self.arguments())
        self.assertTrue(when(self.agents))
        time.sleep(1)
        for pid in self.agents():
            os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        self.assertEqual(0, process.returncode, err)
        self.assertIn('"start":"cold"', out)
        (digest,) = re.findall('"run_record":"sha256:([0-9a-f]{64})"', out)
        record = json.loads((self.maker.registry / "probe/blobs/sha256" / digest).read_text())
        self.assertIn("nothing answers at the socket of the warm pool's agent", record["start"]["reason"])
        self.assertNotIn("localhost", err)

    def test_kill_9_of_deploy_during_a_run_and_the_next_one_takes_its_result(self):
        self.publish(at_run="time.sleep(1.5)")
        process = start("deploy", *self.arguments(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        phase = self.state / "deployments/probe/proofeddeployment.json"
        self.assertTrue(when(lambda: phase.exists() and '"Running"' in phase.read_text()))
        time.sleep(0.2)
        process.kill()
        process.wait()
        began = time.time()
        record = self.record(self.deploy())
        self.assertEqual("warm", record["start"]["mode"])
        started = time.strptime(record["started_at"].partition(".")[0], "%Y-%m-%dT%H:%M:%S")
        self.assertLess(time.mktime(started) - time.timezone, began, "it had begun before")

    def test_kill_9_of_deploy_at_any_moment(self):
        self.publish()
        for moment in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4):
            with self.subTest(moment=moment):
                process = start("deploy", *self.arguments("--new-run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(moment)
                process.kill()
                process.wait()
                self.assertEqual("warm", self.record(self.deploy())["start"]["mode"])
                self.assertEqual(1, len(self.agents()))
        self.assertEqual(0, self.delete().code)
        self.assertEqual([], self.processes())

    def test_a_record_that_was_made_is_attached_again_and_not_made_anew(self):
        self.publish()
        done = self.deploy()
        record = self.record(done)
        digest = done.result["run_record"].partition(":")[2]
        runs = self.state / "deployments/probe/runs"
        [entry] = [file for file in runs.iterdir() if ".record." not in file.name]
        ledger = json.loads(entry.read_text())
        del ledger["record"]
        entry.write_text(json.dumps(ledger))
        kept = runs / f"{ledger['run_id']}.record.json"
        self.assertEqual((self.maker.registry / "probe/blobs/sha256" / digest).read_bytes(), kept.read_bytes())
        self.assertEqual(record, self.record(self.deploy()))
        index = json.loads((self.maker.registry / "probe/index.json").read_text())
        self.assertEqual(1, len([entry for entry in index["manifests"] if "run-record" in entry.get("artifactType", "")]), index)

    def test_one_run_has_one_record_in_however_many_registries(self):
        self.publish()
        first = self.maker.registry
        second = self.folder / "second"
        shutil.copytree(first, second)
        made = self.deploy()
        self.delete()
        self.reference = self.reference.replace(str(first), str(second))
        for _ in range(2):
            found = self.deploy()
            self.assertEqual((made.result["run_record"], made.result["run_id"], "AlreadyDone"),
                             (found.result["run_record"], found.result["run_id"], found.result["phase"]))
            self.maker.registry = second
            self.assertEqual(self.record(made), self.record(found))
            self.assertEqual([], self.agents(), "nothing ran")

    def test_another_budget_is_another_run(self):
        self.publish()
        one, two = (self.deploy("--seed", "5", "--budget", budget) for budget in ("1000", "2000"))
        self.assertNotEqual(one.result["run_id"], two.result["run_id"])
        self.assertEqual(["warm", "warm"], [self.record(done)["start"]["mode"] for done in (one, two)])

    def test_two_at_once_each_have_a_process_of_their_own(self):
        self.publish(prewarm={"replicas": 2}, at_run="time.sleep(0.3)")
        both = [start("deploy", *self.arguments("--parameters", f'{{"number": {number}}}')) for number in (1, 2)]
        for process in both:
            _, err = process.communicate(timeout=60)
            self.assertEqual(0, process.returncode, err)
        records = [self.record(self.deploy("--parameters", f'{{"number": {number}}}')) for number in (1, 2)]
        self.assertEqual([1, 2], [record["result"]["parameters"]["number"] for record in records])
        self.assertEqual([1, 1], [record["result"]["runs"] for record in records])


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
