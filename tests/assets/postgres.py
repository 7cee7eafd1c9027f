"""A Postgres of one's own on loopback, below a temporary folder, run by somebody who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import find_postgres

USERS = ("postgres", "nobody")  # initdb refuses root; one of these is everywhere


def _user() -> str | None:
    """Who runs the server: this process's user, or another one where that is root."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in USERS if name in known)


@contextmanager
def cluster(*databases: str) -> Iterator[dict[str, str]]:
    """URL by name of these empty databases; the server ends with the context."""
    bin_dir, user = find_postgres(), _user()
    assert bin_dir is not None, "Postgres is not installed"
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:  # short: it holds a socket
        root = Path(folder)
        if user is not None:
            shutil.chown(root, user)
        data = root / "data"
        made = [bin_dir / "initdb", "-D", data, "-U", "vp", "--auth=trust", "--encoding=UTF8", "--locale=C", "-N"]
        subprocess.run(made, user=user, cwd=root, check=True, stdout=subprocess.DEVNULL)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [bin_dir / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", root, "-F"]
        server = subprocess.Popen(command, user=user, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield {name: _create(name, port) for name in databases}
        finally:
            server.send_signal(signal.SIGINT)  # a fast end: pools of connections are not waited for
            server.wait(30)


def _create(name: str, port: int) -> str:
    """URL of a new database, once the server answers."""
    import psycopg2

    until = time.monotonic() + 30
    while True:
        try:
            connection = psycopg2.connect(host="127.0.0.1", port=port, user="vp", dbname="postgres")
            break
        except psycopg2.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    connection.autocommit = True
    connection.cursor().execute(f'create database "{name}"')
    connection.close()
    return f"postgresql+psycopg2://vp@127.0.0.1:{port}/{name}"
