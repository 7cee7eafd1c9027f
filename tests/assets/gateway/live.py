"""A live gateway on loopback: challenge, authentication, metadata, records. Each connection plays the next script."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import socket
import threading
import time
from collections.abc import Sequence

import databento_dbn
import numpy as np

from tests.assets.gateway.days import INSTRUMENT_ID, SYMBOL, header
from tests.assets.gateway.server import KEY

_CRAM = "t7kNhwj4xqR0QYjzFKtBEG2ec2pXJ4FK"
Step = bytes | np.ndarray | float | None  # to send, seconds to wait, or None: stay silent until the client leaves


def mapping(day_ns: int) -> bytes:
    """The gateway's word on which number the symbol has."""
    raw, number = databento_dbn.SType.RAW_SYMBOL, databento_dbn.SType.INSTRUMENT_ID
    return bytes(databento_dbn.SymbolMappingMsg(0, INSTRUMENT_ID, day_ns, raw, SYMBOL, number, SYMBOL, 0, 0))


def heartbeat(ts_ns: int) -> bytes:
    """The gateway is there."""
    return bytes(databento_dbn.SystemMsg(ts_ns, "Heartbeat", databento_dbn.SystemCode.HEARTBEAT))


class LiveGateway:
    """`asked` holds what clients have said; `scripts` what the connections get, one after the other."""

    def __init__(self, day: dt.date, *scripts: Sequence[Step]) -> None:
        self.asked: list[str] = []
        self.scripts = list(scripts)
        self._day = day
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """No further connection."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as line, contextlib.suppress(OSError):  # the client may leave at any time
            client.sendall(f"lsg_version=0.6.0\ncram={_CRAM}\n".encode())
            said = line.readline().decode()
            self.asked.append(said)
            wanted = hashlib.sha256(f"{_CRAM}|{KEY}".encode()).hexdigest()
            if f"auth={wanted}-{KEY[-5:]}|" not in said:
                client.sendall(b"success=0|error=User authentication failed: invalid key\n")
                return
            client.sendall(b"success=1|session_id=5\n")
            while not self.asked[-1].startswith("start_session"):
                self.asked.append(line.readline().decode())
            client.sendall(header(self._day, mapped=False))
            self._play(client, self.scripts.pop(0) if self.scripts else [None])

    def _play(self, client: socket.socket, script: Sequence[Step]) -> None:
        for step in script:
            if isinstance(step, float):
                time.sleep(step)
            elif step is None:
                client.settimeout(30)
                client.recv(1)
            else:
                client.sendall(step if isinstance(step, bytes) else step.tobytes())
