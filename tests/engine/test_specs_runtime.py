"""The instrument lock, runtime configuration and captures."""

import datetime as dt
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.specs import (
    VPRuntimeConfig,
    build_config_with_overrides,
    dump_yaml,
    load_instrument,
    load_yaml_spec,
    resolve_capture,
    resolve_config,
)
from vp_engine.units import NS_PER_S

CONFIGS = Path(__file__).parents[2] / "configs"
LOCK = load_instrument()


def with_(**fields):
    return build_config_with_overrides(LOCK, fields)


def test_packaged_instrument_is_mnqh6():
    assert (LOCK.product_type, LOCK.symbol, LOCK.symbol_root) == ("future_mbo", "MNQH6", "MNQ")
    assert (LOCK.tick_size, LOCK.tick_int, LOCK.price_decimals, LOCK.contract_multiplier) == (0.25, 250_000_000, 2, 2.0)
    assert (LOCK.rows, LOCK.bin_ns, LOCK.dt_s) == (101, 100_000_000, 0.1)
    assert LOCK.taus == (2.0, 5.0, 10.0, 30.0)
    assert LOCK.forces == (1.0, 0.5, 0.3, 1.0, 1.5, 0.5, 0.3)
    assert LOCK.projection_horizons_ms == (100, 200, 300, 400)
    assert LOCK.state_model["zscore_window_bins"] == 240
    assert len(LOCK.state_model) == 14


def test_packaged_instrument_states_the_defaults():
    named = {"product_type", "symbol", "symbol_root", "tick_size", "contract_multiplier"}
    bare = VPRuntimeConfig(**{name: getattr(LOCK, name) for name in named})
    assert bare == LOCK
    assert set(LOCK.parameters()) == set(VPRuntimeConfig.model_fields)


def test_shipped_es_instrument():
    config = resolve_config("future_mbo", "ESH4", CONFIGS / "instruments" / "esh4.yaml")
    assert (config.symbol_root, config.tick_size, config.contract_multiplier) == ("ES", 0.25, 50.0)


def test_config_comes_back_from_yaml_and_from_its_parameters(tmp_path):
    odd = with_(tau_velocity=1 / 3, projection_cubic_scale=1e-300, spectrum_windows=(1, 7), spectrum_weights=(0.1, 3))
    assert VPRuntimeConfig.parse(odd.parameters()) == odd
    path = tmp_path / "odd.yaml"
    path.write_text(dump_yaml(odd))
    assert load_instrument(path) == odd


def test_config_is_frozen_and_hashable():
    with pytest.raises(ValueError, match="frozen"):
        LOCK.tau_velocity = 1.0
    assert hash(LOCK) == hash(load_instrument())


def test_version_follows_every_field():
    versions = {LOCK.config_version}
    for change in (
        {"tanh_scale": 2.0},
        {"state5_rule": "seed"},
        {"tick_size": 0.5},
        {"projection_horizons_bins": (1,)},
    ):
        versions.add(with_(**change).config_version)
    assert len(versions) == 5
    assert all(len(version) == 12 for version in versions)
    assert with_().config_version == LOCK.config_version


def test_dataset_params_leave_out_what_data_do_not_depend_on():
    params = LOCK.dataset_params()
    assert params["tick_int"] == 250_000_000
    for change in ({"tanh_scale": 2.0}, {"state_model_d2_weight": 0.5}, {"projection_horizons_bins": (9,)}):
        assert with_(**change).dataset_params() == params
    for change in ({"tau_jerk": 11.0}, {"spectrum_windows": (5, 10, 20, 41)}, {"state5_rule": "seed"}):
        assert with_(**change).dataset_params() != params


def test_overrides_recompute_what_is_computed():
    config = with_(cell_width_ms=250, projection_horizons_bins=[2, 4])
    assert config.projection_horizons_ms == (500, 1000)
    assert config.config_version != LOCK.config_version


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau_velocit": 1.0}, "unknown key `tau_velocit`; did you mean `tau_velocity`?"),
        ({"config_version": "x"}, "`config_version` is computed and cannot be set"),
        ({"projection_horizons_ms": [1]}, "`projection_horizons_ms` is computed and cannot be set"),
        ({"tau_velocity": 6.0}, "`tau_velocity` must be < `tau_acceleration`, was 6.0 against 5.0"),
        ({"tau_jerk": 5.0}, "`tau_acceleration` must be < `tau_jerk`, was 5.0 against 5.0"),
        ({"cell_width_ms": 0}, "`cell_width_ms`"),
        ({"cell_width_ms": "wide"}, "`cell_width_ms`"),
        ({"tanh_scale": float("nan")}, "`tanh_scale`"),
        ({"spectrum_weights": [1.0]}, "`spectrum_weights` must have one weight per window (4), had 1"),
        ({"spectrum_weights": [0, 0, 0, 0]}, "`spectrum_weights` must not all be 0"),
        ({"derivative_weights": [1.0, 1.0]}, "`derivative_weights`"),
        ({"zscore_min_periods": 301}, "`zscore_min_periods` must be <= `zscore_window_bins`, was 301 against 300"),
        ({"state_model_zscore_min_periods": 999}, "`state_model_zscore_min_periods`"),
        ({"state_model_d1_weight": 0.0}, "`state_model_d1_weight..d3_weight` must not all be 0"),
        ({"n_absolute_ticks": 1125}, "`n_absolute_ticks` must be even and at least 1126"),
        ({"projection_horizons_bins": [1, 1]}, "`projection_horizons_bins` must not repeat"),
        ({"state5_rule": "mirrored"}, "`state5_rule`"),
        ({"product_type": "equity_mbo"}, "`bucket_size_dollars` is missing"),
        ({"symbol": "MNQ.v.0"}, "MNQ.v.0 is a continuous symbol"),
        ({"symbol": "../x"}, "`symbol` must be a raw symbol"),
    ],
)
def test_bad_overrides_are_one_clear_line(change, message):
    with pytest.raises(ConfigError) as caught:
        with_(**change)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_equity_uses_its_bucket_as_tick():
    config = with_(product_type="equity_mbo", bucket_size_dollars=0.05)
    assert config.tick_int == 50_000_000
    assert config.price_decimals == 2


@pytest.mark.parametrize(
    ("product_type", "symbol", "message"),
    [
        ("equity_mbo", "MNQH6", "`product_type` must be future_mbo"),
        ("future_mbo", "ESH4", "`symbol` must be MNQH6"),
        ("future_mbo", "MNQ.v.0", "it means MNQH6"),
        ("future_mbo", "ES.c.1", "is a continuous symbol"),
    ],
)
def test_another_instrument_is_refused(product_type, symbol, message):
    with pytest.raises(ConfigError, match=message):
        resolve_config(product_type, symbol)


def test_missing_instrument_file(tmp_path):
    with pytest.raises(NotFoundError, match="no such file"):
        load_instrument(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("product_type: future_mbo\nsymbl: X\n", "unknown key `symbl`"),
        ("product_type: future_mbo\n", "`symbol` is missing"),
        ("- 1\n", "expected a mapping"),
        ("", "expected a mapping"),
        ("a: [1\n", "not valid YAML"),
        ("symbol: A\nsymbol: B\n", "key `symbol` stands twice"),
        ("a: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
        ("a: !!timestamp noon\n", "not what its tag"),
        ("? !!set {a: null}\n: 1\n", "not what its tag"),
        ("a: !!int noon\n", "no integer: 'noon'"),
        pytest.param(f"a: {'9' * 5000}\n", "no integer: '999", id="digits"),
        pytest.param("[" * 5000, "nested too deeply", id="deep"),
        ("a: &a [*a]\n", "more than 100,000 values"),
        pytest.param(
            "a: &a [1]\n" + "".join(f"{b}: &{b} [{f'*{a}, ' * 20}]\n" for a, b in ("ab", "bc", "cd", "de")),
            "more than 100,000 values",
            id="bomb",
        ),
    ],
)
def test_bad_files_are_one_line_with_the_file_in_front(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_yaml_spec(path, VPRuntimeConfig)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_baseline_capture():
    capture = resolve_capture(LOCK, "2026-02-06", "09:25", "10:25")
    assert capture.n_bins == 36_000
    assert capture.start_ns == 1_770_387_900 * NS_PER_S  # 14:25 UTC, winter
    assert capture.warmup_start_ns == capture.start_ns - 1800 * NS_PER_S
    assert capture.utc_days() == [dt.date(2026, 2, 6)]
    assert capture.label() == "20260206_0925_1025"


def test_evening_capture_belongs_to_its_eastern_date_and_reads_two_utc_days():
    capture = resolve_capture(LOCK, "2026-02-05", "18:30", "20:00")
    assert capture.utc_days() == [dt.date(2026, 2, 5), dt.date(2026, 2, 6)]
    assert capture.book_day() == dt.date(2026, 2, 5)
    after_midnight = resolve_capture(LOCK, "2026-02-05", "19:15", "20:00")  # warm-up starts at 23:45 UTC
    assert after_midnight.book_day() == dt.date(2026, 2, 5)
    exact = resolve_capture(LOCK, "2026-02-05", "18:00", "19:00")  # ends at midnight UTC, which is not touched
    assert exact.utc_days() == [dt.date(2026, 2, 5)]


def test_daylight_saving():
    winter = resolve_capture(LOCK, "2026-03-06", "09:30", "09:40")
    summer = resolve_capture(LOCK, "2026-03-09", "09:30", "09:40")
    assert (summer.start_ns - winter.start_ns) // NS_PER_S == 3 * 86_400 - 3600
    across = resolve_capture(LOCK, "2026-03-08", "01:00", "04:00")  # 02:00 to 03:00 does not exist
    assert across.n_bins == 2 * 36_000
    for day, clock in (("2026-03-08", "02:30"), ("2026-11-01", "01:30")):  # skipped, repeated
        with pytest.raises(ConfigError, match="does not name one instant"):
            resolve_capture(LOCK, day, clock, "09:00")


@pytest.mark.parametrize(
    ("day", "start", "end", "message"),
    [
        ("2026-2-6", "09:25", "10:25", "`dt` must be a date"),
        ("2026-02-30", "09:25", "10:25", "`dt` must be a date"),
        ("2026-02-06", "9:25", "10:25", "`start_time` must be HH:MM"),
        ("2026-02-06", "09:25", "24:00", "`end_time` must be HH:MM"),
        ("2026-02-06", "09:25", "09:25", "`end_time` must be after `start_time`"),
        ("2026-02-06", "23:25", "00:25", "`end_time` must be after `start_time`"),
    ],
)
def test_bad_windows(day, start, end, message):
    with pytest.raises(ConfigError, match=message):
        resolve_capture(LOCK, day, start, end)


def test_a_window_is_whole_bins():
    with pytest.raises(ConfigError, match="whole number of bins of 700 ms"):
        resolve_capture(with_(cell_width_ms=700), "2026-02-06", "09:30", "09:31")


@given(
    day=st.dates(dt.date(2019, 1, 1), dt.date(2030, 12, 31)),
    start=st.integers(0, 86_400 - 61),
    seconds=st.integers(1, 86_399),
    warmup=st.floats(0, 24),
)
def test_captures_hold_together(day, start, seconds, warmup):
    clocks = [(dt.datetime.min + dt.timedelta(seconds=s)).time() for s in (start, min(start + seconds, 86_399))]
    config = with_(warmup_hours=warmup)
    times = [clock.strftime("%H:%M:%S") for clock in clocks]
    if day.month in (3, 11) and day.weekday() == 6:  # daylight saving may change: refused or whole, never in between
        with suppress(ConfigError):
            assert resolve_capture(config, day, *times).n_bins > 0
        return
    capture = resolve_capture(config, day, *times)
    assert capture.end_ns - capture.start_ns == capture.n_bins * capture.bin_ns
    assert capture.warmup_start_ns <= capture.start_ns
    days = capture.utc_days()
    assert days[0] == capture.book_day()
    assert days == sorted(set(days))
    assert 1 <= len(days) <= 3
