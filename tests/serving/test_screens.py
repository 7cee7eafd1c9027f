"""The built screens over HTTP: encodings, ETags, and what is said before they are built."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from vp_serving.server.screens import MAIN_PAGE, Screens, accepted_encodings

SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / MAIN_PAGE).write_text("<!doctype html>")
    script = tmp_path / "assets" / "page-abc.js"
    script.write_bytes(SCRIPT)
    Path(f"{script}.gz").write_bytes(gzip.compress(SCRIPT))
    return tmp_path


@pytest.fixture
def client(dist: Path) -> Iterator[TestClient]:
    app = FastAPI()
    app.mount("/", Screens(dist))
    with TestClient(app) as made:
        yield made


def test_a_script_is_sent_packed_to_a_client_that_accepts_it(client: TestClient) -> None:
    answer = client.get("/assets/page-abc.js", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) < len(SCRIPT) / 4
    assert answer.content == SCRIPT


@pytest.mark.parametrize("header", ["identity", "gzip;q=0", ""])
def test_a_client_that_does_not_accept_it_gets_the_file_itself(client: TestClient, header: str) -> None:
    answer = client.get("/assets/page-abc.js", headers={"Accept-Encoding": header})
    assert "content-encoding" not in answer.headers
    assert answer.content == SCRIPT


@pytest.mark.parametrize("header", ["identity", "gzip"])
def test_a_file_that_the_client_has_is_not_sent_again(client: TestClient, header: str) -> None:
    first = client.get("/assets/page-abc.js", headers={"Accept-Encoding": header})
    again = client.get(
        "/assets/page-abc.js", headers={"Accept-Encoding": header, "If-None-Match": first.headers["etag"]}
    )
    assert again.status_code == 304
    assert again.content == b""


def test_each_encoding_has_an_etag_of_its_own(client: TestClient) -> None:
    tags = {
        client.get("/assets/page-abc.js", headers={"Accept-Encoding": header}).headers["etag"]
        for header in ("identity", "gzip")
    }
    assert len(tags) == 2


def test_a_packed_file_older_than_its_source_is_not_sent(client: TestClient, dist: Path) -> None:
    os.utime(dist / "assets" / "page-abc.js.gz", (1, 1))
    answer = client.get("/assets/page-abc.js", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_assets_are_kept_and_pages_are_asked_for_again(client: TestClient) -> None:
    assert "immutable" in client.get("/assets/page-abc.js").headers["cache-control"]
    assert client.get(f"/{MAIN_PAGE}").headers["cache-control"] == "no-cache"


def test_before_the_build_a_page_says_how_to_build_it(client: TestClient, dist: Path) -> None:
    (dist / MAIN_PAGE).unlink()
    answer = client.get(f"/{MAIN_PAGE}")
    assert answer.status_code == 503
    assert "npm run build" in answer.text
    assert client.get("/assets/page-abc.js").status_code == 404


def test_encodings_are_read_with_their_weights() -> None:
    assert accepted_encodings("gzip, br;q=0.5, deflate; q=0, zstd;q=0.000") == {"gzip", "br"}
