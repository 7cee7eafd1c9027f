"""Who may talk to the service: Host, Origin, token, bind address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from small_house import House
from websockets.exceptions import InvalidStatus
from wire_client import Server, serving

from vp_engine.errors import ConfigError
from vp_serving.settings import load_settings

TOKEN = "a-token-of-enough-letters"
QUERY = "serving=short_plain&speed=0"


@pytest.fixture(scope="module")
def guarded(house: House) -> Iterator[Server]:
    """A service that wants a token and knows one foreign origin."""
    environ = {"VP_API_TOKEN": TOKEN, "VP_ALLOWED_ORIGINS": "https://desk.example"}
    with serving(house.settings(environ)) as running:
        yield running


def test_rest_wants_the_bearer_token(guarded: Server) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = guarded.get("/v1/instrument", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert guarded.get("/metrics", headers=headers).status_code == 401
    assert guarded.get("/v1/instrument", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert guarded.get("/health").status_code == 200


def test_streams_want_the_token_as_subprotocol_or_header(guarded: Server) -> None:
    refused = guarded.stream(QUERY)
    assert refused.code == 1008
    assert refused.last is not None
    assert refused.last["code"] == "unauthorized"
    assert guarded.stream(QUERY, subprotocols=["vp.v1", "vp.token.wrong"]).code == 1008
    with guarded.connect(QUERY, subprotocols=["vp.v1", f"vp.token.{TOKEN}"]) as socket:
        assert socket.subprotocol == "vp.v1"
        assert "runtime_config" in str(socket.recv(timeout=5))
    assert guarded.stream(QUERY, 1, additional_headers={"Authorization": f"Bearer {TOKEN}"}).bins


def test_a_browser_offering_the_subprotocol_is_answered_without_a_token_too(server: Server) -> None:
    with server.connect(QUERY, subprotocols=["vp.v1"]) as socket:
        assert socket.subprotocol == "vp.v1"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:8002.evil.example"]
)
def test_foreign_origins_are_refused(server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refusal, server.connect(QUERY, origin=origin):
        pass
    assert refusal.value.response.status_code == 403


def test_own_pages_the_development_server_and_listed_origins_may_connect(server: Server, guarded: Server) -> None:
    for origin in (server.url, "http://localhost:5174", "http://127.0.0.1:5174"):
        assert server.stream(QUERY, 1, origin=origin).bins
    token = {"subprotocols": ["vp.v1", f"vp.token.{TOKEN}"]}
    assert guarded.stream(QUERY, 1, origin="https://desk.example", **token).bins


def test_cross_origin_reading_is_for_listed_origins(guarded: Server) -> None:
    listed = guarded.get("/health", headers={"Origin": "https://desk.example"})
    assert listed.headers["access-control-allow-origin"] == "https://desk.example"
    assert (
        "access-control-allow-origin" not in guarded.get("/health", headers={"Origin": "http://evil.example"}).headers
    )


def test_a_foreign_name_for_this_machine_is_refused(server: Server) -> None:
    """A page that rebinds its own name to 127.0.0.1 reads nothing."""
    answer = server.get("/v1/instrument", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert server.get("/v1/instrument", headers={"Host": f"localhost:{server.port}"}).status_code == 200


def test_another_address_needs_a_token() -> None:
    for host in ("0.0.0.0", "192.0.2.7", "::", "host.example"):
        with pytest.raises(ConfigError, match="VP_API_TOKEN"):
            load_settings({"host": host}, {})
        assert load_settings({"host": host}, {"VP_API_TOKEN": TOKEN}).host == host
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        assert load_settings({"host": host}, {}).loopback


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"VP_API_TOKEN": "short"}, "VP_API_TOKEN"),
        ({"VP_API_TOKEN": "has spaces in the middle"}, "VP_API_TOKEN"),
        ({"VP_ALLOWED_ORIGINS": "*"}, "VP_ALLOWED_ORIGINS"),
        ({"VP_ALLOWED_ORIGINS": "desk.example"}, "VP_ALLOWED_ORIGINS"),
        ({"VP_MAX_STREAMS": "many"}, "VP_MAX_STREAMS"),
        ({"VP_INSTRUMENT_CONFIG_PATH": "/nosuch.yaml"}, "nosuch"),
    ],
)
def test_settings_that_cannot_be_used(environ: dict[str, str], says: str) -> None:
    with pytest.raises(Exception, match=says):
        load_settings({}, environ)


def test_the_token_is_in_no_representation() -> None:
    assert TOKEN not in repr(load_settings({}, {"VP_API_TOKEN": TOKEN}))
