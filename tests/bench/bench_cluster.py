"""Measures deploys on the Kubernetes of `make cluster`.

    bench_cluster.py [--runs 20] [--deploys 200] [--loops 3] [--requeue-time 1s] [--only WORD[,WORD]]

API calls and their moments are those of the API server's audit log, so what is counted is what was asked, not what a program
says of itself. Exit code 1 if a goal is missed. About five minutes on a quiet machine; `make bench-cluster BENCH_OPTIONS='--deploys 40'`
takes less.

* A run's request is its claim of a waiting pod, as the API server received it. The runner takes the time when it has read the first
  byte of its stdin; both clocks are this machine's.
* A deploy is the whole process, from before its start until after its end.
* The loop in one pod and that of a pod for each step are submitted in turn to an Argo controller, where one acts on the cluster, and find nothing to
  do; each takes from the workflow's start to the end of its last step, as Argo notes them. The exit hook, a pod more in both, is in the row below.
"""
import argparse
import collections
import json
import math
import os
import statistics
import sys
import time
import unittest
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from argo_case import ArgoCase, requeue_time  # noqa: E402
from deploy_case import REGISTRY, DeployCase  # noqa: E402
from shipped_objects import WORKFLOWS  # noqa: E402

# A runner that loads, waits, and says when it was given its request.
RUNNER = """#!/usr/bin/python3
import json, os, sys, time
print('{"ready":true}', flush=True)
first = os.read(0, 1)
came = time.time_ns()
request = json.loads(first + sys.stdin.buffer.read())
print(json.dumps({"came_ns": str(came), "parameters": request["parameters"]}))
"""
KINDS = "pods,deployments,replicasets,leases,configmaps,secrets,poddisruptionbudgets,proofeddeployments"
TICK = WORKFLOWS / "templates/capsule-deploy-loop-tick.yaml"


class AuditLog:
    """What our programs have asked of the API server."""

    def __init__(self, path):
        self.path = path
        self.mark()

    def mark(self):
        """What comes from now on counts."""
        self.offset = self.path.stat().st_size

    def calls(self):
        """Each call since the mark, once."""
        with self.path.open(encoding="utf-8") as log:
            log.seek(self.offset)
            events = [json.loads(line) for line in log if line.endswith("\n")]
        return list({event["auditID"]: event for event in events if event.get("userAgent", "").startswith("capsule-loop/")}.values())


def received_ns(call):
    return int(datetime.fromisoformat(call["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp() * 1e6) * 1000


def p95(values):
    """By nearest rank: of 20 the 19th."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


class Table:
    FORM = "| {:<84} | {:>26} | {:>12} | {:<4} |"

    def __init__(self):
        self.missed = False
        print(self.FORM.format("what", "measured", "goal", "met"))
        print(self.FORM.format(*(["---"] * 4)))

    def row(self, what, measured, goal="", met=None):
        self.missed = self.missed or met is False
        print(self.FORM.format(what, measured, goal, {True: "yes", False: "NO", None: ""}[met]), flush=True)

    def times(self, what, milliseconds, goal=None, of=p95):
        """Median and p95; the goal is for one of them."""
        measured = f"{statistics.median(milliseconds):.0f} ms, p95 {p95(milliseconds):.0f} ms"
        self.row(what, measured, f"<= {goal} ms" if goal else "", of(milliseconds) <= goal if goal else None)


class Bench(DeployCase):
    """The namespace, and capsules in it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.audit = AuditLog(cls.cluster.audit_log)

    @classmethod
    def timed(cls, reference, *more):
        """(result, milliseconds, API calls) of one deploy that has to succeed."""
        cls.audit.mark()
        began = time.monotonic()
        done = cls.deploy(reference, *more)
        took = (time.monotonic() - began) * 1000
        assert done.code == 0, done
        return done.result, took, cls.audit.calls()

    @classmethod
    def objects(cls):
        return collections.Counter(name.partition("/")[0].partition(".")[0] for name in cls.must("get", KINDS, "-o", "name").split())

    @classmethod
    def connections(cls):
        """Of all in the cluster's network: API server, kubelet, registry, pods."""
        done = cls._run(("ss", "-Htn", "state", "established"), None, None, 60)
        assert done.code == 0, done
        return len(done.stdout.splitlines())


def first_run(bench, table, arguments):
    reference = bench.publish("first", runner=RUNNER)
    bench.deployed(reference)
    since_claim, since_start, since_post = [], [], []
    for number in range(arguments.runs):
        began = time.time_ns()
        result, _, calls = bench.timed(reference, "--new-run", "--parameters", json.dumps({"n": number}))
        assert result["start"] == "warm", result
        came = int(bench.record(reference, result["run_record"])["result"]["came_ns"])
        [claim] = [call for call in calls if call["verb"] == "patch" and call["objectRef"]["resource"] == "pods"]
        post = next(call for call in calls if call["objectRef"].get("subresource") == "proxy")
        since_claim.append((came - received_ns(claim)) / 1e6)
        since_post.append((came - received_ns(post)) / 1e6)
        since_start.append((came - began) / 1e6)
    what = f"warm run, {arguments.runs} times: runner's first byte on stdin, since "
    table.times(what + "its claim of a pod", since_claim, 100)
    table.times(what + "the POST to the pod", since_post)
    table.times(what + "the start of capsule-deploy", since_start)


def no_change(bench, table, arguments):
    reference = bench.publish("same")
    bench.deployed(reference)
    milliseconds, counts = [], []
    for _ in range(arguments.runs):
        result, took, calls = bench.timed(reference)
        assert result["phase"] == "AlreadyDone", result
        milliseconds.append(took)
        counts.append(len(calls))
    table.row(f"deploy without a change, {arguments.runs} times: API calls, at most", str(max(counts)), "<= 12", max(counts) <= 12)
    table.times("deploy without a change: the whole process", milliseconds, 150, statistics.median)


def tick(bench, table, _):
    """The shipped tick, walked by capsule-run: each step that it runs is a pod of Argo's."""
    state = bench.folder / "tick"
    trust = state / "configmaps/capsule-trust/trust.yaml"
    trust.parent.mkdir(parents=True)
    trust.write_text(f"version: 1\ncapsule:\n  - keys: [{{file: {bench.maker.public_key}}}]\n")
    reference = bench.publish("tick")
    bench.deployed(reference)
    parameters = {"source": reference, "registry": f"oci://{REGISTRY}/{bench.namespace}", "insecure-registry": REGISTRY, "target": bench.target}
    before = bench.objects()
    bench.audit.mark()
    began = time.monotonic()
    done = bench.inside("run", TICK, *(word for name, value in parameters.items() for word in ("-p", f"{name}={value}")),
                        env={"CAPSULE_STATE": str(state), "HOME": str(bench.folder)})
    took = (time.monotonic() - began) * 1000
    assert done.code == 0 and done.result["action"] == "none", done
    steps = sum(1 for path in (state / "runs").rglob("report.json"))
    assert bench.objects() == before
    table.row(f"tick without a change ({took:.0f} ms, {len(bench.audit.calls())} API calls): pods", str(steps), "1", steps == 1)


def many(bench, table, arguments):
    """Mostly without a change; every tenth is another run, every twentieth another version."""
    version, parameters, failed = 0, "{}", 0
    reference = bench.publish("many", f"1.0.{version}")
    bench.deployed(reference)
    before, connections = settled(bench), bench.connections()
    made = collections.Counter()
    began = time.monotonic()
    for number in range(1, arguments.deploys + 1):
        if number % 20 == 0:
            version += 1
            reference = bench.publish("many", f"1.0.{version}")
        elif number % 10 == 0:
            parameters = json.dumps({"n": number})
        done = bench.deploy(reference, "--parameters", parameters)
        failed += done.code != 0
        made[done.result["phase"] if done.code == 0 else "failed"] += 1
    took = time.monotonic() - began
    after = settled(bench)
    old = after.pop("replicaset") - before.pop("replicaset")
    what = f"{arguments.deploys} deploys in {took:.0f} s ({made['Succeeded']} of them runs, {version} of another version): "
    left = after - before
    table.row(what + "failed", str(made["failed"]), "0", not made["failed"])
    table.row("what they left over: pods, Leases, ConfigMaps, Secrets, budgets", ", ".join(f"{count} {kind}" for kind, count in left.items()) or "nothing",
              "nothing", not left)
    table.row("former ReplicaSets, kept by the Deployment for kubectl rollout undo", str(old), "<= 2", old <= 2)
    more = bench.connections() - connections
    table.row("connections in the cluster, more than before", str(more), "<= 0", more <= 0)
    done = bench.delete("many")
    assert done.code == 0, done
    names = [name for name in bench.must("get", KINDS, "-o", "name").split() if "many" in name]
    table.row("after capsule-deploy delete", ", ".join(names) or "nothing", "nothing", not names)


def settled(bench):
    """The objects when no pod comes or goes any more."""
    end = time.monotonic() + 60
    while any("deletionTimestamp" in pod["metadata"] for pod in bench.get("pods")["items"]) and time.monotonic() < end:
        time.sleep(0.5)
    return bench.objects()


def seconds_between(earlier, later):
    return (datetime.fromisoformat(later.replace("Z", "+00:00")) - datetime.fromisoformat(earlier.replace("Z", "+00:00"))).total_seconds()


def fused(_, table, arguments):
    """Of a ratio under load both sides are slowed: they are measured in turn."""
    try:
        ArgoCase.setUpClass()
        argo = ArgoCase()
        argo.good(argo.submitted("loops/capsule-deploy-loop.yaml"))  # the run, its proof and its index entry
        steps, whole = collections.defaultdict(list), collections.defaultdict(list)
        for _ in range(arguments.loops):
            for name in ("capsule-deploy-loop", "capsule-deploy-loop-fused"):
                workflow = argo.submitted(f"loops/{name}.yaml")
                argo.good(workflow)
                began = workflow["status"]["startedAt"]
                steps[name].append(seconds_between(began, argo.root(workflow)["finishedAt"]))
                whole[name].append(seconds_between(began, workflow["status"]["finishedAt"]))
        requeue = arguments.requeue_time or requeue_time(argo) or "10s"
        goal = 2 if requeue == "1s" else 4
        for what, taken in (("", steps), (", exit hook included", whole)):
            apart, together = (statistics.median(taken[name]) for name in ("capsule-deploy-loop", "capsule-deploy-loop-fused"))
            wanted = (f">= {goal} x", apart >= goal * together) if taken is steps else ("", None)
            table.row(f"loop in one pod against seven, DEFAULT_REQUEUE_TIME={requeue}, {arguments.loops} times{what}",
                      f"{apart:.0f} s / {together:.0f} s = {apart / together:.1f} x", *wanted)
    except unittest.SkipTest as reason:
        table.row("loop in one pod against seven", "not measured", ">= 4 x, 2 x")
        print(reason, file=sys.stderr)
    finally:
        ArgoCase.doClassCleanups()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--deploys", type=int, default=200)
    parser.add_argument("--loops", type=int, default=3)
    parser.add_argument("--requeue-time", help="DEFAULT_REQUEUE_TIME of Argo's controller, where it is no Deployment of the cluster that says so; else 10s")
    parser.add_argument("--only", default="", help="the rows of some functions: first_run, no_change, tick, many, fused")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        Bench.setUpClass()
        bench, table = Bench(), Table()
        for rows in (first_run, no_change, tick, many, fused):
            if not arguments.only or rows.__name__ in arguments.only.split(","):
                rows(bench, table, arguments)
    except unittest.SkipTest as reason:
        print(reason, file=sys.stderr)
        return 77
    finally:
        Bench.doClassCleanups()
    print(f"{time.monotonic() - began:.0f} s; load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(table.missed)


if __name__ == "__main__":
    sys.exit(main())
