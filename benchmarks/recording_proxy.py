"""A TCP proxy between a browser and the dashboard that records the messages of the websocket with their times."""

import socket
import threading
import time
from typing import NamedTuple

BINARY = 2
JPEG = b"\xff\xd8\xff"


class Message(NamedTuple):
    """A complete message of the websocket; `time` is in seconds of `time.perf_counter`."""

    time: float
    to_server: bool
    jpeg: bool
    size: int


class RecordingProxy:
    """Listens on a free port of this computer and forwards to `port`; its threads end with the process."""

    def __init__(self, port: int) -> None:
        self.messages: list[Message] = []
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            browser, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._target))
            for end in (browser, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink in ((browser, server), (server, browser)):
                threading.Thread(target=self._forward, args=(source, sink, sink is server), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, to_server: bool) -> None:
        start, frames, upgraded = b"", _Frames(), False
        try:
            while chunk := source.recv(1 << 20):
                sink.sendall(chunk)
                if not upgraded:
                    start = (start + chunk)[-4096:]
                    head, blank, chunk = start.partition(b"\r\n\r\n")
                    upgraded = bool(blank) and b"upgrade: websocket" in head.lower()
                if upgraded:
                    now = time.perf_counter()
                    self.messages += [Message(now, to_server, JPEG in body, len(body)) for body in frames.add(chunk)]
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # one side has closed its connection
            source.close()
            sink.close()


class _Frames:
    """Splits the bytes of a websocket into frames (RFC 6455, 5.2); payloads from a browser stay masked."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, chunk: bytes) -> list[bytes]:
        """Return the payloads of the binary messages that are complete now."""
        self._rest += chunk
        bodies = []
        while (ends := self._ends()) is not None:
            begin, end = ends
            if self._rest[0] & 15 == BINARY:
                bodies.append(self._rest[begin:end])
            self._rest = self._rest[end:]
        return bodies

    def _ends(self) -> tuple[int, int] | None:
        """Return the start and end of the payload of the first frame, or None if the frame is incomplete."""
        if len(self._rest) < 2:
            return None
        length, begin = self._rest[1] & 127, 2
        if length > 125:
            begin += 2 if length == 126 else 8
            length = int.from_bytes(self._rest[2:begin], "big")
        begin += 4 if self._rest[1] & 128 else 0  # the mask
        return (begin, begin + length) if len(self._rest) >= begin + length else None
