"""Stands between a browser and the dashboard, passes everything on, and notes when which message went by."""

import socket
import threading
import time
from typing import NamedTuple

BINARY = 2
JPEG = b"\xff\xd8\xff"


class Passed(NamedTuple):
    """A message of the dashboard's websocket: whole when `when`, in seconds of `time.perf_counter`."""

    when: float
    to_server: bool
    jpeg: bool
    size: int


class Relay:
    """Listens on a free port of this computer and passes on to `port`; threads end with the process."""

    def __init__(self, port: int) -> None:
        self.passed: list[Passed] = []
        self._target = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            browser, _ = self._door.accept()
            server = socket.create_connection(("127.0.0.1", self._target))
            for end in (browser, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink in ((browser, server), (server, browser)):
                threading.Thread(target=self._pass_on, args=(source, sink, sink is server), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, to_server: bool) -> None:
        start, frames, socketed = b"", _Frames(), False
        try:
            while chunk := source.recv(1 << 20):
                sink.sendall(chunk)
                if not socketed:
                    start = (start + chunk)[-4096:]
                    head, blank, chunk = start.partition(b"\r\n\r\n")
                    socketed = bool(blank) and b"upgrade: websocket" in head.lower()
                if socketed:
                    now = time.perf_counter()
                    self.passed += [Passed(now, to_server, JPEG in body, len(body)) for body in frames.take(chunk)]
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # one side has gone, so the other one goes
            source.close()
            sink.close()


class _Frames:
    """Takes a websocket's bytes apart (RFC 6455, 5.2); what a browser sends stays masked."""

    def __init__(self) -> None:
        self._left = b""

    def take(self, chunk: bytes) -> list[bytes]:
        """The bodies of the binary messages that are whole now."""
        self._left += chunk
        bodies = []
        while (ends := self._ends()) is not None:
            begin, end = ends
            if self._left[0] & 15 == BINARY:
                bodies.append(self._left[begin:end])
            self._left = self._left[end:]
        return bodies

    def _ends(self) -> tuple[int, int] | None:
        """Where the body of the first frame begins and ends, if it is whole."""
        if len(self._left) < 2:
            return None
        length, begin = self._left[1] & 127, 2
        if length > 125:
            begin += 2 if length == 126 else 8
            length = int.from_bytes(self._left[2:begin], "big")
        begin += 4 if self._left[1] & 128 else 0  # the mask
        return (begin, begin + length) if len(self._left) >= begin + length else None
