"""`vp download`, `vp admit`, `vp list-days` and the asset `raw_dbn`, against the gateway."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.assets.conftest import Said, Vp, say
from tests.assets.gateway.server import KEY, Fault, Gateway
from tests.assets.test_cli import refused
from vp_assets.defs.definitions import build_definitions
from vp_assets.research.requests import Chain
from vp_assets.runs.in_process import Runner
from vp_assets.settings import Settings, load_settings
from vp_engine.errors import DataError, NotFoundError
from vp_engine.lake import find_raw

MONDAY = dt.date(2026, 2, 2)
WEEK = [MONDAY + dt.timedelta(days=n) for n in range(3)]
RAW = dg.AssetKey("raw_dbn")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    made = Gateway(*WEEK)
    made.polls_before_done = 0
    monkeypatch.setenv("DATABENTO_API_KEY", KEY)
    monkeypatch.setenv("VP_DATABENTO_GATEWAY", made.url)
    yield made
    made.close()


@pytest.fixture
def vp(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Vp:
    return lambda *argv: say(capsys, *argv, "--lake-root", tmp_path / "lake")


def download(vp: Vp, *more: str) -> Said:
    return vp("download", "--from", "2026-02-02", "--to", "2026-02-04", *more)


def test_a_second_download_finds_everything_there(gateway: Gateway, vp: Vp) -> None:
    said = download(vp, "--json")
    assert (said.code, said.err) == (0, "")
    assert [(row["day"], row["state"], row["records"]) for row in said.data] == [(str(day), "new", 44) for day in WEEK]
    again = download(vp)
    assert again.code == 0
    assert again.out.count("was there") == 3
    assert len(gateway.jobs) == 1


def test_days_of_a_range_are_told_apart(gateway: Gateway, vp: Vp) -> None:
    gateway.conditions["2026-02-03"] = "degraded"
    said = vp("download", "--from", "2026-01-31", "--to", "2026-02-04")
    assert said.code == 0
    for words in ("no session", "quarantined", "Databento calls the day degraded", "new"):
        assert words in said.out
    rows = vp("list-days", "--json").data
    assert [(row["day"], row["standing"].split(":")[0]) for row in rows] == [
        ("2026-01-31", "no session"), ("2026-02-01", "no session"), ("2026-02-02", ""), ("2026-02-03", "quarantined"),
        ("2026-02-04", ""),
    ]  # fmt: skip
    (row,) = vp("sql", "select day, quarantine from days where quarantine is not null", "--json").data
    assert row["quarantine"].startswith("Databento calls the day degraded")
    assert vp("admit", "2026-02-03", "--note", "read by hand").out == (
        "2026-02-03: read by hand (Databento calls the day degraded, last changed 2026-03-01)\n"
    )
    assert "read by hand" in vp("list-days").out


def test_a_lost_day_can_be_called_closed(gateway: Gateway, vp: Vp) -> None:
    gateway.conditions["2026-01-30"] = "missing"
    lost = vp("download", "--from", "2026-01-30", "--to", "2026-01-30")
    assert lost.code == 2
    assert "vp: 1 of 1 days did not arrive; 2026-01-30: Databento has no data; " in lost.err
    assert "`vp admit 2026-01-30 --closed " in lost.err
    assert vp("admit", "2026-01-30", "--closed", "--note", "hurricane").code == 0
    assert "hurricane" in vp("download", "--from", "2026-01-30", "--to", "2026-01-30").out


def test_one_bad_day_does_not_keep_the_others_out(gateway: Gateway, vp: Vp) -> None:
    gateway.wrong_hash = 1
    said = download(vp, "--json")
    assert said.code == 2
    assert [row["state"] for row in said.data] == ["failed", "new", "new"]
    assert said.err.count("\n") == 1
    assert "1 of 3 days did not arrive; 2026-02-02" in said.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--from", "2026-02-04", "--to", "2026-02-02"), ("`--from` must not be after `--to`",)),
        (("--from", "yesterday", "--to", "2026-02-02"), ("`--from` must be a date", "yesterday")),
        (("--from", "2026-02-02", "--to", "2199-01-01"), ("a day that is over", "2199-01-01")),
        (("--from", "2026-01-31", "--to", "2026-01-31"), ("2026-01-31 is a Saturday",)),
        (("--from", "2026-02-02"), ("--to",)),
        (("--from", "2026-02-02", "--to", "2026-02-04", "--max-cost", "-1"), ("--max-cost",)),
        (("--from", "2026-02-02", "--to", "2026-02-04", "--max-cost", "1.2"), ("would cost $1.50", "$1.20")),
    ],
)
def test_mistakes_are_one_line(
    gateway: Gateway, vp: Vp, tmp_path: Path, given: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(vp("download", *given), *words)
    assert (gateway.jobs, gateway.calls("get_range")) == ([], 0)
    assert not list((tmp_path / "lake").rglob("*.dbn*"))


def test_without_a_key_or_with_a_wrong_one(gateway: Gateway, vp: Vp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", "db-wrong")
    said = download(vp)
    refused(said, "refuses the key in DATABENTO_API_KEY (401)")
    assert "db-wrong" not in said.err
    monkeypatch.setenv("DATABENTO_API_KEY", " ")
    refused(download(vp), "no Databento key", "DATABENTO_API_KEY")
    monkeypatch.setenv("VP_MAX_COST_USD", "much")
    refused(download(vp), "`VP_MAX_COST_USD`", "much")
    refused(vp("admit", "2026-02-02"), "VP_MAX_COST_USD")
    monkeypatch.delenv("VP_MAX_COST_USD")
    refused(vp("admit", "2026-02-02"), "no raw day 2026-02-02")


def settings(tmp_path: Path, gateway: Gateway, key: str | None = KEY) -> Settings:
    environ = {"VP_DATABENTO_GATEWAY": gateway.url} | ({"DATABENTO_API_KEY": key} if key else {})
    return load_settings(tmp_path / "lake", tmp_path / "configs", environ=environ)


def chain_of(tmp_path: Path, gateway: Gateway, key: str | None = KEY) -> Chain:
    (tmp_path / "configs").mkdir(exist_ok=True)
    return Chain(settings(tmp_path, gateway, key))


def materialize(
    chain: Chain, day: dt.date, instance: dg.DagsterInstance, **config: object
) -> dg.ExecuteInProcessResult:
    job = build_definitions(chain.settings, chain).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=[RAW], partition_key=day.isoformat(), instance=instance, raise_on_error=False,
        run_config={"ops": {"raw_dbn": {"config": config}}} if config else None,
    )  # fmt: skip


def test_the_asset_fetches_a_day_and_says_what_it_is(tmp_path: Path, gateway: Gateway) -> None:
    chain = chain_of(tmp_path, gateway)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(chain, MONDAY, instance)
        assert result.success
        (event,) = result.get_asset_materialization_events()
        found = {name: entry.value for name, entry in event.materialization.metadata.items()}
        assert found["condition"] == "available"
        assert found["instrument_ids"] == [42]
        assert (found["symbol"], found["rows"], found["store_hit"]) == ("MNQH6", 44, False)
        assert found["day"].startswith("good: 44 records, ")
        assert found["counted"] == "Databento counts all records"
        assert all(check.passed for check in result.get_asset_check_evaluations())
        again = materialize(chain, MONDAY, instance)
        (event,) = again.get_asset_materialization_events()
        assert event.materialization.metadata["store_hit"].value is True
        assert gateway.calls("get_range") == 1
        dear = materialize(chain, WEEK[1], instance, max_cost_usd=0.1)
        assert not dear.success
        assert find_raw(chain.lake, chain.lock, WEEK[1]) is None


def test_a_quarantined_day_shows_its_reason_and_stops(tmp_path: Path, gateway: Gateway) -> None:
    gateway.conditions[MONDAY.isoformat()] = "degraded"
    chain = chain_of(tmp_path, gateway)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(chain, MONDAY, instance)
        assert not result.success
        (event,) = result.get_asset_materialization_events()
        assert event.materialization.metadata["quarantine"].value.startswith("Databento calls the day degraded")
        said = event.materialization.metadata["day"].value
        assert said.startswith("in quarantine (Databento calls the day degraded")
        verdicts = {check.check_name: check for check in result.get_asset_check_evaluations()}
        assert not verdicts["condition"].passed
        assert verdicts["condition"].metadata["condition"].value == "degraded"
        assert verdicts["hash"].passed
        with pytest.raises(DataError, match=r"in quarantine: .*`vp admit 2026-02-02`"):
            chain.raw(MONDAY)
        assert materialize(chain, MONDAY, instance, admit=True).success
        assert chain.raw(MONDAY).manifest.admitted is not None


def test_a_closed_day_is_no_failure(tmp_path: Path, gateway: Gateway) -> None:
    chain, saturday = chain_of(tmp_path, gateway), dt.date(2026, 1, 31)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(chain, saturday, instance)
        assert result.success
        (event,) = result.get_asset_materialization_events()
        assert "no record of MNQH6" in event.materialization.metadata["no_session"].value
        assert materialize(chain_of(tmp_path, gateway, key=None), saturday, instance).success
    with pytest.raises(NotFoundError, match=r"2026-01-31 .* had no session"):
        chain.raw(saturday)


def test_without_a_key_the_asset_says_what_to_run(tmp_path: Path, gateway: Gateway) -> None:
    chain = chain_of(tmp_path, gateway, key=None)
    with dg.DagsterInstance.ephemeral() as instance:
        assert not materialize(chain, MONDAY, instance).success
    with pytest.raises(NotFoundError, match="`vp download --from 2026-02-02 --to 2026-02-02` with a Databento key"):
        chain.raw(MONDAY)
    assert gateway.asked == []


def test_no_file_of_lake_or_dagster_holds_the_key(
    tmp_path: Path, gateway: Gateway, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Success, retries, a refusal and a failure, all at the most talkative; then everything that was left is read."""
    caplog.set_level(logging.DEBUG)
    chain = chain_of(tmp_path, gateway)
    gateway.faults += [Fault("get_cost", "status", 1, 500, {"Retry-After": "0"}), Fault("get_range", "cut")]
    with Runner(chain, lambda *_: None, "test") as runner:
        runner.materialize([RAW], MONDAY.isoformat())
        gateway.faults.append(Fault("get_range", "status", 99, 403))
        with pytest.raises(Exception, match="refuses the key"):
            runner.materialize([RAW], WEEK[1].isoformat())
    said = "".join(capfd.readouterr()) + caplog.text
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in left)
    assert caplog.records
    assert KEY not in said + json.dumps(repr(chain.settings))
    for path in left:
        assert KEY.encode() not in path.read_bytes(), path
