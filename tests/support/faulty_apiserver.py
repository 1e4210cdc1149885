"""A proxy before a real apiserver that puts in faults, by plain HTTP on loopback: `faulty_apiserver.py KUBECONFIG < faults`.

It speaks for whom the kubeconfig (JSON, client certificate in files) speaks for. A fault is for the first so many requests
with a method and a part of their path and query; it is one of
    {"status": 429, "headers": {…}, "reason": "…"}   the answer, and the apiserver hears nothing of it
    {"status": 404, "text": "…"}                     the same, where it has no such path
    {"answer": {…}}                                  as that, of what goes well: that document
    {"lost": true}                                   the apiserver is asked, its answer never comes
    {"cut": 0.5}                                     its answer ends in the middle after so many seconds
Its first line says its URL; one line more for each request that the apiserver has answered, and for each fault that was put in.
"""
import http.client
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Upstream:
    def __init__(self, kubeconfig):
        document = json.loads(open(kubeconfig, encoding="utf-8").read())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self.server = urlsplit(cluster["server"])
        self.context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self.context.load_cert_chain(user["client-certificate"], user["client-key"])

    def ask(self, method, path, body, headers):
        connection = http.client.HTTPSConnection(self.server.hostname, self.server.port, context=self.context, timeout=60)
        connection.request(method, path, body, headers)
        return connection.getresponse()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.fault()
        if "status" in fault:
            return self.refuse(fault)
        if "answer" in fault:
            return self.send(200, json.dumps(fault["answer"]), {})
        kept = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection", "content-length")}
        reply = self.server.upstream.ask(self.command, self.path, body, kept)
        self.say(method=self.command, path=self.path, status=reply.status)
        if fault.get("lost"):
            reply.read()
            return self.hang_up()
        self.send_response(reply.status)
        for key, value in reply.getheaders():
            if key.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(key, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.relay(reply, time.monotonic() + fault["cut"] if "cut" in fault else None)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def fault(self):
        with self.lock:
            for fault in self.server.faults:
                if fault["times"] > 0 and fault["method"] == self.command and fault["part"] in self.path:
                    fault["times"] -= 1
                    break
            else:
                return {}
        self.say(method=self.command, path=self.path, fault=fault)
        return fault

    def say(self, **what):
        with self.lock:
            print(json.dumps(what), flush=True)

    def refuse(self, fault):
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": fault["status"], "reason": fault.get("reason", ""),
                  "message": "a fault that was put in", "details": {"name": "x"}}
        headers = {"Content-Type": "text/plain; charset=utf-8"} if "text" in fault else {}
        return self.send(fault["status"], fault.get("text") or json.dumps(status), {**headers, **fault.get("headers", {})})

    def send(self, code, text, headers):
        text = text.encode()
        self.send_response(code)
        for key, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(text)

    def relay(self, reply, until):
        if until:
            threading.Timer(until - time.monotonic(), self.hang_up).start()
        try:
            while piece := reply.read1(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def hang_up(self):
        self.close_connection = True
        try:
            self.connection.shutdown(2)
        except OSError:
            pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.upstream = Upstream(sys.argv[1])
    server.faults = json.load(sys.stdin)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
