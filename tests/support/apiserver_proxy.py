"""A proxy before the tests' own API server (faulty_apiserver.py): puts faults in, and knows what was asked."""
import json
import subprocess
import sys

from steps import SOURCE


class ApiserverProxy:
    """with ApiserverProxy(case, faults) as proxy: a step that gets --kubeconfig proxy.kubeconfig goes through it."""

    def __init__(self, case, faults=()):
        self.case, self.faults = case, faults

    def __enter__(self):
        program = SOURCE / "tests/support/faulty_apiserver.py"
        words = [*self.case.cluster.network.enter, sys.executable, "-B", program, self.case.cluster.kubeconfig]
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.case.addCleanup(self.process.kill)
        self.process.stdin.write(json.dumps(list(self.faults)))
        self.process.stdin.close()
        document = json.loads(self.case.cluster.kubeconfig.read_text(encoding="utf-8"))
        document["clusters"][0].update(cluster={"server": self.process.stdout.readline().strip()})
        self.kubeconfig = self.case.folder / f"proxy-{self.process.pid}.kubeconfig"
        self.kubeconfig.write_text(json.dumps(document), encoding="utf-8")
        return self

    def __exit__(self, *_):
        """Afterwards `requests` are those that were answered, as (method, path with query, status), and `put_in` the faults that were met."""
        self.process.kill()
        lines = [json.loads(line) for line in self.process.stdout]
        self.process.stdout.close()
        self.process.wait()
        self.requests = [(line["method"], line["path"], line["status"]) for line in lines if "fault" not in line]
        self.put_in = [line["fault"] for line in lines if "fault" in line]
