"""capsule-download over https: whom it trusts, and what it does not."""
import gzip
import hashlib
import os
import tempfile
import unittest
from pathlib import Path

from certificates import make_certificate
from connect_proxy import ConnectProxy
from fault_server import Fault, FaultServer
from steps import environment, is_sanitized, peak_memory, run


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        folder = cls.temporary.name
        cls.good = make_certificate(folder, "good")
        cls.other_host = make_certificate(folder, "other", "DNS:other.example")
        cls.expired = make_certificate(folder, "expired", days=-1)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.store = Path(temporary.name) / "store"
        self.data = gzip.compress(os.urandom(500_000), mtime=0)
        self.digest = "sha256:" + hashlib.sha256(self.data).hexdigest()

    def serve(self, tls):
        server = FaultServer(tls=tls)
        server.__enter__()
        self.addCleanup(server.__exit__)
        server.files["/p.tar.gz"] = self.data
        return server

    def download(self, server, trusted, host="127.0.0.1"):
        env = environment(**({"SSL_CERT_FILE": str(trusted)} if trusted else {}))
        return run("download", "--store", self.store, "--", server.url("/p.tar.gz", host), env=env)

    def assert_refused(self, done):
        self.assertEqual(done.code, 11, done)
        self.assertEqual([path for path in self.store.rglob("*") if path.is_file()], [])

    def test_a_server_that_is_trusted(self):
        server = self.serve(self.good)
        for host in ("127.0.0.1", "localhost"):
            done = self.download(server, self.good[0], host)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(done.result["capsule"], self.digest)

    def test_a_cut_line_is_gone_on_with(self):
        server = self.serve(self.good)
        server.faults.append(Fault(cut_after=300_000))
        self.assertEqual(self.download(server, self.good[0]).code, 0)
        self.assertEqual(server.sent("/p.tar.gz"), len(self.data))

    def test_servers_that_are_not_trusted(self):
        self.assert_refused(self.download(self.serve(self.good), None))
        self.assert_refused(self.download(self.serve(self.good), self.other_host[0]))
        self.assert_refused(self.download(self.serve(self.other_host), self.other_host[0]))
        self.assert_refused(self.download(self.serve(self.expired), self.expired[0]))

    def test_a_file_of_certificates_that_is_none(self):
        server = self.serve(self.good)
        self.assertEqual(self.download(server, "/nowhere.pem").code, 2)
        self.assertEqual(self.download(server, self.good[1]).code, 2)

    def test_never_from_https_to_http(self):
        server = self.serve(self.good)
        with FaultServer() as plain:
            plain.files["/p.tar.gz"] = self.data
            server.faults.append(Fault(status=302, headers={"Location": plain.url("/p.tar.gz?token=s3cret")}))
            done = self.download(server, self.good[0])
            self.assertEqual(done.code, 13, done)
            self.assertNotIn("s3cret", done.stderr)
            self.assertEqual(plain.requests, [])

    def test_through_the_proxy_of_the_environment(self):
        certificate = make_certificate(self.temporary.name, "far", "DNS:far.invalid")
        server = self.serve(certificate)
        proxy = self.enterContext(ConnectProxy(server.port, user="user:s3cret"))
        url = "https://far.invalid/p.tar.gz"
        env = {"SSL_CERT_FILE": str(certificate[0]), "https_proxy": proxy.url}
        done = run("download", "--store", self.store, url, env=environment(**env))
        self.assertEqual(done.code, 0, done)
        self.assertEqual(set(proxy.asked), {"far.invalid:443"})
        # The same host without the proxy cannot even be found.
        done = run("download", "--store", self.store, url + "2", env=environment(**env, no_proxy=".invalid"))
        self.assertEqual(done.code, 40, done)

    def test_a_proxy_that_refuses(self):
        for refusal in ("407 Proxy Authentication Required", "502 Bad Gateway"):
            proxy = self.enterContext(ConnectProxy(refusal=refusal, user="user:s3cret"))
            done = run("download", "--store", self.store, "https://far.invalid/p.tar.gz",
                       env=environment(https_proxy=proxy.url))
            self.assertIn(done.code, (13, 40), done)
            self.assertNotIn("s3cret", done.stderr)

    def test_a_server_that_speaks_no_tls(self):
        with FaultServer() as plain:
            done = run("download", "--store", self.store, f"https://127.0.0.1:{plain.port}/p.tar.gz", timeout=120)
            self.assertEqual(done.code, 40, done)

    def test_memory_with_the_systems_certificates(self):
        server = self.serve(self.good)
        server.files["/big"] = self.data[:10] + bytes(100 << 20)
        bundle = Path(self.temporary.name) / "bundle.pem"
        system = Path("/etc/ssl/certs/ca-certificates.crt")
        bundle.write_bytes((system.read_bytes() if system.exists() else b"") + self.good[0].read_bytes())
        code, peak = peak_memory("download", "--store", self.store, server.url("/big"),
                                 env=environment(SSL_CERT_FILE=str(bundle)))
        self.assertEqual(code, 0)
        if not is_sanitized("download"):
            self.assertLessEqual(peak, 24 << 20)


if __name__ == "__main__":
    unittest.main()
