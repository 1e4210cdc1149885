"""The capsule's own code at a proof, hook and replays, runs in pods of its own, which have neither key nor token."""
import json
import signal
import time
import unittest

from proof_maker import hook
from proof_pods_case import ProofPodsCase

# Looks for what it must not have; each find is a line of its stderr.
CURIOUS = '''
import glob, socket
def told(*words): print(*words, file=sys.stderr, flush=True)
told("uid", os.getuid())
told("found", sorted(glob.glob("/var/run/secrets/*/*") + glob.glob("/run/secrets/*/*") + glob.glob("/keys/*") + glob.glob("/agent/*")))
seen = ""
for name in glob.glob("/proc/[0-9]*/environ"):
    try: seen += open(name).read()
    except OSError: pass
told("key in an environment", "the-api-key" in seen, "of", len(glob.glob("/proc/[0-9]*")) > 0)
def reaches(host, port):
    try: socket.create_connection((host, port), 3).close()
    except OSError as error: return type(error).__name__
    return "reached"
relay = os.environ["PROOF_SERVICE_URL"].rpartition(":")[2]
told("relay", reaches("127.0.0.1", relay))
for host, port in (("127.0.0.1", 8700), ("127.0.0.1", 8701), ("10.99.0.1", 6443), ("10.99.0.1", 5000)):
    told("socket", host, port, reaches(host, port))
'''


class ProofPods(ProofPodsCase):
    def test_a_proof_whose_hook_and_replays_run_in_pods(self):
        self.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "capsule-proof-service"}, "stringData": {"api-key": "the-api-key"}})
        reference, record = self.proven_run("inpods", hook(CURIOUS))
        done = self.prove(reference, record)
        self.assertEqual(0, done.code, done)
        self.assertIs(False, done.result["already_proven"])
        self.assertEqual({"score-is-objective", "near-optimal", "like-the-reference"}, {claim["claim"] for claim in done.result["claims"]})
        said = [line.partition("hook: ")[2] for line in done.stderr.splitlines() if "hook: " in line]
        self.assertEqual(["uid 65532", "found []", "key in an environment False of True", "relay reached",
                          "socket 127.0.0.1 8700 PermissionError", "socket 127.0.0.1 8701 PermissionError",
                          "socket 10.99.0.1 6443 PermissionError", "socket 10.99.0.1 5000 PermissionError"], said)
        self.assertEqual(2, done.stderr.count("-run-"), done.stderr)
        self.assertNotIn("warning", done.stderr)
        self.assert_no_pod_is_left()
        self.assertIs(True, self.prove(reference, record).result["already_proven"])

    def test_one_that_was_killed_goes_on_and_leaves_no_pod(self):
        reference, record = self.proven_run("killed", hook("import time; time.sleep(5)"))

        def asked(process):
            """The hook's pod, once it runs."""
            pods = {pod["metadata"]["name"]: pod for pod in self.wait_for("the hook's pod", lambda: process.poll() is not None or [
                pod for pod in self.proof_pods() if pod["metadata"]["name"].endswith("-hook") and pod["status"].get("phase") == "Running"])}
            [pod] = [pod for name, pod in pods.items() if name.endswith("-hook")]
            return pod

        process = self.start_proving(reference, record)
        asked(process)
        process.terminate()
        self.assertEqual(-signal.SIGTERM, process.wait(60))
        self.assert_no_pod_is_left()
        self.run_out_of_proof()

        process = self.start_proving(reference, record)
        left = asked(process)
        process.kill()
        process.wait(60)
        mounts = {container["name"]: {mount["name"] for mount in container["volumeMounts"]} for container in left["spec"]["containers"]}
        self.assertEqual({"runner": {"agent", "capsule", "data", "tmp"}, "relay": {"proof-service"}}, mounts, "no token, and the key in the relay alone")
        [lease] = [lease for lease in self.get("leases")["items"] if lease["metadata"]["name"].startswith("capsule-proof-")]
        self.assertEqual([self.object("killed")["metadata"]["uid"]], [owner["uid"] for owner in lease["metadata"]["ownerReferences"]])
        [proof_id] = [word.partition("=")[2] for word in left["spec"]["containers"][1]["command"] if word.startswith("--proof-id=")]
        self.assertEqual([left["metadata"]["uid"]], [pod["metadata"]["uid"] for pod in self.proof_pods() if pod["metadata"]["name"].endswith("-hook")])

        self.run_out_of_proof()
        done = self.prove(reference, record)
        self.assertEqual((0, proof_id, False), (done.code, done.result.get("proof_id"), done.result.get("already_proven")), done)
        self.assert_no_pod_is_left()
        again = self.prove(reference, record)
        self.assertEqual((done.result["proof_bundle"], True), (again.result["proof_bundle"], again.result["already_proven"]))

    def test_two_at_once(self):
        """Of two loops for one capsule: their pods share no state folder."""
        reference, record = self.proven_run("two", hook("import time; time.sleep(8)"))
        first, second = self.start_proving(reference, record), self.start_proving(reference, record, state="elsewhere")
        said = [process.communicate(timeout=240) for process in (first, second)]
        self.assertEqual([0, 0], [first.returncode, second.returncode], said)
        results = [json.loads(out) for out, _ in said]
        self.assertEqual(1, len({result["proof_bundle"] for result in results}), results)
        self.assertEqual({True, False}, {result["already_proven"] for result in results})
        [waited] = [error for result, (_, error) in zip(results, said) if result["already_proven"]]
        self.assertRegex(waited, "another proof of this run is at work: .*capsule-proof-.* is held by .*_.*: waiting")

    def test_who_waits_takes_over_from_one_that_dies(self):
        reference, record = self.proven_run("dies", hook("import time; time.sleep(8)"))
        first = self.start_proving(reference, record)
        self.wait_for("its pod", self.proof_pods)
        second = self.start_proving(reference, record, state="elsewhere")
        while ": waiting" not in (line := second.stderr.readline()):
            self.assertNotEqual("", line)
        first.kill()
        out, error = second.communicate(timeout=240)
        self.assertEqual(0, second.returncode, error)
        self.assertIs(False, json.loads(out)["already_proven"])
        self.assert_no_pod_is_left()

    def test_a_quota_with_room_for_one_pod(self):
        reference, record = self.proven_run("quota", hook())
        self.wait_for("the end of the run's pod", lambda: not self.get("pods")["items"])
        self.must("create", "quota", "one", "--hard=pods=1")
        self.addCleanup(self.must, "delete", "quota", "one")
        self.wait_for("the quota", lambda: "hard" in self.get("quota", "one").get("status", {}))
        self.must("patch", "quota", "one", "--type=merge", "-p", '{"spec": {"hard": {"pods": "0"}}}')
        self.wait_for("no room", lambda: self.get("quota", "one")["status"]["hard"] == {"pods": "0"})
        began = time.monotonic()
        done = self.prove(reference, record)
        self.assertEqual(40, done.code, done)
        self.assertIn("its quota is used up", done.stderr.splitlines()[-1])
        self.assertGreater(time.monotonic() - began, 20)
        self.must("patch", "quota", "one", "--type=merge", "-p", '{"spec": {"hard": {"pods": "1"}}}')
        self.assertEqual(0, self.prove(reference, record).code)

    def test_a_pod_that_is_lost_is_worth_another_try(self):
        reference, record = self.proven_run("lost", hook("import time; time.sleep(600)"))
        process = self.start_proving(reference, record)

        def at_work():
            return process.poll() is not None or [pod["metadata"]["name"] for pod in self.proof_pods() if pod["status"].get("phase") == "Running"
                                                  and pod["metadata"]["name"].endswith("-hook") and len(pod["spec"]["containers"]) == sum(
                                                      status["ready"] for status in pod["status"]["containerStatuses"])]

        [name] = self.wait_for("the hook's pod", at_work)
        self.must("delete", "pod", name, "--force", "--grace-period=0")
        self.assertEqual(40, process.wait(120))
        self.assertIn(f"pod {name} was deleted while it was at work", process.stderr.read())


if __name__ == "__main__":
    unittest.main()
