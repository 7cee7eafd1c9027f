"""Results over REST: pages, filters, tags, a run's trades with what no edge would give, and links to other servers."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from small_house import House
from wire_client import Server, serving

from vp_engine.errors import ConfigError
from vp_engine.specs import SpecBook, load_instrument
from vp_serving.rest import responses
from vp_serving.rest.runs import days_text

RUNS = "/v1/experiments/runs"


def rows(server: Server, query: str) -> list[dict[str, Any]]:
    answer = server.get(f"{RUNS}?min_signals=0&{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["runs"])


def test_pages_hold_every_row_once(server: Server) -> None:
    whole = rows(server, "top_n=1000&sort=n_signals")
    paged: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        body = server.get(f"{RUNS}?min_signals=0&sort=n_signals&top_n=5&offset={offset}").json()
        assert body["total"] == len(whole)
        assert body["offset"] == offset
        paged += body["runs"]
        offset = body["next_offset"]
    assert paged == whole
    assert rows(server, f"offset={len(whole)}") == []
    datasets = server.get("/v1/datasets?offset=1").json()
    assert (datasets["datasets"], datasets["total"], datasets["next_offset"]) == ([], 1, None)


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("max_p_holm=0.5", lambda row: row["p_holm"] is not None and row["p_holm"] <= 0.5),
        ("max_p_holm=1", lambda row: row["p_holm"] is not None),
        ("min_deflated_sharpe=0.01", lambda row: (row["deflated_sharpe"] or 0) >= 0.01),
        ("max_spa_p_value=1", lambda row: row["spa_p_value"] is not None),
        ("serving=short_derivative", lambda row: True),
        ("serving=short_plain", lambda row: False),
        ("experiment=short_sweep&signal_kind=statistical&dt=2026-02-06", lambda row: True),
        ("signal_kind=ml", lambda row: False),
        ("dt=2026-02-07", lambda row: False),
    ],
)
def test_filters(server: Server, query: str, passes: Any) -> None:
    everything = rows(server, "top_n=1000&sort=p_holm")
    assert everything
    assert rows(server, f"top_n=1000&sort=p_holm&{query}") == [row for row in everything if passes(row)]


def test_an_answer_is_sent_once_to_a_client_that_keeps_it(server: Server, house: House) -> None:
    for path in (f"/v1/datasets/{house.dataset_id}", f"{RUNS}/{house.run_ids[0]}/detail", f"{RUNS}?min_signals=1"):
        first = server.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "no-cache"
        again = server.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert server.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    missing = server.get("/v1/serving/nosuch", headers={"If-None-Match": "*"})
    assert missing.status_code == 404
    assert "etag" not in missing.headers


def test_every_row_has_its_verdict_in_words(server: Server, house: House) -> None:
    detail = server.get(f"{RUNS}/{house.run_ids[0]}/detail").json()
    by_threshold = {row["threshold"]: row for row in detail["rows"]}
    for row in rows(server, "top_n=1000"):
        judged = row["p_holm"] is not None
        expected = "too_few" if not judged else "significant" if row["p_holm"] <= 0.05 else "not_significant"
        assert row["verdict"] == expected
        if row["run_id"] == house.run_ids[0]:
            text = by_threshold[row["threshold"]]["verdict_text"]
            assert by_threshold[row["threshold"]]["verdict"] == expected
            assert f"{row['p_holm']:.2f} after {row['n_trials']} trials" in text if judged else "too few" in text
            if judged:
                low, high = (f"{row[f'net_mean_{end}_ticks']:+.2f}".replace("-", "−") for end in ("low", "high"))
                assert f"95 % interval {low} to {high}, " in text
                assert f"{100 * (1 - row['timeout_rate']):.1f} % of {row['n_signals']} trades ended" in text


def test_detail_names_the_specs_promoted_from_it(server: Server, house: House) -> None:
    promoted = server.get(f"{RUNS}/{house.run_ids[0]}/detail").json()["promoted"]
    assert [spec["name"] for spec in promoted] == [house.promoted]
    assert promoted[0]["figures"]["n_signals"] > 0
    assert promoted[0]["streaming_url"].endswith(f"serving={house.promoted}")
    assert promoted[0]["days_text"] == "Chosen on its own day, with no test day to hold it against."
    assert server.get(f"{RUNS}/{house.run_ids[1]}/detail").json()["promoted"] == []


def test_promoted_spec_when_days_were_split_then_says_what_the_test_days_say(house: House) -> None:
    record = SpecBook.load(house.configs, house.root / "research/vp_harness/configs/serving", load_instrument())
    promoted = record.serving[house.promoted].promoted
    assert promoted is not None
    split = promoted.model_copy(update={"train_days": ("2026-02-05",), "test_days": ("2026-02-06",)})
    assert days_text(split) == (
        "Chosen on 1 train day. No test day has results: these figures are those it was chosen by, and flatter it."
    )
    figures = {
        "role": "test",
        "n_days": 1,
        "n_signals": 12,
        "net_mean_pnl_ticks": 0.5,
        "days_in_profit": 1,
        "p_value": 0.3,
    }
    told = days_text(split.model_copy(update={"test_figures": figures}))
    assert told.startswith("Chosen on 1 train day. Test days alone: Net pnl +0.50 ticks a trade")
    assert "no proof of an edge" in told


def test_trades_add_up_to_their_row(server: Server, house: House) -> None:
    detail = server.get(f"{RUNS}/{house.run_ids[1]}/detail").json()
    row = max(detail["rows"], key=lambda row: row["n_signals"])
    answer = server.get(f"{detail['trades_url']}?threshold={row['threshold']}")
    trades = responses.RunTrades.model_validate(answer.json())
    assert len(trades.net_pnl_ticks) == row["n_signals"] > 3
    assert trades.cumulative_ticks[-1] == pytest.approx(row["net_total_pnl_ticks"])
    assert trades.outcome.count("take_profit") == row["n_up_tp"] + row["n_down_tp"]
    assert trades.direction.count(1) == row["n_up"]
    assert trades.exit_bin == sorted(trades.exit_bin)
    assert all(
        fire + detail["entry_delay_bins"] == entry <= leave < trades.n_bins
        for fire, entry, leave in zip(trades.fire_bin, trades.entry_bin, trades.exit_bin, strict=True)
    )
    assert trades.no_edge is not None
    assert trades.no_edge.bin[0] == trades.first_bin == detail["first_bin"]
    assert trades.no_edge.bin[-1] == trades.n_bins
    assert all(low <= 0 <= high for low, high in zip(trades.no_edge.low, trades.no_edge.high, strict=True))
    best = server.get(detail["trades_url"]).json()
    assert best["threshold"] == detail["best_threshold"]


def test_the_stream_fires_where_the_trades_say(server: Server, house: House) -> None:
    trades = server.get(f"{RUNS}/{house.run_ids[0]}/trades").json()
    query = f"run_id={house.run_ids[0]}&threshold={trades['threshold']}&speed=0"
    fired = {u["bin_seq"]: u["signal"]["fired"] for u in server.stream(query).updates if u["signal"]["fired"]}
    kept = dict(zip(trades["fire_bin"], trades["direction"], strict=True))
    assert kept
    assert kept.items() <= fired.items()
    rows = server.get(f"{RUNS}/{house.run_ids[0]}/detail").json()["rows"]
    dropped = next(row["n_dropped"] for row in rows if row["threshold"] == trades["threshold"])
    assert len(fired) - len(kept) == dropped


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("?threshold=0.987654", 400, "must be one of the run's"),
        ("?threshold=nan", 400, "threshold"),
        ("?threshold=luck", 400, "threshold"),
    ],
)
def test_trades_of_no_row_are_refused(server: Server, house: House, query: str, status: int, says: str) -> None:
    answer = server.get(f"{RUNS}/{house.run_ids[0]}/trades{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]


def test_links_say_why_there_are_none(server: Server, house: House) -> None:
    links = server.get(f"{RUNS}/{house.run_ids[0]}/links").json()
    assert links["dagster"] is None
    assert "VP_DAGSTER_URL" in links["dagster_reason"]
    assert "VP_MLFLOW_URL" in links["mlflow_reason"]


class _Tracking(BaseHTTPRequestHandler):
    """As much of MLflow's REST interface as links need: one experiment, and a run for every sweep that is asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        known = self.path.endswith("experiment_name=short_sweep")
        self._answer(200 if known else 404, {"experiment": {"experiment_id": "7"}} if known else {})

    def do_POST(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(wanted["filter"])
        self._answer(200, {"runs": [{"info": {"run_id": "abc"}}]})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def tracking_server() -> Iterator[tuple[str, list[str]]]:
    handler = type("Handler", (_Tracking,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_links_lead_to_the_asset_and_to_the_tracked_sweep(house: House) -> None:
    with tracking_server() as (address, asked):
        environ = {"VP_DAGSTER_URL": "http://127.0.0.1:3000/", "MLFLOW_TRACKING_URI": address}
        with serving(house.settings(environ)) as server:
            detail = server.get(f"{RUNS}/{house.run_ids[0]}/detail").json()
            links = server.get(detail["links_url"]).json()
            assert server.get(detail["links_url"]).json() == links
    assert links["dagster"] == "http://127.0.0.1:3000/assets/short_sweep/sweep?view=partitions&partition=2026-02-06"
    assert links["mlflow"] == f"{address}/#/experiments/7/runs/abc"
    assert asked[1:] == [f"tags.sweep_address = '{detail['sweep_address']}'"]  # asked once, then kept


def test_a_tracking_server_that_is_away_is_said(house: House) -> None:
    with tracking_server() as (address, _):
        pass
    with serving(house.settings({"VP_MLFLOW_URL": address})) as server:
        links = server.get(f"{RUNS}/{house.run_ids[0]}/links").json()
    assert links["mlflow"] is None
    assert "does not answer" in links["mlflow_reason"]


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://host", "http://user@host", "http://host/?a=b"])
def test_base_addresses_are_checked_at_start(house: House, url: str) -> None:
    with pytest.raises(ConfigError, match="VP_DAGSTER_URL"):
        house.settings({"VP_DAGSTER_URL": url})


def test_a_new_sweep_is_seen_at_once(house: House, tmp_path: Path) -> None:
    with serving(house.settings({"VP_LAKE_ROOT": str(tmp_path)})) as server:
        assert server.get(RUNS).json()["total"] == 0
        shutil.copytree(house.root / "research" / "vp_harness", tmp_path / "research" / "vp_harness")
        assert server.get(f"{RUNS}?min_signals=1").json()["total"] > 0
