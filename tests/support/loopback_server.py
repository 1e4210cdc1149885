"""The HTTP server under a test's own services: on a free loopback port, with TLS if asked for, ended with its `with` block."""
import ssl
import threading
from http.server import ThreadingHTTPServer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients that go away in mid-request are what such tests are about."""


class LoopbackServer:
    def __init__(self, handler, tls=None, host="127.0.0.1"):
        """handler: a BaseHTTPRequestHandler. tls: (certificate, key) files."""
        self.scheme = "https" if tls else "http"
        self.server = _Server((host, 0), handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            # The handshake is the handler thread's, not that of the thread which accepts.
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
