"""lib/kube against an apiserver that misbehaves, over real TLS: certificates, tokens, watches that are cut."""
import base64
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from certificates import make_certificate
from connect_proxy import ConnectProxy
from fake_apiserver import Answer, FakeApiserver, event, status
from kube_driver import call

UNTRUSTED, DENIED, UNAVAILABLE, TIMED_OUT, BUSY = 11, 13, 40, 41, 42
VERSION_ONE = "client.authentication.k8s.io/v1"


class FakeCase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def serve(self, **how):
        server = FakeApiserver(self.folder, **how)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def done(self, outcome):
        self.assertEqual(outcome.code, 0, outcome)
        return outcome.stdout.splitlines()

    def refused(self, outcome, code, *words):
        self.assertEqual(outcome.code, code, outcome)
        self.assertEqual(len(outcome.stderr.splitlines()), 1, outcome)
        for word in words:
            self.assertIn(word, outcome.stderr)


class Certificates(FakeCase):
    def test_a_ca_that_is_not_the_clusters_is_refused_and_named(self):
        server = self.serve()
        other, _ = make_certificate(self.folder, "other")
        config = server.kubeconfig(cluster={"certificate-authority": str(other)}, token="a-token")
        self.refused(call("document", "/version", kubeconfig=config), UNTRUSTED, "certificate-authority", str(config))
        # Nor does the system's trust come in beside it.
        trusted = self.folder / "trusted"
        trusted.mkdir()
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", server.certificate], check=True, capture_output=True, text=True).stdout.strip()
        (trusted / f"{name}.0").write_bytes(server.certificate.read_bytes())
        outcome = call("document", "/version", kubeconfig=config, env={"SSL_CERT_FILE": str(server.certificate), "SSL_CERT_DIR": str(trusted)})
        self.refused(outcome, UNTRUSTED)
        self.assertEqual(server.requests, [])

    def test_what_is_no_certificate_is_told_from_one_that_is_not_trusted(self):
        server = self.serve()
        config = server.kubeconfig(cluster={"certificate-authority-data": base64.b64encode(b"nothing").decode()}, token="a-token")
        self.refused(call("document", "/version", kubeconfig=config), 2, "certificate-authority")
        self.assertEqual(server.requests, [])

    def test_verification_is_never_skipped(self):
        server = self.serve()
        config = server.kubeconfig(cluster={"insecure-skip-tls-verify": True}, token="a-token")
        self.refused(call("document", "/version", kubeconfig=config), 2, "always verified", "certificate-authority")

    def test_a_certificate_for_another_name_needs_tls_server_name(self):
        server = self.serve(names="DNS:inner.example")
        self.refused(call("document", "/version", kubeconfig=server.kubeconfig(token="a-token")), UNTRUSTED)
        config = server.kubeconfig(cluster={"tls-server-name": "inner.example"}, token="a-token")
        self.done(call("document", "/version", kubeconfig=config))
        self.assertEqual(server.requests[0].headers["host"], server.url.removeprefix("https://"))

    def test_a_client_certificate_from_files_or_data_says_who_we_are(self):
        certificate, key = make_certificate(self.folder, "jane")
        server = self.serve(clients=certificate)
        named = server.kubeconfig(client_certificate="jane.pem", client_key="jane.key")
        self.done(call("document", "/version", kubeconfig=named))
        data = {f"client_{name}_data": base64.b64encode(file.read_bytes()).decode() for name, file in (("certificate", certificate), ("key", key))}
        self.done(call("document", "/version", kubeconfig=server.kubeconfig(**data)))
        self.assertEqual([seen.client for seen in server.requests], ["jane", "jane"])
        self.assertNotEqual(call("document", "/version", kubeconfig=server.kubeconfig(token="a-token"), retry="1s").code, 0)

    def test_a_certificate_that_is_too_old_is_told(self):
        """An apiserver says no more than 401."""
        certificate, key = make_certificate(self.folder, "jane", days=-1)
        server = self.serve()
        server.answers.append(status(401, "Unauthorized", "Unauthorized"))
        config = server.kubeconfig(client_certificate=str(certificate), client_key=str(key))
        self.refused(call("document", "/version", kubeconfig=config), DENIED, "401 Unauthorized", "user 'u'", "whose certificate ended on 2")

    def test_an_encrypted_key_is_refused_and_nobody_is_asked(self):
        certificate, key = make_certificate(self.folder, "jane")
        server = self.serve(clients=certificate)
        locked = self.folder / "locked.key"
        subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-out", locked, "-passout", "pass:sesame"], check=True)
        config = server.kubeconfig(client_certificate=str(certificate), client_key=str(locked))
        self.refused(call("document", "/version", kubeconfig=config, timeout=20), 2, "passphrase", "user 'u'")


class Proxies(FakeCase):
    def test_proxy_url_leads_even_to_loopback_and_the_servers_certificate_still_counts(self):
        server = self.serve(names="DNS:inner.example")
        with ConnectProxy() as proxy:
            config = server.kubeconfig(cluster={"proxy-url": proxy.url, "tls-server-name": "inner.example"}, token="a-token")
            self.done(call("document", "/version", kubeconfig=config))
            self.assertEqual(proxy.asked, [server.url.removeprefix("https://")])
            self.refused(call("document", "/version", kubeconfig=server.kubeconfig(cluster={"proxy-url": proxy.url})), UNTRUSTED)
        gone = server.kubeconfig(cluster={"proxy-url": "http://127.0.0.1:1", "tls-server-name": "inner.example"}, token="a-token")
        self.refused(call("document", "/version", kubeconfig=gone, retry="300ms"), UNAVAILABLE, f"(through the proxy that proxy-url in {gone} names)")
        self.assertEqual(len(server.requests), 1)
        # A mistake in the file is said at once, and not tried for as long as an apiserver may be away.
        wrong = server.kubeconfig(cluster={"proxy-url": "ftp://127.0.0.1:1"})
        self.refused(call("document", "/version", kubeconfig=wrong, retry="100s", timeout=30), 2, f"{wrong}, cluster 'c'", "(at /proxy-url)")

    def test_a_socks_proxy_resolves_the_servers_name(self):
        """As kubectl has it: `socks5` hands the name on (RFC 1928, address type 3)."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            asked = []

            def answer():
                line, _ = listener.accept()
                with line:
                    line.recv(16)
                    line.sendall(b"\x05\x00")
                    asked.append(line.recv(300))
                    listener.close()  # the next try finds nobody

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            config = self.serve().kubeconfig(cluster={"server": "https://nowhere.invalid:6443", "proxy-url": f"socks5://127.0.0.1:{listener.getsockname()[1]}"})
            self.refused(call("document", "/version", kubeconfig=config, retry="300ms"), UNAVAILABLE)
            thread.join(30)
        self.assertIn(b"\x03\x0fnowhere.invalid", asked[0])


class Tokens(FakeCase):
    def test_a_token_that_rotates_is_read_again(self):
        server = self.serve()
        server.tokens = {"old"}
        token = self.folder / "token"
        token.write_text("old\n")
        config = server.kubeconfig(tokenFile="token")

        def rotate(*_):
            token.write_text("new\n")
            server.tokens = {"new"}
        self.done(call("document", "/version", kubeconfig=config))
        rotate()
        self.done(call("document", "/version", kubeconfig=config))
        self.assertEqual([seen.headers["authorization"] for seen in server.requests], ["Bearer old", "Bearer new"])

    def test_a_token_that_is_refused_is_in_no_message(self):
        server = self.serve()
        server.tokens = set()
        outcome = call("document", "/version", kubeconfig=server.kubeconfig(token="sesame"))
        self.refused(outcome, DENIED, "user 'u' of context 'x'")
        self.assertNotIn("sesame", outcome.stderr)
        self.assertEqual(len(server.requests), 1)

    def test_a_plug_ins_credentials_are_renewed_when_they_are_refused(self):
        server = self.serve()
        server.tokens = {"t2"}
        plugin = self.folder / "plugin"
        count = self.folder / "count"
        plugin.write_text(f"""#!/bin/sh
echo x >> {count}
echo '{{"apiVersion": "{VERSION_ONE}", "kind": "ExecCredential", "status": {{"token": "t'$(wc -l < {count})'"}}}}'
""")
        plugin.chmod(0o755)
        config = server.kubeconfig(exec={"apiVersion": VERSION_ONE, "command": "./plugin", "interactiveMode": "Never"})
        self.done(call("document", "/version", kubeconfig=config))
        self.assertEqual([seen.headers["authorization"] for seen in server.requests], ["Bearer t1", "Bearer t2"])

    def test_a_plug_in_that_fails_or_writes_garbage_is_named(self):
        server = self.serve()
        for script, word in (("echo sesame", "no ExecCredential"), ("echo sesame; exit 3", "exit code 3")):
            plugin = self.folder / "plugin"
            plugin.write_text(f"#!/bin/sh\n{script}\n")
            plugin.chmod(0o755)
            config = server.kubeconfig(exec={"apiVersion": VERSION_ONE, "command": "./plugin", "interactiveMode": "Never"})
            outcome = call("document", "/version", kubeconfig=config)
            self.refused(outcome, DENIED, word, "plugin")
            self.assertNotIn("sesame", outcome.stderr)
        config = server.kubeconfig(exec={"apiVersion": VERSION_ONE, "command": "./none", "interactiveMode": "Never", "installHint": "go to the shop"})
        self.refused(call("document", "/version", kubeconfig=config), 2, "go to the shop")
        self.assertEqual(server.requests, [])


class Answers(FakeCase):
    def test_429_and_5xx_are_tried_again_and_in_the_end_an_error(self):
        server = self.serve()
        server.answers += [Answer(429, {"Retry-After": "1"}), Answer(500), Answer(200, {}, {"good": True})]
        self.assertEqual(self.done(call("document", "/version", kubeconfig=server.kubeconfig(token="a-token"), requests=True)), ['{"good":true}', "requests 3"])
        server.answers += [status(503, "ServiceUnavailable", "later")] * 9
        self.refused(call("document", "/version", kubeconfig=server.kubeconfig(token="a-token"), retry="1s"), UNAVAILABLE, "later")

    def test_a_server_that_is_slow_or_not_there(self):
        server = self.serve()
        server.answers += [Answer(pause=20)]
        outcome = call("document", "/version", kubeconfig=server.kubeconfig(token="a-token"), **{"try": "500ms", "retry": "100ms"})
        self.refused(outcome, TIMED_OUT)
        config = server.kubeconfig(cluster={"server": "https://127.0.0.1:1"}, token="a-token")
        self.refused(call("document", "/version", kubeconfig=config, retry="500ms"), UNAVAILABLE, "cannot get /version")

    def test_who_waits_with_a_call_may_ask_the_cluster(self):
        server = self.serve()
        server.answers += [Answer(200, {}, {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}}]}, pause=3)]
        lines = self.done(call("list", "pods", ns="team", kubeconfig=server.kubeconfig(token="a-token"), inside=True))
        self.assertEqual([lines[0], lines[-1]], ["inside {}", '"a"'])

    def test_plain_http_is_for_loopback_alone(self):
        server = self.serve()
        config = server.kubeconfig(cluster={"server": "http://cluster.example"}, token="a-token")
        self.refused(call("document", "/version", kubeconfig=config), 2, "plain http")

    def test_an_answer_that_is_no_json_is_an_error_of_ours(self):
        server = self.serve()
        server.answers += [Answer(200, {}, [b"<html>"])]
        self.refused(call("document", "/version", kubeconfig=server.kubeconfig(token="a-token")), 10)


class Watches(FakeCase):
    def watch(self, server, **options):
        return call("watch", "pods", ns="team", kubeconfig=server.kubeconfig(token="a-token"), **options)

    def test_a_watch_that_is_cut_in_mid_line_goes_on_without_a_gap(self):
        server = self.serve()
        whole = event("MODIFIED", "b", 9)
        server.answers += [Answer(200, {}, {"metadata": {"resourceVersion": "7"}, "items": [{}]}),
                           Answer(200, {}, [event("ADDED", "a", 8), whole[:20]], cut=True),
                           Answer(reset=True),
                           Answer(429, {"Retry-After": "1"}),
                           Answer(200, {}, [whole[:5], whole[5:]])]
        self.assertEqual(self.done(self.watch(server, count=3)), ["listed 1 7", "added a 8", "modified b 9", "stopped"])
        froms = [seen.path.split("resourceVersion=")[1].split("&")[0] for seen in server.requests if "watch=true" in seen.path]
        self.assertEqual(froms, ["7", "8", "8", "8"])

    def test_410_begins_anew(self):
        server = self.serve()
        gone = b'{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":410,"reason":"Expired"}}\n'
        server.answers += [Answer(200, {}, [event("ADDED", "a", 8), gone]),
                           Answer(200, {}, {"metadata": {"resourceVersion": "30"}, "items": []}),
                           Answer(200, {}, [event("ADDED", "b", 31)])]
        self.assertEqual(self.done(self.watch(server, count=3, **{"from": 7})), ["added a 8", "listed 0 30", "added b 31", "stopped"])

    def test_a_watch_on_which_nothing_comes_ends_with_its_time(self):
        server = self.serve()
        server.answers += [Answer(200, {}, [], pause=20)]
        self.assertEqual(self.done(self.watch(server, time="2s", **{"from": 7})), ["timed out"])

    def test_who_waits_with_it_can_end_it(self):
        server = self.serve()
        server.answers += [Answer(200, {}, [], pause=20)]
        self.refused(self.watch(server, throw=True, **{"from": 7}), BUSY, "had enough")

    def test_an_apiserver_that_stays_away_is_an_error_in_the_end(self):
        server = self.serve()
        server.answers += [Answer(reset=True)] * 50
        self.refused(self.watch(server, outage="1s", **{"from": 7}), UNAVAILABLE)

    def test_the_handler_may_ask_the_cluster(self):
        server = self.serve()
        server.answers += [Answer(200, {}, [event("ADDED", "a", 8)] * 2), Answer(200, {}, {"resources": [{"name": "pods"}]}), Answer(404)]
        lines = self.done(self.watch(server, count=2, inside=True, **{"from": 7}))
        self.assertEqual(lines, ["added a 8", "inside true", "added a 8", "inside false", "stopped"])


if __name__ == "__main__":
    unittest.main()
