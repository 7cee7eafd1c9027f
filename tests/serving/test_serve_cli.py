"""`vp-serve` and the generated types: flags, one-line errors, a process that starts, serves and stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from small_house import House
from wire_client import Server

from vp_engine.specs import VPRuntimeConfig
from vp_serving import typescript
from vp_serving.server.cli import main, parser, settings_from

FLAGS = """--product-type --symbol --dt --start-time --host --port --log-level --lake-root --perf-latency-jsonl
--perf-window-start-et --perf-window-end-et --perf-summary-every-bins --projection-horizons-bins
--projection-use-cubic --projection-cubic-scale --projection-damping-lambda"""


def test_every_flag_is_there() -> None:
    known = parser().format_help()
    for flag in FLAGS.split():
        assert flag in known
    for name in VPRuntimeConfig.model_fields:
        if name.startswith("state_model_"):
            assert f"--{name.replace('_', '-')}" in known


def test_flags_reach_the_configuration() -> None:
    arguments = [
        "--state-model-d2-weight",
        "0.5",
        "--projection-horizons-bins",
        "1,5",
        "--projection-use-cubic",
        "true",
    ]
    base = settings_from([*arguments, "--dt", "2026-02-06", "--port", "0"]).base
    assert base.state_model_d2_weight == 0.5
    assert base.projection_horizons_bins == (1, 5)
    assert base.projection_use_cubic is True


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--symbol", "ESH6"], "MNQH6"),
        (["--dt", "6 February"], "YYYY-MM-DD"),
        (["--start-time", "25:00"], "HH:MM"),
        (["--host", "0.0.0.0"], "VP_API_TOKEN"),
        (["--state-model-tanh-scale", "-1"], "--state-model-tanh-scale"),
        (["--projection-horizons-bins", "1,1"], "projection_horizons_bins"),
        (["--perf-latency-jsonl", "/nosuch/x.jsonl"], "--perf-latency-jsonl"),
        (["--port", "99999"], "--port"),
        (["--port", "0", "--lake-root", __file__], "is a file; name a folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("VP_")]:
        monkeypatch.delenv(name)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--port", "many"], ["--no-such-flag"]])
def test_a_wrong_flag_is_one_line_and_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert arguments[0] in said
    assert said.count("\n") == 1


def test_a_taken_port_is_one_line_and_exit_2(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", str(server.port)]) == 2
    assert f"127.0.0.1:{server.port}" in capsys.readouterr().err


def test_the_process_serves_logs_latency_and_stops(house: House, tmp_path: Path) -> None:
    log = tmp_path / "latency.jsonl"
    environ = {**os.environ, "VP_CONFIG_DIR": str(house.configs)}
    flags = ["--lake-root", str(house.root), "--port", "0", "--perf-latency-jsonl", str(log)]
    window = [
        "--perf-window-start-et",
        "09:30:10",
        "--perf-window-end-et",
        "09:30:20",
        "--perf-summary-every-bins",
        "40",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "vp_serving", *flags, *window], env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "event='serving'" in line)
        port = int(line.split("http://127.0.0.1:")[1].split("/")[0])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        got = Server(port, None).stream("serving=short_plain&speed=0")
        assert len(got.bins) == 600
    finally:
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=20)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    bins = [entry["bin_seq"] for entry in lines if entry["type"] == "bin"]
    assert bins == list(range(99, 199))  # a bin's time is its end
    assert [entry["bins"] for entry in lines if entry["type"] == "summary"] == [40, 40, 20]


def test_importing_the_service_loads_no_dagster() -> None:
    code = (
        "import sys, vp_serving.server.cli; print([m for m in ('dagster', 'mlflow', 'vp_assets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_generated_types_are_current() -> None:
    assert typescript.TARGET.read_text() == typescript.generate(), "run python -m vp_serving.typescript"
