"""`/v0/timeseries.get_range`, `/v0/metadata.*` and `/v0/batch.*` over HTTP on loopback, with faults on order.

A fault is taken by the first `times` requests whose path holds `path`; what the vendor's service would do otherwise is
what happens then.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.assets.gateway.days import day_file

KEY = "db-0123456789abcdefghijklmnopqrs"


@dataclass
class Fault:
    """status: answer with it. cut: announce the length, send half, close. truncate: announce none, send half, close.
    drop: do what is asked, then `act`, and answer nothing."""

    path: str
    kind: str
    times: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    act: Callable[[], None] = lambda: None


class Gateway:
    """The vendor: days it has, what it says of them, jobs of the account, and what was asked of it."""

    def __init__(self, *days: dt.date) -> None:
        self.files = {day: day_file(day) for day in days}
        self.conditions = {day.isoformat(): "available" for day in days}
        self.published_until = "2030-01-01T00:00:00.000000000Z"
        self.usd_a_day = 0.5
        self.faults: list[Fault] = []
        self.wrong_hash = 0  # how many listed hashes are wrong yet
        self.polls_before_done = 1
        self.jobs: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"gateway": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        """Base of every address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def calls(self, path: str) -> int:
        """Requests whose path holds this."""
        return sum(path in asked for asked in self.asked)

    def take_fault(self, path: str) -> Fault | None:
        """The fault of a request, if one is on order."""
        for fault in self.faults:
            if fault.path in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def days_between(self, form: dict[str, str]) -> list[dt.date]:
        """Days that the service has of a request."""
        first, after = form["start"][:10], form["end"][:10]
        return [day for day in sorted(self.files) if first <= day.isoformat() < after]

    def submit(self, form: dict[str, str]) -> dict[str, Any]:
        """A new job, described as the service does."""
        same = ("dataset", "symbols", "schema", "stype_in", "stype_out", "encoding", "compression", "split_duration")
        job = {name: form[name] for name in same} | {
            "id": f"GLBX-20261122-{len(self.jobs):010d}",
            "state": "queued",
            "start": f"{form['start']}T00:00:00.000000000Z",
            "end": f"{form['end']} 00:00:00+00:00",
            "limit": None,
            "ts_received": dt.datetime.now(dt.UTC).isoformat(),
            "progress": 0,
            "polls": 0,
        }
        self.jobs.append(job)
        return job

    def look(self, job_id: str) -> dict[str, Any]:
        """A job, a step nearer to its end."""
        job = next(job for job in self.jobs if job["id"] == job_id)
        job["polls"] += 1
        if job["state"] != "expired" and job["polls"] > self.polls_before_done:
            job["state"], job["progress"] = "done", 100
        return job

    def list_files(self, job_id: str) -> list[dict[str, Any]]:
        """Files of a job, one a day and the usual companion."""
        job = next(job for job in self.jobs if job["id"] == job_id)
        rows = [{"filename": "metadata.json", "size": 2, "hash": "sha256:0", "urls": {"https": f"{self.url}/none"}}]
        for day in self.days_between(job):
            content = self.files[day][0]
            digest = hashlib.sha256(content).hexdigest()
            if self.wrong_hash > 0:
                self.wrong_hash -= 1
                digest = "0" * 64
            name = f"glbx-mdp3-{day:%Y%m%d}.mbo.dbn.zst"
            where = f"{self.url}/v0/batch/download/{job_id}/{name}"
            rows.append({"filename": name, "size": len(content), "hash": f"sha256:{digest}", "urls": {"https": where}})
        return rows


class _Handler(BaseHTTPRequestHandler):
    gateway: Gateway
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        self._answer({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer({name: values[0] for name, values in parse_qs(body).items()})

    def _answer(self, form: dict[str, str]) -> None:
        gateway, path = self.gateway, urlsplit(self.path).path
        gateway.asked.append(path)
        expected = base64.b64encode(f"{KEY}:".encode()).decode()
        given = self.headers.get("Authorization", "")
        if given != f"Basic {expected}":
            self._json({"detail": f"no account has the key in {given}"}, 401)  # a service that talks too much
            return
        fault = gateway.take_fault(path)
        if fault is not None and fault.kind == "status":
            self._json({"detail": "not now"}, fault.status, fault.headers)
            return
        if form.get("end", "")[:10] > gateway.published_until[:10] and "batch" not in path:
            self._json({"detail": "data_end_after_available_end"}, 422)
            return
        made = self._made(path, form)
        if fault is not None and fault.kind == "drop":
            fault.act()
            self.close_connection = True
        elif isinstance(made, bytes):
            self._bytes(made, fault.kind if fault is not None else "")
        else:
            self._json(made)

    def _made(self, path: str, form: dict[str, str]) -> Any:
        gateway = self.gateway
        call = path.removeprefix("/v0/")
        if call.startswith("batch/download/"):
            day = dt.datetime.strptime(call.rsplit("-", 1)[1][:8], "%Y%m%d").date()
            return gateway.files[day][0]
        if call == "timeseries.get_range":
            return gateway.files[gateway.days_between(form)[0]][0]
        answers = {
            "metadata.get_dataset_condition": lambda: [
                {"date": day, "condition": word, "last_modified_date": None if word == "missing" else "2026-03-01"}
                for day, word in sorted(gateway.conditions.items())
                if form["start_date"] <= day <= form["end_date"]
            ],
            "metadata.get_dataset_range": lambda: {
                "start": "2010-06-06T00:00:00Z",
                "end": gateway.published_until,
                "schema": {"mbo": {"start": "2017-05-21T00:00:00Z", "end": gateway.published_until}},
            },
            "metadata.get_cost": lambda: gateway.usd_a_day * len(gateway.days_between(form)),
            "metadata.get_record_count": lambda: sum(gateway.files[day][1] for day in gateway.days_between(form)),
            "batch.submit_job": lambda: gateway.submit(form),
            "batch.list_jobs": lambda: [job for job in gateway.jobs if job["state"] in form["states"].split(",")],
            "batch.get_job_details": lambda: gateway.look(form["job_id"]),
            "batch.list_files": lambda: gateway.list_files(form["job_id"]),
        }
        return answers[call]()

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _bytes(self, content: bytes, fault: str) -> None:
        asked = self.headers.get("Range")
        if asked is not None:
            content = content[int(asked.removeprefix("bytes=").split("-")[0]) :]
        self.send_response(200 if asked is None else 206)
        if fault != "truncate":
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content if fault not in ("cut", "truncate") else content[: len(content) // 2])
        self.close_connection = True
