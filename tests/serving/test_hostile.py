"""Input that means harm: each is refused with a clear answer, and afterwards the service is as before."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import aiohttp
import httpx
import pytest
from raw_socket import CLOSE, TEXT, RawSocket, close_frame, frame, handshake
from small_house import House
from websockets.exceptions import InvalidStatus
from wire_client import PATH, Server, read_stream, serving

from vp_serving.server.screens import MAIN_PAGE
from vp_serving.settings import override_fields

TOKEN = "a-token-of-enough-letters"
NAMES = [
    "../short_plain", "..", ".", "/etc/passwd", "....//....//etc/passwd", "..\\..\\windows", "%2e%2e%2fshort_plain",
    "short_plain\0", "\0", "short_plain\n", "short plain", "SHORT_PLAIN", "short_plaın", "короткий", "٣", "<script>",
    "'; drop table runs; --", "${jndi:ldap://x}", "{{7*7}}", "x" * 101, "x" * 5000, "",
]  # fmt: skip
LONG = "x" * 10_240
TYPES = {
    "speed": ["fast", "-1", "nan", "inf", "-inf", "1e309", "0x10", "1,5", "1e7", "", "true", "٣" * 1000],
    "from_bin": ["-1", "1.5", "1e3", "x", "", "9" * 40, "600", "0x1"],
    "threshold": ["x", "nan", "inf"],
    "dt": ["2026-02-30", "yesterday", "2026/02/06", "0000-00-00", "20260206", ""],
    "start_time": ["25:00", "9.30", "09:30:00Z", "", "24:00"],
    "end_time": ["09:60", "x"],
    "symbol": ["ESH6", "", "x" * 61, "../MNQH6"],
    "product_type": ["equity", ""],
    "projection_horizons_bins": [
        "",
        "0",
        "-1",
        "x",
        "1,,2",
        "1,1",
        "1000000000000",
        ",".join(map(str, range(1, 900))),
    ],
    "projection_source": ["frontend", "x", ""],
    "dev_scoring": ["true", "x"],
    "run_id": ["x", "0" * 15, "0" * 17, "G" * 16, "../" * 5],
    "dataset": ["x", "../../etc", "MNQH6_20260206_0930_0931__short__" + "0" * 11],
}
PATHS = [
    "/v1/datasets/{}", "/v1/datasets/{}/overview", "/v1/serving/{}", "/v1/experiments/runs/{}/detail",
    "/v1/experiments/runs?signal={}", "/v1/experiments/runs?experiment={}", "/v1/experiments/runs?sort={}",
    "/v1/experiments/runs?top_n={}", "/v1/experiments/runs?min_signals={}",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def as_before(server: Server, house: House) -> Iterator[None]:
    """The service answers afterwards, and has written nothing."""
    before = sorted(path for path in house.root.rglob("*"))
    yield
    assert server.get("/ready").status_code == 200
    assert len(server.stream("serving=short_plain&speed=0").bins) == 600
    assert sorted(path for path in house.root.rglob("*")) == before


def refused(server: Server, query: str) -> dict[str, str]:
    """The error of a stream that must be refused with 1008."""
    got = server.stream(query)
    assert got.bins == []
    assert got.code == 1008, query[:80]
    assert got.last is not None
    assert len(got.last["message"]) < 2000
    assert "\n" not in got.last["message"]
    assert "Traceback" not in got.last["message"]
    return got.last


@pytest.mark.parametrize("parameter", ["serving", "dataset", "run_id"])
def test_names_that_are_none(server: Server, parameter: str) -> None:
    for name in NAMES:
        said = refused(server, f"{parameter}={quote(name)}")
        assert (said["code"], said["parameter"]) == ("bad_value", parameter), name[:50]


def test_values_of_the_wrong_kind(server: Server) -> None:
    for parameter, texts in TYPES.items():
        for text in texts:
            both = "" if parameter in ("run_id", "dataset") else "serving=short_plain&"
            said = refused(server, f"{both}{parameter}={quote(text)}")
            assert said["code"] in ("bad_value", "unsupported", "bad_config"), (parameter, text[:50])
            assert parameter in said["message"], (parameter, text[:50], said)


def test_every_model_parameter_refuses_what_is_no_number(server: Server) -> None:
    for parameter in override_fields():
        for text in ("x", "nan", "1e400", "\0", "9" * 5000):
            said = refused(server, f"serving=short_plain&{parameter}={quote(text)}")
            assert parameter in said["message"], (parameter, text[:20], said)


def test_parameters_that_do_not_exist_or_come_twice(server: Server) -> None:
    assert refused(server, "servng=short_plain")["code"] == "unknown_parameter"
    assert refused(server, f"{'x' * 5000}=1")["code"] == "unknown_parameter"
    assert refused(server, "&".join(f"a{at}=1" for at in range(1000)))["code"] == "unknown_parameter"
    assert refused(server, "serving=short_plain&serving=short_plain")["code"] == "bad_value"
    assert refused(server, "%ff%fe=%00")["code"] == "unknown_parameter"


def test_an_address_that_is_too_long_is_said_to_be(server: Server) -> None:
    for query in (f"serving={LONG}", f"{LONG}=1", f"serving=short_plain&speed={LONG * 5}"):
        with pytest.raises(InvalidStatus) as refusal, server.connect(query):
            pass
        assert refusal.value.response.status_code in (400, 414)


def test_rest_refuses_names_that_are_none(server: Server) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as session:
        for path in PATHS:
            for name in (*NAMES[4:], LONG):  # a client's library takes dots away
                answer = session.get(path.format(quote(name, safe="")))
                if answer.status_code == 200:  # an empty filter is none, and an empty name is the list
                    assert name == "" or answer.json().get("runs") == [], (path, name[:50])
                    continue
                assert answer.status_code in (400, 404), (path, name[:50])
                assert answer.headers["content-type"] == "application/problem+json"
                assert len(answer.content) < 3000 + len(name)


def test_files_outside_the_screens_are_out_of_reach(house: House, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / MAIN_PAGE).write_text("page")
    (tmp_path / "secret.html").write_text("secret")
    paths = ("/../secret.html", "/%2e%2e/secret.html", "/..%2fsecret.html", "/x/%2e%2e/%2e%2e/secret.html", "/%00",
             "/\\..\\secret.html", "//etc/passwd", "/secret.html%00.html", f"/{'x' * 5000}.html")  # fmt: skip
    with serving(house.settings({"VP_FRONTEND_DIST": str(dist)})) as other:
        for path in paths:
            with RawSocket(other.port) as raw:
                raw.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
                assert raw.response()[0] in (400, 404), path


def test_hosts_and_origins_that_are_none(server: Server) -> None:
    """None of them is taken for this machine, and none breaks the guard."""
    hosts = (b"[::1", b"127.0.0.1:x", b"127.0.0.1#evil.example", b"user@127.0.0.1", b"127.0.0.1.evil.example", b"\xff",
             b"127.0.0.1, evil.example", b"", b"127.0.0.1\r\nHost: evil.example")  # fmt: skip
    for host in hosts:
        with RawSocket(server.port) as raw:
            raw.send(b"GET /v1/instrument HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            assert raw.response()[0] in (400, 421), host
    for origin in ("http://[::1", "null", "", "file://", "http://user@127.0.0.1", f"{server.url}, http://evil.example"):
        with RawSocket(server.port) as raw:
            raw.send(handshake(server.port, f"{PATH}?serving=short_plain", Origin=origin))
            assert raw.response()[0] == 403, origin
    for host in (b"[::1]:8002", b"LOCALHOST"):
        with RawSocket(server.port) as raw:
            raw.send(b"GET /v1/instrument HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            assert raw.response()[0] == 200


def test_numbers_beyond_64_bits(server: Server) -> None:
    for name in ("min_signals", "top_n", "offset"):
        assert server.get(f"/v1/experiments/runs?{name}={'9' * 25}").status_code == 400
    assert server.get(f"/v1/datasets?offset={'9' * 25}").status_code == 400


def test_other_methods_change_nothing(server: Server) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"):
        for path in ("/v1/serving", "/v1/datasets", "/health", "/", "/vacuum-pressure.html", PATH):
            with RawSocket(server.port) as raw:
                raw.send(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{{}}".encode())
                status, headers = raw.response()
                assert status == 405 or method in ("CONNECT", "BREW"), (method, path)  # no parser takes these
                assert status in (400, 405), (method, path)
                assert status == 400 or headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),  # a TLS hello
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 1000,
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["tls", "ssh", "version", "zeros", "long path", "many headers", "long header", "negative length", "bad chunk"],
)
def test_what_is_no_request_ends_the_connection_or_is_answered(server: Server, request_bytes: bytes) -> None:
    with RawSocket(server.port) as raw:
        try:
            raw.send(request_bytes)
            assert 300 <= raw.response()[0] < 500
        except ConnectionError:
            return


def test_client_messages_that_mean_harm(server: Server) -> None:
    deep = '{"type":' + "[" * 1500 + "]" * 1500 + "}"
    for text in ("{}", "[]", "null", '"pause"', deep, '{"type":{"type":"pause"}}', '{"type":"pause","type":"x"}',
                 '{"type":"seek","ts_ns":"1e9"}', '{"type":"seek","ts_ns":"-1"}', '{"type":"seek","ts_ns":"٣"}',
                 '{"type":"speed","value":1e308}', '{"type":"speed","value":NaN}', '{"type":"speed","value":"1"}',
                 '{"type":"speed","value":true}', '{"type":"speed","value":' + "9" * 4000 + "}", '["pause"]',
                 '{"type":"seek","ts_ns":' + "1" * 4000 + "}", '{"type":"speed","value":-1e-300}',
                 '{"type":"seek","ts_ns":"' + "9" * 3000 + '"}'):  # fmt: skip
        with server.connect("serving=short_plain&speed=1") as socket:
            socket.recv(timeout=5)
            socket.send(text)
            said: dict[str, str] = {}
            while said.get("type") != "error":
                message = socket.recv(timeout=5)
                said = json.loads(message) if isinstance(message, str) else said
            assert said["code"] == "bad_message", text[:60]
            assert len(said["message"]) < 1000


def test_messages_damaged_at_random_are_answered_or_obeyed(server: Server) -> None:
    """The stream is still there after each: a message that is surely none is answered."""
    dice = random.Random(5)
    good = (b'{"type":"pause"}', b'{"type":"resume"}', b'{"type":"speed","value":2}', b'{"type":"seek","ts_ns":"1770"}')
    with server.connect("serving=short_plain&speed=1") as socket:
        for at in range(150):
            message = bytearray(dice.choice(good))
            for _ in range(dice.randrange(1, 6)):
                place = dice.randrange(len(message) or 1)
                message[place : place + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
            text = message.decode("utf-8", "replace")
            socket.send(bytes(message) if at % 3 == 0 else text)
            socket.send(f'{{"type":"no_{at}"}}')
            while True:
                said = socket.recv(timeout=5)
                if isinstance(said, str) and f"no_{at}" in said:
                    break


def test_a_flood_of_nonsense_is_ended(server: Server) -> None:
    with RawSocket(server.port) as raw:
        raw.open(server.port, f"{PATH}?serving=short_plain")
        raw.send(frame(TEXT, b"nonsense") * 5000)
        assert raw.until(CLOSE).payload == b"\x03\xf0"
        with suppress(ConnectionError):  # the server waits a while for the answer, which a busy machine may miss
            raw.send(close_frame(1008))
            raw.wait_end()


def test_a_flood_of_good_messages_is_obeyed_in_its_end(server: Server) -> None:
    with server.connect("serving=short_plain&speed=1") as socket:
        config = json.loads(socket.recv(timeout=5))
        start = int(config["capture"]["start_ns"])
        for at in range(300):
            target = start + (at * 7 % 590) * 100_000_000
            socket.send(json.dumps({"type": "seek", "ts_ns": str(target)}))
            socket.send(json.dumps({"type": ("pause", "resume")[at % 2]}))
        socket.send(json.dumps({"type": "seek", "ts_ns": str(start + 580 * 100_000_000)}))
        socket.send('{"type":"speed","value":0}')
        got = read_stream(socket)
    assert [update["bin_seq"] for update in got.updates][-20:] == list(range(580, 600))


def test_a_hundred_connections_a_second(house: House) -> None:
    """Streams with and without the token, foreign origins, bad queries, half requests, and some that just go."""
    environ = {"VP_API_TOKEN": TOKEN, "VP_MAX_STREAMS": "8"}
    good = {"Sec-WebSocket-Protocol": f"vp.v1, vp.token.{TOKEN}"}
    kinds = ("good", "no token", "origin", "query", "half", "gone")
    answers: dict[str, set[object]] = {kind: set() for kind in kinds}

    async def one(session: aiohttp.ClientSession, url: str, kind: str) -> None:
        if kind in ("half", "gone"):
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            request = handshake(1, f"{PATH}?serving=short_plain", Host="127.0.0.1")
            writer.write(request[:40] if kind == "half" else request)
            await asyncio.sleep(random.uniform(0, 0.1))
            writer.transport.abort()
            return
        headers = {"no token": {}, "origin": {"Origin": "http://evil.example"}}.get(kind, good)
        query = "serving=../x" if kind == "query" else "serving=short_plain&speed=50"
        try:
            async with session.ws_connect(f"{url}{PATH}?{query}", headers=headers, max_msg_size=0) as socket:
                first = await socket.receive_json(timeout=20)
                answers[kind].add(first.get("code", first["type"]))
        except aiohttp.WSServerHandshakeError as error:
            answers[kind].add(error.status)

    async def storm(url: str) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            tasks = []
            for at in range(200):
                tasks.append(asyncio.create_task(one(session, url, kinds[at % len(kinds)])))
                await asyncio.sleep(0.01)
            await asyncio.gather(*tasks)

    with serving(house.settings(environ)) as guarded:
        asyncio.run(storm(guarded.url))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        deadline = time.monotonic() + 10
        while "vp_streams 0.0" not in guarded.get("/metrics", headers=headers).text:
            assert time.monotonic() < deadline, "streams are left"
            time.sleep(0.05)
        whole = guarded.stream("serving=short_plain&speed=0", additional_headers=headers)
    assert len(whole.bins) == 600
    assert answers["good"] <= {"runtime_config", "too_many_streams"}
    assert "runtime_config" in answers["good"]
    assert (answers["no token"], answers["origin"]) == ({"unauthorized"}, {403})
    assert answers["query"] <= {"bad_value", "too_many_streams"}
