"""A relay on loopback before a server of plain HTTP: counts what a client sends over the line, and can cut it there.

    with CountingProxy(registry.port) as proxy:
        proxy.cut = lambda head, sent: sent > limit    # asked before anything is handed on
        proxy.on_cut = process.kill                    # then the server sees the line close
        run("publish", package, "--registry", proxy.location("team"))
        proxy.sent, proxy.received                     # bytes of all connections, heads included

The server must answer with Locations of the host that it is asked as, as docker-registry does, or with relative ones.
"""
import re
import socket
import threading

PIECE = 1 << 18
HEAD = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE) \S+ HTTP/1\.1\r\n")


class CountingProxy:
    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.sent = self.received = 0
        self.cut = None                 # called with (first line of a request or "", bytes sent so far): True cuts
        self.cut_answer = None          # called with the bytes received so far: True cuts
        self.on_cut = lambda: None
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def location(self, base=""):
        return f"oci://{self.host}/{base}".rstrip("/")

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.relay, args=(client, server, self.count_sent), daemon=True).start()
            threading.Thread(target=self.relay, args=(server, client, self.count_received), daemon=True).start()

    def relay(self, source, target, may_pass):
        piece = bytearray(PIECE)
        try:
            while count := source.recv_into(piece):
                if not may_pass(memoryview(piece)[:count]):
                    break
                target.sendall(memoryview(piece)[:count])
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()

    def count_sent(self, piece):
        """A request's head begins a piece, for a client waits for each answer."""
        head = HEAD.match(piece)
        with self.lock:
            if self.cut and self.cut(head[0].decode() if head else "", self.sent):
                self.cut = None
                self.on_cut()
                return False
            self.sent += len(piece)
        return True

    def count_received(self, piece):
        with self.lock:
            if self.cut_answer and self.cut_answer(self.received):
                self.cut_answer = None
                self.on_cut()
                return False
            self.received += len(piece)
        return True
