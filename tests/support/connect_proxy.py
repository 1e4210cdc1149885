"""A proxy on loopback that opens tunnels (RFC 9110, section 9.3.6), notes where to, and can refuse:

    with ConnectProxy() as proxy:
        download(..., https_proxy=proxy.url)
    self.assertEqual(["far.example:443"], proxy.asked)
"""
import socket
import threading


class ConnectProxy:
    def __init__(self, port=None, refusal=None, user=""):
        """Every tunnel ends at `port` of loopback where that is given; `refusal` is a status with its reason."""
        self.port, self.refusal = port, refusal
        self.asked, self.lines = [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://{user}{user and '@'}127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for line in (self.listener, *self.lines):
            line.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.tunnel, args=(client,), daemon=True).start()

    def tunnel(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        method, target, _ = head.decode().split(None, 2)
        assert method == "CONNECT", method
        self.asked.append(target)
        if self.refusal:
            client.sendall(f"HTTP/1.1 {self.refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            return client.close()
        host, _, port = target.rpartition(":")
        server = socket.create_connection(("127.0.0.1", self.port) if self.port else (host, int(port)))
        self.lines += [client, server]
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self.relay, args=(server, client), daemon=True).start()
        self.relay(client, server)

    @staticmethod
    def relay(source, target):
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
