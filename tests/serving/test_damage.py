"""Data that is damaged, deleted or unmounted while the service runs over it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_house import House, build_house
from wire_client import Server, Stream, read_stream, serving

from vp_engine.book.checkpoint import BOOK_CODE_VERSION
from vp_engine.lake import book_address, find_raw
from vp_engine.lake.books import write_book
from vp_engine.lake.paths import manifest_path, promoted_serving_path
from vp_engine.specs import SpecBook
from vp_engine.stream import build_checkpoint
from vp_serving.settings import ServingSettings


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> House:
    return build_house(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def own(sound: House, tmp_path: Path) -> House:
    """A copy of the house that a test may damage."""
    shutil.copytree(sound.root.parent, tmp_path / "house")
    lake = type(sound.lake)(tmp_path / "house" / "lake")
    return sound._replace(root=lake.path(), configs=tmp_path / "house" / "configs", lake=lake)


def reading(house: House) -> ServingSettings:
    """Settings under which no row group is kept, so that bins are read as they are sent."""
    return house.settings().model_copy(update={"cache_mb": 1})


def folder(house: House) -> Path:
    return house.root / "research/vp_immutable" / house.dataset_id


def truncate(house: House) -> None:
    grid = folder(house) / "grid_clean.parquet"
    grid.write_bytes(grid.read_bytes()[:5000])


def scramble(house: House) -> None:
    grid = folder(house) / "grid_clean.parquet"
    grid.write_bytes(b"\x55" * grid.stat().st_size)


HARMS: dict[str, Callable[[House], object]] = {
    "truncated": truncate,
    "overwritten": scramble,
    "deleted": lambda house: shutil.rmtree(folder(house)),
    "unmounted": lambda house: house.root.rename(house.root.with_name("away")),
}


def told(got: Stream) -> str:
    """The message of a stream that ended because of its data."""
    assert got.last is not None
    assert (got.code, got.last["type"]) == (1008, "error")
    assert got.last["code"] in ("bad_lake", "not_found")
    message = str(got.last["message"])
    assert "\n" not in message
    return message


@pytest.mark.parametrize("harm", HARMS)
def test_a_stream_when_its_dataset_is_harmed_ends_with_one_line_and_1008(
    own: House, harm: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(reading(own)) as server:
        with server.connect(f"dataset={own.dataset_id}&speed=10") as socket, \
             server.connect("serving=unstored_derivative&speed=10") as other:  # fmt: skip
            assert len(read_stream(socket, 3).bins) == len(read_stream(other, 3).bins) == 3
            HARMS[harm](own)
            socket.send('{"type":"speed","value":0}')
            assert told(read_stream(socket))
            assert len(read_stream(other, 20).bins) == 20
        again = server.stream(f"dataset={own.dataset_id}&speed=0")
        assert (again.bins, bool(told(again))) == ([], True)
    assert "Traceback" not in capfd.readouterr().err


def test_a_dataset_that_is_whole_again_is_streamed_whole(own: House) -> None:
    grid = folder(own) / "grid_clean.parquet"
    sound = grid.read_bytes()
    with serving(reading(own)) as server:
        with server.connect(f"dataset={own.dataset_id}&speed=10") as socket:
            read_stream(socket, 3)
            scramble(own)
            socket.send('{"type":"speed","value":0}')
            assert told(read_stream(socket))
        grid.write_bytes(sound)
        assert len(server.stream(f"dataset={own.dataset_id}&speed=0").bins) == 600


def raw_file(house: House) -> Path:
    return next(iter(house.root.glob("raw/**/*.dbn.zst")))


def store_book(house: House) -> Path:
    """Store the book that the engine stream begins with, as the platform does; its file."""
    settings = house.settings()
    specs = SpecBook.load(house.configs, None, settings.base)
    config = specs.serving_config("unstored_derivative")
    capture = specs.pipelines["unstored"].resolve(settings.base)
    raw = find_raw(house.lake, config, capture.dt)
    assert raw is not None
    address = book_address(config, capture, raw.manifest.address, code_version=BOOK_CODE_VERSION)
    path = write_book(house.lake, capture, address, build_checkpoint(raw_file(house), config, capture))
    return Path(str(path))


RAW_HARMS: dict[str, Callable[[House], object]] = {
    "deleted": lambda house: raw_file(house).unlink(),
    "overwritten": lambda house: raw_file(house).write_bytes(b"\x55" * raw_file(house).stat().st_size),
    "unmounted": HARMS["unmounted"],
}


@pytest.mark.parametrize("harm", RAW_HARMS)
def test_an_engine_stream_when_its_raw_day_is_harmed_ends_with_one_line_and_1008(
    own: House, harm: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(own.settings()) as server:
        with server.connect("serving=unstored_derivative&speed=2") as socket, \
             server.connect(f"dataset={own.dataset_id}&speed=10") as other:  # fmt: skip
            config = read_stream(socket, 3).config
            assert len(read_stream(other, 3).bins) == 3
            RAW_HARMS[harm](own)
            socket.send(json.dumps({"type": "seek", "ts_ns": config["capture"]["start_ns"]}))  # opens the file again
            socket.send('{"type":"speed","value":0}')
            assert told(read_stream(socket))
            assert len(read_stream(other, 20).bins) == 20
        again = server.stream("serving=unstored_derivative&speed=0")
        assert (again.bins, bool(told(again))) == ([], True)
    assert "Traceback" not in capfd.readouterr().err


BOOK_HARMS: dict[str, Callable[[Path], object]] = {
    "overwritten": lambda book: book.write_bytes(b"\x55" * book.stat().st_size),
    "truncated": lambda book: book.write_bytes(book.read_bytes()[:100]),
    "deleted": lambda book: book.unlink(),
}


@pytest.mark.parametrize("harm", BOOK_HARMS)
def test_an_engine_stream_when_its_book_is_harmed_goes_on_and_new_ones_are_told(
    own: House, harm: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The book is wanted at the beginning only; a service that began after the harm has nothing else to begin with."""
    book = store_book(own)
    with serving(own.settings()) as server, server.connect("serving=unstored_derivative&speed=10") as socket:
        read_stream(socket, 3)
        BOOK_HARMS[harm](book)
        socket.send('{"type":"speed","value":0}')
        assert read_stream(socket).code == 1000
    with serving(own.settings()) as server:
        got = server.stream("serving=unstored_derivative&speed=0")
        assert (got.bins, book.name in told(got)) == ([], True)
        assert server.stream(f"dataset={own.dataset_id}&speed=0").code == 1000
    assert "Traceback" not in capfd.readouterr().err


def test_an_engine_stream_when_its_book_was_let_go_makes_it_on_the_way(own: House) -> None:
    book = store_book(own)
    with serving(own.settings()) as server:
        stored = server.stream("serving=unstored_derivative&speed=0")
    own.lake.remove(manifest_path(own.lake.path(book.relative_to(own.root))))
    book.unlink()
    with serving(own.settings()) as server:
        made = server.stream("serving=unstored_derivative&speed=0")
    assert made.code == 1000
    assert [grid for _, grid in made.bins] == [grid for _, grid in stored.bins]


def test_a_promoted_spec_when_it_is_deleted_streams_on_and_is_found_no_more(own: House) -> None:
    with serving(own.settings()) as server, server.connect(f"serving={own.promoted}&speed=10") as socket:
        read_stream(socket, 3)
        promoted_serving_path(own.lake, own.promoted).unlink()
        assert own.promoted in told(server.stream(f"serving={own.promoted}&speed=0"))
        assert own.promoted not in server.get("/v1/serving").text
        socket.send('{"type":"speed","value":0}')
        assert read_stream(socket).code == 1000


def get(server: Server, path: str) -> tuple[int, str]:
    answer = server.get(path)
    return answer.status_code, answer.text


def test_rest_when_a_dataset_is_damaged_says_what_was_left_out(own: House) -> None:
    with serving(own.settings()) as server:
        truncate(own)
        body = server.get("/v1/datasets").json()
        assert body["datasets"] == []
        assert [entry["name"] for entry in body["left_out"]] == [own.dataset_id]
        assert "generate it again" in body["left_out"][0]["reason"]


def test_rest_when_the_lake_is_unmounted_is_refused_and_no_empty_list(own: House) -> None:
    with serving(own.settings()) as server:
        assert server.get("/v1/datasets").json()["total"] == 1
        HARMS["unmounted"](own)
        for path in ("/v1/datasets", "/v1/experiments/runs", f"/v1/experiments/runs/{own.run_ids[0]}/detail"):
            status, text = get(server, path)
            assert status == 422
            assert "VP_LAKE_ROOT" in text
        own.root.with_name("away").rename(own.root)
        assert server.get("/v1/datasets").json()["total"] == 1
