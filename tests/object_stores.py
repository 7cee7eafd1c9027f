"""S3 servers as processes of their own on loopback: moto (knows conditions) and rclone (keeps what it is given, in a
folder, and knows none). `serving` sets the AWS_* variables that point at one, and ends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

KEY, SECRET, BUCKET = "spymaster", "not-a-secret", "lake"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _moto(port: int, folder: Path) -> list[str]:
    return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


def _rclone(port: int, folder: Path) -> list[str]:
    program = str(Path(sys.executable).with_name("rclone"))
    keys = ["--auth-key", f"{KEY},{SECRET}", "--vfs-cache-mode", "off", "--config", str(folder / "none.conf")]
    return [program, "serve", "s3", "--addr", f"127.0.0.1:{port}", *keys, str(folder)]


SERVERS = {"moto": _moto, "rclone": _rclone}


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[str]:
    """A server over `folder` with an empty bucket (what the folder holds, for rclone); yields the bucket's URL."""
    port = _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    variables = {
        "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in variables}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(SERVERS[kind](port, folder), stdout=log, stderr=log)
    try:
        _wait(server, port)
        os.environ.update(variables)
        fsspec.filesystem("s3").clear_instance_cache()  # clients remember endpoints
        fsspec.filesystem("s3", use_listings_cache=False).mkdirs(BUCKET, exist_ok=True)
        yield f"s3://{BUCKET}"
    finally:
        server.terminate()
        server.wait(timeout=20)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        fsspec.get_filesystem_class("s3").clear_instance_cache()


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server does not answer")
