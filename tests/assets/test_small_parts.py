"""Settings, partitions, pictures, progress."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from vp_assets import progress
from vp_assets.cli.common import count, number, plain, size
from vp_assets.defs import preview
from vp_assets.defs.partitions import capture_days, every_day, raw_mapping, require_key
from vp_assets.research.requests import Chain
from vp_assets.settings import load_settings
from vp_engine.errors import ConfigError
from vp_engine.specs import PipelineSpec, SpecBook, load_instrument


def pipeline(day: str | None, start: str = "09:30", end: str = "10:30") -> PipelineSpec:
    capture = {"product_type": "future_mbo", "symbol": "MNQH6", "dt": day, "start_time": start, "end_time": end}
    return PipelineSpec.parse({"name": "tried", "capture": capture})


def test_options_win_over_the_environment_and_that_over_defaults(tmp_path: Path) -> None:
    environ = {"VP_LAKE_ROOT": "/from/env", "VP_CONFIG_DIR": "/specs", "DAGSTER_HOME": "/home/dagster"}
    given = load_settings(tmp_path, environ=environ)
    assert (given.lake_root, given.config_dir, given.dagster_home) == (
        str(tmp_path), Path("/specs"), Path("/home/dagster"),
    )  # fmt: skip
    assert given.mlflow_tracking_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    bare = load_settings(environ={})
    assert (Path(bare.lake_root), bare.instrument) == (Path("lake").absolute(), None)
    assert bare.dagster_home == Path("lake/dagster").absolute()


def test_a_lake_behind_a_url_keeps_its_records_here() -> None:
    assert load_settings("s3://bucket/lake", environ={}).dagster_home == Path(".dagster/dagster").absolute()


def test_the_cache_of_a_remote_lake_is_bounded_by_a_setting(tmp_path: Path) -> None:
    given = load_settings("memory://bounded", tmp_path, environ={"VP_CACHE_GB": "2", "VP_CACHE_DIR": str(tmp_path)})
    assert Chain(given).lake._copies.limit_bytes == 2 * 10**9
    with pytest.raises(ConfigError, match="`VP_CACHE_GB` must be gigabytes"):
        load_settings(environ={"VP_CACHE_GB": "much"})


def test_a_bad_first_day_is_refused() -> None:
    with pytest.raises(ConfigError, match="VP_PARTITIONS_START"):
        load_settings(environ={"VP_PARTITIONS_START": "soon"})


def test_captures_have_their_day_or_every_day_that_raw_data_have() -> None:
    first = dt.date(2025, 1, 1)
    assert capture_days(pipeline("2023-12-25"), first).get_partition_keys() == ["2023-12-25"]
    assert capture_days(pipeline(None), first) == every_day(first)
    assert every_day(first).get_partition_keys()[0] == "2025-01-01"


def test_partitions_reach_back_to_the_earliest_fixed_day(tmp_path: Path) -> None:
    specs = SpecBook(load_instrument())
    specs.pipelines["tried"] = pipeline("2023-12-25")
    settings = load_settings(tmp_path, environ={"VP_PARTITIONS_START": "2025-01-01"})
    assert Chain(settings, specs=specs).first_day == dt.date(2023, 12, 24)
    specs.pipelines["tried"] = pipeline(None)
    assert Chain(settings, specs=specs).first_day == dt.date(2025, 1, 1)


@pytest.mark.parametrize(
    ("start", "end", "book_only", "offsets"),
    [
        ("09:30", "10:30", False, (0, 0)),
        ("18:30", "19:30", False, (0, 1)),  # crosses midnight UTC in winter
        ("20:15", "21:30", False, (0, 1)),  # the warm-up begins the day before in summer
        ("20:15", "21:30", True, (0, 1)),
        ("22:00", "23:00", True, (1, 1)),
    ],
)
def test_a_capture_day_maps_to_its_utc_days(start: str, end: str, book_only: bool, offsets: tuple[int, int]) -> None:
    mapping = raw_mapping(pipeline(None, start, end), load_instrument(), book_only=book_only)
    assert (mapping.start_offset, mapping.end_offset) == offsets


def test_keys_that_do_not_exist_are_refused() -> None:
    days = capture_days(pipeline("2026-02-06"), dt.date(2025, 1, 1))
    assert require_key(days, "2026-02-06", "tried") == "2026-02-06"
    with pytest.raises(ConfigError, match="tried has no partition 2026-02-07"):
        require_key(days, "2026-02-07", "tried")
    with pytest.raises(ConfigError, match="YYYY-MM-DD"):
        require_key(days, "tomorrow", "tried")


def test_field_image_lays_rows_on_prices() -> None:
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], np.float32)
    image, low = preview.field_image(values, np.array([100, 102, -1]))
    assert low == 99
    assert image.shape == (5, 3)
    np.testing.assert_array_equal(image[:, 0], [1, 2, 3, np.nan, np.nan])
    np.testing.assert_array_equal(image[:, 1], [np.nan, np.nan, 4, 5, 6])
    assert np.isnan(image[:, 2]).all()


def test_pictures_are_small_and_survive_empty_days() -> None:
    rng = np.random.default_rng(1)
    n = preview.COLUMNS
    spot = 86_000 + np.cumsum(rng.integers(-3, 4, n))
    times = 1_770_388_200_000_000_000 + np.arange(n) * 10**9
    png = preview.heatmap_png(rng.normal(size=(n, 101)).astype(np.float32), spot, times, spot * 0.25, 0.25)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 160_000  # noise, which no day compresses worse than
    nothing = preview.heatmap_png(np.zeros((1, 101), np.float32), np.array([-1]), times[:1], np.zeros(1), 0.25)
    assert nothing.startswith(b"\x89PNG")


def test_markdown_tables() -> None:
    table = preview.table_markdown(("a", "b"), [(1234, 0.5), (None, float("nan")), ("x|y", True)])
    assert table.splitlines() == ["| a | b |", "|---|---|", "| 1,234 | 0.5 |", "| – | – |", "| x\\|y | True |"]


def test_progress_reaches_the_listener_only_while_it_listens() -> None:
    heard: list[tuple[str, int, int]] = []
    progress.report("bins", 1, 2)
    with progress.listening(lambda *said: heard.append(said)):
        progress.report("bins", 2, 2)
    progress.report("bins", 3, 3)
    assert heard == [("bins", 2, 2)]


def test_plain_values_and_words() -> None:
    assert plain({"a": np.float64("nan"), "b": [np.int64(3), float("inf")], 1: None}) == {
        "a": None,
        "b": [3, None],
        "1": None,
    }
    assert (count(1234567), count(None), number(float("nan")), number(-0.5, 2)) == ("1,234,567", "–", "–", "-0.50")
    assert (size(512), size(2048), size(3 << 30)) == ("512 B", "2.0 KiB", "3.0 GiB")
