"""The key stays where it is; gateways that are away or say how long to wait."""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
from pathlib import Path

import pytest
from databento.common.error import BentoClientError
from pydantic import SecretStr

from tests.assets.gateway.server import KEY, Fault, Gateway
from tests.assets.gateway.week import LOCK, MONDAY, TERMS, WEEK, files
from vp_assets.databento import DatabentoSource
from vp_assets.databento.retry import Patience, is_passing, retry_after
from vp_assets.databento.vendor import Vendor
from vp_engine.errors import ConfigError, DataError
from vp_engine.lake import Lake


def test_a_bad_key_is_one_line_without_it(gateway: Gateway, lake: Lake, slept: list[float]) -> None:
    vendor = Vendor(SecretStr("db-wrong"), LOCK, gateway.url, Patience(sleep=slept.append))
    with pytest.raises(ConfigError, match="refuses the key in DATABENTO_API_KEY") as caught:
        DatabentoSource(lake, LOCK, vendor).bring([MONDAY], TERMS)
    assert "db-wrong" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert (slept, files(lake)) == ([], set())


def test_a_key_in_the_services_own_words_is_hidden(gateway: Gateway, lake: Lake) -> None:
    gateway.faults.append(Fault("get_dataset_range", "status", 1, 422))
    gateway_says = f"nobody knows {KEY}"
    vendor = Vendor(SecretStr(KEY), LOCK, gateway.url, Patience(sleep=lambda s: None))
    told = vendor._plain("it", BentoClientError(422, message=gateway_says))
    assert str(told) == "Databento refuses to send it of MNQH6: 422 nobody knows [key]"
    with pytest.raises(DataError, match="refuses to send range"):
        vendor.available_until()


def test_nothing_written_or_logged_holds_the_key(
    source: DatabentoSource, gateway: Gateway, lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.faults += [Fault("get_cost", "status", 1, 500), Fault("download", "cut"), Fault("submit_job", "drop")]
    source.bring(WEEK, TERMS)
    written = b"".join(path.read_bytes() for path in lake.root.rglob("*") if path.is_file())
    assert len(written) > 1000
    assert KEY.encode() not in written
    assert caplog.records
    assert KEY not in caplog.text
    assert KEY not in repr(vars(source.vendor)["_key"])


@pytest.mark.parametrize("given", ["http://example.com", "ftp://127.0.0.1", "127.0.0.1"])
def test_the_key_goes_nowhere_in_the_clear(given: str) -> None:
    with pytest.raises(ConfigError, match="VP_DATABENTO_GATEWAY"):
        Vendor(SecretStr(KEY), LOCK, given)


def test_the_key_goes_to_no_strange_host(source: DatabentoSource, gateway: Gateway) -> None:
    source.bring(WEEK[:2], TERMS)
    file = source.vendor.files(gateway.jobs[0]["id"])[MONDAY]
    for url in (
        "https://files.example.com/day",
        "http://files.databento.com/day",
        "https://databento.com.example.com/",
    ):
        with pytest.raises(DataError, match=r"its address is https?://.*, where no key is sent"):
            source.vendor.fetch(file._replace(url=url), Path("nowhere"))


def test_a_gateway_that_is_not_there_is_asked_a_few_times(lake: Lake, slept: list[float]) -> None:
    gone = Gateway()
    gone.close()
    vendor = Vendor(SecretStr(KEY), LOCK, gone.url, Patience(attempts=4, first_s=1.0, sleep=slept.append))
    with pytest.raises(DataError, match="did not send conditions of MNQH6") as caught:
        DatabentoSource(lake, LOCK, vendor).bring([MONDAY], TERMS)
    assert "\n" not in str(caught.value)
    assert [0 <= pause <= 2**n for n, pause in enumerate(slept)] == [True] * 3


def test_retry_after_is_seconds_or_a_date() -> None:
    def asked(**headers: str) -> float | None:
        return retry_after(
            BentoClientError(429, headers={name.replace("_", "-"): text for name, text in headers.items()})
        )

    soon = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30), usegmt=True)
    said = asked(Retry_After=soon)
    assert said is not None
    assert 28 <= said <= 30
    assert [asked(), asked(Retry_After="9"), asked(Retry_After="-1"), asked(Retry_After="soon")] == [
        None,
        9.0,
        0.0,
        None,
    ]
    assert [is_passing(BentoClientError(status)) for status in (408, 429, 400, 404)] == [True, True, False, False]
