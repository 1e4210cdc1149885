"""The shipped loop on a real cluster, every step as a pod, for a capsule that is in no registry: an https server beside the cluster has it."""
import sys
import unittest

import step_pods
from certificates import make_certificate
from deploy_case import HOST, REGISTRY
from loop import LOOPS, WAIVED
from loop_case import LoopCase
from steps import environment, run

ADDRESS = HOST.partition(":")[0]
SERVER = """
import functools, http.server, ssl, sys
folder, address, certificate, key = sys.argv[1:]
server = http.server.ThreadingHTTPServer((address, 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
# What the README tells an administrator whose server has a certificate of their own authority.
OWN_AUTHORITY = {"capsule-download": {"SSL_CERT_FILE": "/registry/ca/ca.crt"}}


class FromAUrl(LoopCase):
    on_node = True  # the server is in the cluster's network

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = f"oci://{REGISTRY}/{cls.namespace}/of-the-loop"  # which has nothing
        served = cls.folder / "served"
        served.mkdir()
        for path in cls.folder.glob(f"{cls.package.name}*"):
            (served / path.name).write_bytes(path.read_bytes())
        certificate, key = make_certificate(cls.folder, "server", f"IP:{ADDRESS}")
        server = cls.started((sys.executable, "-c", SERVER, served, ADDRESS, certificate, key))
        cls.addClassCleanup(server.communicate)
        cls.addClassCleanup(server.kill)
        cls.reference = f"https://{ADDRESS}:{int(server.stdout.readline())}/{cls.package.name}"
        cls.install()
        cls.must("create", "configmap", "capsule-registry-ca", f"--from-file=ca.crt={certificate}")
        cls.programs = step_pods.beside_capsule_run(cls.folder / "bin", cls.namespace, OWN_AUTHORITY)

    def loop(self, *more):
        words = (self.programs / "capsule-run", LOOPS / "capsule-deploy-loop.yaml", "-p", f"source={self.reference}", "-p", f"registry={self.registry}",
                 "-p", f"insecure-registry={HOST}", "-p", "hand-over=registry", "-p", f"target={self.target}", "-p", f"allow-unmet={WAIVED}", *more)
        return self._run(words, environment(CAPSULE_STATE=str(self.folder / "steps"), HOME=str(self.folder)), None, 500)

    def test_it_is_proved_and_a_stranger_s_is_refused_by_verify(self):
        done = self.loop()
        self.assertEqual(0, done.code, done)
        self.assertEqual("capsule://m2n2-metal:0.1.0?proof=true", done.result["uri"])
        self.must("wait", "--for=condition=Proved", "pd/m2n2-metal", "--timeout=5s")
        accounts = {pod["metadata"]["labels"]["step"]: pod["spec"]["serviceAccountName"] for pod in self.get("pods", "-l", "step")["items"]}
        self.assertEqual("capsule-step", accounts["download"])

        stranger = self.folder / "served/stranger.tar.gz"
        for step, *words in (("sign", "keygen", "--out", self.folder / "stranger"), ("pack", self.maker.capsule("strange"), "--out", stranger),
                             ("sign", stranger, "--key", self.folder / "stranger.pem")):
            self.assertEqual(0, run(step, *words).code)
        done = self.loop("-p", f"source={self.reference.rpartition('/')[0]}/stranger.tar.gz")
        self.assertEqual(11, done.code, done)
        steps = [pod["metadata"]["labels"]["step"] for pod in self.get("pods", "-l", "step")["items"]]
        self.assertEqual((2, 2, 1), tuple(steps.count(name) for name in ("download", "verify", "publish")))
        tag = self.inside("verify", f"{self.registry}/strange:0.1.0", "--insecure-registry", HOST, "--trust", self.trust, "--state", self.state)
        self.assertEqual(12, tag.code, tag)  # nothing has that name


if __name__ == "__main__":
    unittest.main()
