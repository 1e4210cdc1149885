"""capsule-download over HTTP, from a server that misbehaves."""
import gzip
import hashlib
import os
import signal
import socket
import tempfile
import threading
import time
import unittest
from pathlib import Path

from fault_server import Fault, FaultServer
from steps import environment, is_sanitized, peak_memory, run, start

SIBLINGS = (".sigstore.json", ".oci.sigstore.json", ".oci.json")


class Http(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.store = self.folder / "store"
        self.data = gzip.compress(os.urandom(3_000_000), mtime=0)
        self.digest = "sha256:" + hashlib.sha256(self.data).hexdigest()
        self.server = FaultServer()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)
        self.server.files["/p.tar.gz"] = self.data

    def download(self, *arguments, url=None, **kwargs):
        return run("download", "--store", self.store, *arguments, "--", url or self.server.url("/p.tar.gz"), **kwargs)

    def assert_whole(self, done):
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.result["capsule"], self.digest)
        self.assertEqual(Path(done.result["path"]).read_bytes(), self.data)
        self.assertEqual(list(self.store.rglob("*.part")), [])

    def assert_nothing_kept(self):
        self.assertEqual([path for path in self.store.rglob("*") if path.is_file()], [])

    def test_an_encoding_that_was_not_asked_for_is_refused(self):
        self.server.faults.append(Fault(headers={"Content-Encoding": "gzip"}))
        done = self.download()
        self.assertEqual(10, done.code, done)
        self.assertIn("Content-Encoding 'gzip'", done.stderr)
        self.assert_nothing_kept()
        self.server.faults.append(Fault(headers={"Content-Encoding": "identity"}))
        self.assert_whole(self.download())

    # -- the plain way

    def test_package_and_siblings(self):
        self.server.files["/p.tar.gz.oci.json"] = b"{}"
        done = self.download("--digest", self.digest)
        self.assert_whole(done)
        self.assertEqual(Path(done.result["path"] + ".oci.json").read_bytes(), b"{}")
        self.assertFalse(Path(done.result["path"] + ".sigstore.json").exists())
        self.assertEqual(len(self.server.requests), 4)

    def test_with_its_digest_in_the_store_nothing_is_asked(self):
        self.download()
        self.server.requests.clear()
        again = self.download("--digest", self.digest)
        self.assert_whole(again)
        self.assertTrue(again.result["already_there"])
        self.assertEqual(self.server.requests, [])

    def test_without_a_digest_it_asks_whether_it_changed(self):
        self.download()
        self.server.requests.clear()
        again = self.download()
        self.assert_whole(again)
        self.assertTrue(again.result["already_there"])
        self.assertEqual([seen.status for seen in self.server.requests], [304])
        self.data = gzip.compress(b"another", mtime=0)
        self.digest = "sha256:" + hashlib.sha256(self.data).hexdigest()
        self.server.files["/p.tar.gz"] = self.data
        changed = self.download()
        self.assert_whole(changed)

    def test_no_length_and_no_validators(self):
        self.server.faults.append(Fault(no_length=True, headers={"ETag": None, "Last-Modified": None}))
        self.assert_whole(self.download())

    # -- what goes wrong on the way, and is gone on with

    def test_cut_lines_are_gone_on_with(self):
        for cut in (0, 1, 100, 1_000_000, len(self.data) - 1):
            with self.subTest(cut=cut):
                self.server.requests.clear()
                self.server.faults.append(Fault(cut_after=cut))
                self.store = self.folder / f"store{cut}"
                self.assert_whole(self.download())
                self.assertEqual(self.server.sent("/p.tar.gz"), len(self.data))
                self.assertEqual(self.server.requests[1].headers.get("if-range"),
                                 self.server.etag(self.data) if cut else None)

    def test_last_modified_serves_where_there_is_no_etag(self):
        self.server.etags = False
        self.server.faults.append(Fault(cut_after=1000))
        self.assert_whole(self.download())
        self.assertEqual(self.server.requests[1].headers["if-range"], self.server.last_modified)
        self.assertEqual(self.server.sent("/p.tar.gz"), len(self.data))

    def test_a_weak_etag_is_no_reason_to_go_on(self):
        for _ in range(2):
            self.server.faults.append(Fault(cut_after=1_000_000, headers={"ETag": 'W/"1"', "Last-Modified": None}))
        done = self.download()
        self.assertEqual(done.code, 0, done)
        self.assertTrue(all("if-range" not in seen.headers for seen in self.server.requests))

    def test_a_server_that_ignores_ranges_sends_all_again(self):
        self.server.faults += [Fault(cut_after=1_000_000), Fault(ignore_range=True)]
        self.assert_whole(self.download())

    def test_a_range_that_begins_elsewhere_is_not_believed(self):
        self.server.faults += [Fault(cut_after=1_000_000), Fault(shift_range=5)]
        self.assert_whole(self.download())
        self.server.faults.clear()

    def test_another_content_is_begun_anew(self):
        other = gzip.compress(os.urandom(2_000_000), mtime=0)
        self.server.files["/p.tar.gz"] = other
        self.server.faults.append(Fault(cut_after=1_500_000))
        for _ in range(6):
            self.server.faults.append(Fault(status=503))
        self.assertEqual(self.download().code, 40)
        self.server.faults.clear()
        self.server.files["/p.tar.gz"] = self.data
        self.assert_whole(self.download())

    def test_another_content_behind_a_server_without_if_range(self):
        self.server.faults += [Fault(cut_after=1_000_000, headers={"ETag": '"old"'}),
                               Fault(headers={"ETag": '"new"', "Content-Range":
                                              f"bytes 1000000-{len(self.data) - 1}/{len(self.data)}"}, status=206,
                                     body=self.data[1_000_000:])]
        self.assert_whole(self.download())

    def test_416_where_all_is_here_already(self):
        self.server.faults += [Fault(no_length=True, cut_after=len(self.data), headers={"Content-Length": None}),
                               ]
        self.assert_whole(self.download())

    def test_416_for_what_became_shorter(self):
        self.server.faults += [Fault(cut_after=1_000_000),
                               Fault(status=416, headers={"Content-Range": "bytes */500"})]
        self.assert_whole(self.download())

    def test_busy_servers_are_waited_for(self):
        self.server.faults += [Fault(status=429, headers={"Retry-After": "1"}), Fault(status=503), Fault(status=502),
                               Fault(reset=True)]
        began = time.monotonic()
        self.assert_whole(self.download())
        self.assertGreaterEqual(time.monotonic() - began, 1)

    def test_a_long_retry_after_is_left_to_the_orchestrator(self):
        self.server.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
        began = time.monotonic()
        self.assertEqual(self.download().code, 40)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(len(self.server.requests), 1)

    def test_501_and_505_are_not_tried_again(self):
        for status in (501, 505):
            self.server.requests.clear()
            self.server.faults.append(Fault(status=status))
            self.assertEqual(self.download().code, 10)
            self.assertEqual(len(self.server.requests), 1)

    def test_a_server_that_falls_silent(self):
        for _ in range(5):
            self.server.faults.append(Fault(pause=30))
        began = time.monotonic()
        done = self.download("--timeout", "1s")
        self.assertEqual(done.code, 41, done)
        self.assertLess(time.monotonic() - began, 60)

    # -- what is refused

    def test_statuses_have_their_exit_codes(self):
        for status, code in ((400, 10), (401, 13), (403, 13), (404, 12), (410, 12), (416, 10), (206, 10), (204, 10)):
            with self.subTest(status=status):
                self.server.faults.append(Fault(status=status))
                done = self.download()
                self.assertEqual(done.code, code, done)
                self.assertEqual(len(done.stderr.splitlines()), 1)
                self.assert_nothing_kept()

    def test_a_wrong_digest_keeps_nothing(self):
        done = self.download("--digest", "sha256:" + "0" * 64)
        self.assertEqual(done.code, 11, done)
        self.assert_nothing_kept()

    def test_a_wrong_length_is_noticed(self):
        for _ in range(5):
            self.server.faults.append(Fault(length=len(self.data) + 10))
        self.assertIn(self.download().code, (10, 40))
        self.server.faults.clear()
        self.assertFalse((self.store / "sha256").exists())

    def test_an_endless_body_ends_at_the_cap(self):
        self.server.files["/p.tar.gz"] = self.data
        self.server.faults.append(Fault(no_length=True, endless=True))
        done = self.download("--max-bytes", "10000000")
        self.assertEqual(done.code, 10, done)
        self.assert_nothing_kept()

    def test_an_announced_size_over_the_cap_is_not_begun(self):
        self.assertEqual(self.download("--max-bytes", "1000000").code, 10)
        self.assertLess(self.server.sent(), len(self.data) + 1)
        self.assert_nothing_kept()

    def test_no_gzip_is_refused_early(self):
        self.server.files["/p.tar.gz"] = b"<html>" + bytes(50_000_000)
        self.assertEqual(self.download().code, 10)
        self.assertLess(self.server.sent(), 20_000_000)
        self.assert_nothing_kept()

    def test_an_endless_sibling_is_refused(self):
        self.server.faults.append(Fault(path="/p.tar.gz.sigstore.json", status=200, endless=True, no_length=True))
        self.assertEqual(self.download().code, 10)
        self.assertEqual(list(self.store.rglob("package.tar.gz*")), [])

    def test_what_is_no_http(self):
        for raw in (b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30_000 + b"\r\n",
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n\x1f\x8b\x08..."):
            with self.subTest(raw[:40]):
                self.server.faults.append(Fault(raw=raw))
                done = self.download()
                self.assertIn(done.code, (10, 40), done)
                self.server.faults.clear()

    def test_a_header_without_end_is_a_bad_answer(self):
        self.server.faults.append(Fault(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000_000 + b"\r\n\r\n"))
        done = self.download()
        self.assertEqual(done.code, 10, done)
        self.assertIn("header", done.stderr)

    # -- redirects

    def test_redirects_are_followed_within_bounds(self):
        self.server.faults += [Fault(status=302, headers={"Location": "/a"}),
                               Fault(status=307, headers={"Location": f"//127.0.0.1:{self.server.port}/p.tar.gz"})]
        self.assert_whole(self.download())

    def test_a_redirect_to_another_host(self):
        with FaultServer() as other:
            other.files["/blob"] = self.data
            self.server.faults.append(Fault(status=302, headers={"Location": other.url("/blob?token=s3cret")}))
            self.assert_whole(self.download())

    def test_a_redirect_loop_ends(self):
        for _ in range(20):
            self.server.faults.append(Fault(status=302, headers={"Location": "/p.tar.gz"}))
        done = self.download()
        self.assertEqual(done.code, 10, done)
        self.assertEqual(len(self.server.requests), 6)

    def test_redirects_that_are_refused(self):
        cases = {"http://example.com/p": 13, "http://169.254.169.254/": 13, "file:///etc/passwd": 10,
                 "https://u:s3cret@example.com/": 10, "http://": 10,
                 "https://169.254.169.254/latest?k=s3cret": 13}
        for location, code in cases.items():
            with self.subTest(location):
                self.server.faults.append(Fault(status=302, headers={"Location": location}))
                done = self.download()
                self.assertEqual(done.code, code, done)
                self.assertNotIn("s3cret", done.stderr)

    # -- resume in a new process

    def kill_in_mid_transfer(self, after):
        process = start("download", "--store", self.store, self.server.url("/p.tar.gz"))
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            if sum(path.stat().st_size for path in self.store.rglob("*.part")) >= after:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def test_a_new_process_goes_on_where_a_killed_one_was(self):
        self.server.delay = 0.02
        for step in range(1, 4):
            self.kill_in_mid_transfer(step * 600_000)
        here = sum(path.stat().st_size for path in self.store.rglob("*.part"))
        self.assertGreaterEqual(here, 1_800_000)
        self.assertEqual(list(self.store.rglob("package.tar.gz")), [])
        self.server.delay = 0.0
        self.server.requests.clear()
        self.assert_whole(self.download())
        self.assertEqual(self.server.sent("/p.tar.gz"), len(self.data) - here)

    def test_what_is_whole_needs_no_request_after_a_kill(self):
        self.server.delay = 0.02
        self.kill_in_mid_transfer(1_000_000)
        [part] = self.store.rglob("*.part")
        part.write_bytes(self.data)
        self.server.requests.clear()
        self.assert_whole(self.download())
        self.assertEqual(self.server.sent("/p.tar.gz"), 0)

    def test_a_partial_file_without_its_state_is_not_used(self):
        self.server.delay = 0.02
        self.kill_in_mid_transfer(1_000_000)
        [state] = self.store.rglob("*.json")
        state.write_text("{")
        self.server.delay = 0.0
        self.server.requests.clear()
        self.assert_whole(self.download())
        self.assertEqual(self.server.sent("/p.tar.gz"), len(self.data))

    def test_after_a_reboot_only_what_was_durable_counts(self):
        self.server.delay = 0.02
        self.kill_in_mid_transfer(1_000_000)
        [state] = self.store.rglob("*.json")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        state.write_text(state.read_text().replace(boot, "0" * 36))
        self.server.delay = 0.0
        self.server.requests.clear()
        self.assert_whole(self.download())
        self.assertEqual(self.server.sent("/p.tar.gz"), len(self.data))

    def test_pieces_that_do_not_fit_are_found_by_the_digest(self):
        self.server.delay = 0.02
        self.kill_in_mid_transfer(1_000_000)
        [part] = self.store.rglob("*.part")
        content = bytearray(part.read_bytes())
        content[500] ^= 1
        part.write_bytes(content)
        self.server.delay = 0.0
        self.assert_whole(self.download("--digest", self.digest))

    def test_two_processes_download_one_url(self):
        self.server.delay = 0.01
        first = start("download", "--store", self.store, self.server.url("/p.tar.gz"))
        second = start("download", "--store", self.store, self.server.url("/p.tar.gz"))
        for process in (first, second):
            out, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, err)
            self.assertIn(self.digest, out)

    def test_sigterm_ends_it_within_a_second_and_keeps_what_is_here(self):
        self.server.delay = 0.05
        process = start("download", "--store", self.store, self.server.url("/p.tar.gz"))
        while not any(path.stat().st_size for path in self.store.rglob("*.part")):
            time.sleep(0.01)
        began = time.monotonic()
        process.terminate()
        process.communicate(timeout=10)
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.server.delay = 0.0
        self.assert_whole(self.download())

    # -- the surroundings

    def test_nobody_listens(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        done = self.download(url=f"http://127.0.0.1:{port}/p")
        self.assertEqual(done.code, 40, done)

    def test_a_name_that_nobody_has(self):
        done = self.download(url="https://nobody.invalid/p.tar.gz")
        self.assertEqual(done.code, 40, done)

    def test_proxies_are_not_used_for_loopback(self):
        env = environment(http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9",
                          all_proxy="http://127.0.0.1:9")
        self.assert_whole(self.download(env=env))

    def test_a_name_that_resolves_is_refused_unless_loopback(self):
        done = self.download(url=f"http://{socket.gethostname()}:{self.server.port}/p.tar.gz")
        self.assertEqual(done.code, 2, done)

    def test_memory_is_constant(self):
        self.server.files["/big"] = self.data[:10] + bytes(200 << 20)
        code, peak = peak_memory("download", "--store", self.store, self.server.url("/big"))
        self.assertEqual(code, 0)
        if not is_sanitized("download"):
            self.assertLessEqual(peak, 24 << 20)


if __name__ == "__main__":
    unittest.main()
