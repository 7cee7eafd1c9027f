"""REST: what there is, in bodies that fit their models, and problems that say what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from small_house import House
from wire_client import PATH, Server, serving

from vp_engine.lake import open_dataset
from vp_engine.schema import BIN_DTYPE
from vp_serving.rest import responses
from vp_serving.rest.overview import overview
from vp_serving.server.screens import MAIN_PAGE


def test_health_and_readiness(server: Server) -> None:
    assert server.get("/health").json()["status"] == "ok"
    for _ in range(200):
        if (answer := server.get("/ready")).status_code == 200:
            break
    assert answer.json() == {"ready": True, "checks": {"kernels": "ok", "specs": "ok", "lake": "ok"}}


def test_not_ready_says_why(house: House, tmp_path: Path) -> None:
    environ = {"VP_LAKE_ROOT": str(tmp_path / "nosuch"), "VP_CONFIG_DIR": str(tmp_path / "none")}
    with serving(house.settings(environ)) as other:
        answer = other.get("/ready")
    assert answer.status_code == 503
    assert "VP_LAKE_ROOT" in answer.json()["checks"]["lake"]
    assert "VP_CONFIG_DIR" in answer.json()["checks"]["specs"]


def test_instrument(server: Server) -> None:
    body = server.get("/v1/instrument").json()
    responses.Instrument.model_validate(body)
    assert (body["symbol"], body["tick_int"], body["price_decimals"]) == ("MNQH6", "250000000", 2)
    assert body["projection_horizons_ms"] == [100, 200, 300, 400]


def test_signals(server: Server) -> None:
    found = responses.Signals.model_validate(server.get("/v1/signals").json())
    derivative = next(entry for entry in found.signals if entry.name == "derivative")
    assert derivative.columns == ["state5_code"]
    assert derivative.params["zscore_window_bins"] == 300


def test_datasets(server: Server, house: House) -> None:
    entries = responses.Datasets.model_validate(server.get("/v1/datasets").json()).datasets
    assert [entry.dataset_id for entry in entries] == [house.dataset_id]
    assert (entries[0].n_bins, entries[0].rows, entries[0].start_time) == (600, 60_600, "09:30:00")
    detail = server.get(f"/v1/datasets/{house.dataset_id}").json()
    responses.DatasetDetail.model_validate(detail)
    assert detail["manifest"]["capture"]["start_ns"] == detail["start_ns"] == "1770388200000000000"
    got = server.stream(entries[0].streaming_url.partition("?")[2] + "&speed=0", bins=1)
    assert got.config["dataset_id"] == house.dataset_id


def test_overview_of_a_dataset(server: Server, house: House) -> None:
    path = f"/v1/datasets/{house.dataset_id}/overview"
    body = server.get(f"{path}?points=70").json()
    found = responses.DatasetOverview.model_validate(body)
    assert (found.bins_per_point, len(found.mid), found.n_bins, found.bin_ns) == (9, 67, 600, 100_000_000)
    bins = open_dataset(house.lake, house.dataset_id).bins
    assert found.mid[-1] == bins["mid_price"][-1]
    assert found.mid_high[3] == bins["mid_price"][27:36].max()
    assert found.mid_low[66] == bins["mid_price"][594:].min()
    assert sum(found.buy_volume) == bins["buy_volume"].sum() > 0
    assert found.sell_volume[10] == bins["sell_volume"][90:99].sum()
    assert sum(found.trades) == bins["trade_count"].sum()
    assert sum(found.invalid_bins) == (bins["book_valid"] == 0).sum()
    assert len(server.get(f"{path}?points=10000").json()["mid"]) == 600
    assert server.get(f"{path}?points=1").json()["code"] == "bad_value"


def test_overview_leaves_out_bins_without_a_book() -> None:
    bins = np.zeros(5, BIN_DTYPE)
    bins["book_valid"], bins["mid_price"] = [1, 0, 0, 0, 1], [10.5, 0, 0, 0, 11.0]
    capture = SimpleNamespace(start_ns=7, bin_ns=100)
    found = overview(SimpleNamespace(bins=bins, n_bins=5, capture=capture, dataset_id="x"), 3)  # type: ignore[arg-type]
    assert found.mid == [10.5, None, 11.0]
    assert found.mid_low == [10.5, None, 11.0]
    assert found.invalid_bins == [1, 2, 0]


def test_a_damaged_dataset_is_left_out_of_the_list_and_said_by_name(house: House, tmp_path: Path) -> None:
    shutil.copytree(house.root / "research", tmp_path / "research")
    manifest = next(tmp_path.glob("research/vp_immutable/*/manifest.json"))
    manifest.write_text("{}")
    with serving(house.settings({"VP_LAKE_ROOT": str(tmp_path)})) as other:
        assert other.get("/v1/datasets").json()["datasets"] == []
        answer = other.get(f"/v1/datasets/{house.dataset_id}")
        rows = other.get("/v1/experiments/runs?min_signals=1").json()["runs"]
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_lake")
    assert {row["can_stream"] for row in rows} == {False}
    assert all("manifest" in row["reason"] for row in rows)


def test_serving_specs(server: Server, house: House) -> None:
    found = responses.ServingSpecs.model_validate(server.get("/v1/serving").json())
    by_name = {entry.name: entry for entry in found.serving}
    assert by_name["short_derivative"].can_stream
    assert not by_name["absent_plain"].can_stream
    assert "2026-02-09" in (by_name["absent_plain"].reason or "")
    assert by_name[house.promoted].origin == "promoted"
    assert [entry.name for entry in found.skipped] == ["foreign"]
    detail = responses.ServingDetail.model_validate(server.get(f"/v1/serving/{house.promoted}").json())
    assert detail.spec["promoted"]["run_id"] == house.run_ids[0]
    assert f"name: {house.promoted}" in detail.yaml


def test_runs_sorted_and_filtered(server: Server, house: House) -> None:
    body = server.get("/v1/experiments/runs?sort=n_signals&min_signals=1&top_n=3").json()
    found = responses.Runs.model_validate(body)
    assert len(found.runs) == 3 < found.total
    counts = [row["n_signals"] for row in body["runs"]]
    assert counts == sorted(counts, reverse=True)
    assert all(row["can_stream"] for row in body["runs"])
    assert isinstance(body["runs"][0]["parameters"], dict)
    best = server.get("/v1/experiments/runs?min_signals=1&best_per_run=true").json()
    assert sorted(row["run_id"] for row in best["runs"]) == sorted(house.run_ids)
    nothing = {"runs": [], "total": 0, "n_test_left_out": 0, "offset": 0, "next_offset": None}
    assert server.get("/v1/experiments/runs?signal=nosuch").json() == nothing
    assert "NaN" not in json.dumps(body)


def test_run_detail(server: Server, house: House) -> None:
    body = server.get(f"/v1/experiments/runs/{house.run_ids[1]}/detail").json()
    responses.RunDetail.model_validate(body)
    assert [row["threshold"] for row in body["rows"]] == sorted(row["threshold"] for row in body["rows"])
    assert body["best_threshold"] in [row["threshold"] for row in body["rows"]]
    assert body["can_stream"]
    assert body["streaming_url"].endswith(f"run_id={house.run_ids[1]}")
    assert "threshold:" in body["yaml"]
    row = body["rows"][0]
    got = server.stream(row["streaming_url"].partition("?")[2] + "&speed=0", bins=1)
    assert got.config["serving"]["signal"]["threshold"] == row["threshold"]


@pytest.mark.parametrize(
    ("path", "status", "code", "says"),
    [
        ("/v1/datasets/MNQH6_20260206_0930_0931__short__000000000000", 404, "not_found", "no dataset"),
        ("/v1/datasets/..%2f..%2fetc", 404, "not_found", ""),
        ("/v1/datasets/nosuch", 400, "bad_value", "dataset_id"),
        ("/v1/serving/nosuch", 404, "not_found", "short_derivative"),
        ("/v1/serving/No-Such", 400, "bad_value", "lower-case"),
        ("/v1/experiments/runs?sort=luck", 400, "bad_value", "sort"),
        ("/v1/experiments/runs?top_n=0", 400, "bad_value", "top_n"),
        ("/v1/experiments/runs?nosuch=1", 400, "bad_value", "nosuch"),
        ("/v1/experiments/runs/0123456789abcdef/detail", 404, "not_found", "0123456789abcdef"),
        ("/v1/experiments/runs/xyz/detail", 400, "bad_value", "16 hex"),
        ("/v1/nosuch", 404, "not_found", ""),
    ],
)
def test_problems(server: Server, path: str, status: int, code: str, says: str) -> None:
    answer = server.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = responses.Problem.model_validate(answer.json())
    assert (problem.status, problem.code) == (status, code)
    assert says in problem.detail


def test_head_is_answered_wherever_get_is(server: Server, house: House) -> None:
    run = f"/v1/experiments/runs/{house.run_ids[0]}"
    paths = [path for path in server.get("/openapi.json").json()["paths"] if "{" not in path]
    paths += [f"/v1/datasets/{house.dataset_id}", f"/v1/serving/{house.promoted}", f"{run}/detail", f"{run}/trades"]
    paths += ["/v1/serving/nosuch", "/v1/datasets/x", "/openapi.json", "/docs", "/", "/nosuch"]
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as session:
        for path in paths:
            asked, head = session.get(path), session.head(path)
            assert head.content == b""
            assert head.status_code == asked.status_code, path
            for name in ("content-type", "etag", "location"):
                assert head.headers.get(name) == asked.headers.get(name), (path, name)
            if path != "/metrics":
                assert head.headers["content-length"] == str(len(asked.content))


def test_options_and_a_stream_without_an_upgrade_say_what_is_wanted(server: Server) -> None:
    answer = httpx.options(f"{server.url}/v1/serving", trust_env=False)
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    plain = server.get(PATH)
    assert (plain.status_code, plain.headers["upgrade"]) == (426, "websocket")
    assert "WebSocket" in plain.json()["detail"]


def test_openapi_names_a_model_for_every_answer(server: Server) -> None:
    paths = server.get("/openapi.json").json()["paths"]
    assert len(paths) >= 11
    for path, methods in paths.items():
        assert list(methods) == ["get"], path
        content = methods["get"]["responses"]["200"]["content"]
        assert path == "/metrics" or "$ref" in content["application/json"]["schema"], path
        if path.startswith("/v1/"):
            assert "application/problem+json" in methods["get"]["responses"]["404"]["content"], path


def test_metrics_count_bins(server: Server) -> None:
    before = _figure(server, "vp_bins_sent_total")
    server.stream("serving=short_plain&speed=0")
    assert _figure(server, "vp_bins_sent_total") == before + 600
    assert "vp_lag_seconds_bucket" in server.get("/metrics").text


def _figure(server: Server, name: str) -> float:
    return next(
        float(line.split()[1]) for line in server.get("/metrics").text.splitlines() if line.startswith(f"{name} ")
    )


def test_screens_are_served_once_they_are_built(house: House, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    with serving(house.settings({"VP_FRONTEND_DIST": str(dist)})) as other:
        helpful = other.get("/", follow_redirects=True)
        assert "not built yet" in helpful.text
        assert "npm run build" in helpful.text
        (dist / "assets").mkdir(parents=True)
        (dist / MAIN_PAGE).write_text("<title>heatmap</title>")
        (dist / "assets" / "main.js").write_text("1")
        (tmp_path / "secret.txt").write_text("secret")
        assert other.get("/").headers["location"] == f"/{MAIN_PAGE}"
        assert "heatmap" in other.get("/", follow_redirects=True).text
        assert other.get("/assets/main.js").text == "1"
        assert other.get("/%2e%2e/secret.txt").status_code == 404
        assert other.get("/nosuch.js").status_code == 404
