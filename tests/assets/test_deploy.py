"""The files of deploy/ agree with each other and with the code: names, ports, variables, programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config
from dagster._core.instance.config import dagster_instance_config_schema

from benchmarks import year

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
PARTS = {"postgres", "user-code", "webserver", "daemon", "service", "mlflow"}
SECRETS = ("POSTGRES_PASSWORD", "VP_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "DATABENTO_API_KEY", "VP_ALERT_WEBHOOK")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    folder = DEPLOY / "kubernetes"
    held = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert sorted(held) == sorted(path.name for path in folder.glob("*.yaml") if path.stem != "kustomization")
    return [one for name in held for one in yaml.safe_load_all((folder / name).read_text())]


def containers(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    pods = [one["spec"]["template"]["spec"] for one in manifests if one["kind"] in ("Deployment", "StatefulSet")]
    return {one["name"]: one for pod in pods for one in pod["containers"]}


def example() -> dict[str, str]:
    lines = [line for line in (DEPLOY / "env.example").read_text().splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def test_every_part_is_in_both(compose: dict[str, Any], manifests: list[dict[str, Any]]) -> None:
    assert set(compose["services"]) == PARTS == set(containers(manifests))


def test_dagster_takes_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://vp@host/dagster")
    document = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    known = dagster_instance_config_schema()
    assert set(document) <= set(known)
    for name, values in document.items():
        checked = process_config({name: known[name]}, {name: values})
        assert checked.success, (name, checked.errors)
    assert document["concurrency"]["pools"]["granularity"] == "run"


def test_the_workspace_names_the_user_code(compose: dict[str, Any], manifests: list[dict[str, Any]]) -> None:
    server = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())["load_from"][0]["grpc_server"]
    assert server["host"] in compose["services"]
    port = str(server["port"])
    assert port in compose["services"]["user-code"]["command"]
    assert port in containers(manifests)["user-code"]["command"]
    found = {one["metadata"]["name"]: one["spec"]["ports"][0]["port"] for one in manifests if one["kind"] == "Service"}
    assert found == {"postgres": 5432, "user-code": 4000, "webserver": 3000, "service": 8002, "mlflow": 5000}


def test_programs_are_those_of_the_packages(compose: dict[str, Any], manifests: list[dict[str, Any]]) -> None:
    programs = {"dagster", "dagster-webserver", "dagster-daemon", "mlflow", "vp-serve"}
    for parts in (compose["services"], containers(manifests)):
        commands = {name: part["command"] for name, part in parts.items() if name != "postgres"}
        assert {command[0] for command in commands.values()} == programs
        assert any(one.startswith("--allowed-hosts=mlflow:5000") for one in commands["mlflow"])


def test_variables_are_known_and_secrets_are_empty(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "docker-compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) == set(example())
    assert all(example()[name] == "" for name in SECRETS)
    read = "".join((REPOSITORY / package / "settings.py").read_text() for package in ("vp_assets", "vp_serving"))
    named = {name for part in compose["services"].values() for name in part["environment"]}
    ours = {name for name in named if name.startswith(("VP_", "DATABENTO"))}
    assert ours
    assert all(f'"{name}"' in read for name in ours)


def test_nothing_listens_beyond_this_host(compose: dict[str, Any]) -> None:
    ports = [port for part in compose["services"].values() for port in part.get("ports", ())]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_service_cannot_write_and_nobody_is_root(compose: dict[str, Any], manifests: list[dict[str, Any]]) -> None:
    assert "lake:/lake:ro" in compose["services"]["service"]["volumes"]
    assert "USER vp" in (DEPLOY / "Dockerfile").read_text()
    pods = [one["spec"]["template"]["spec"] for one in manifests if one["kind"] == "Deployment"]
    assert all(pod["securityContext"]["runAsNonRoot"] for pod in pods)
    assert all("memory" in one["resources"]["limits"] for one in containers(manifests).values())


def test_the_year_is_computed_from_the_rows() -> None:
    text = f"| {year.BOOK_ROW} | 10,000,000 events/s | x |\n| {year.BINS_ROW} | 4,000 bins/s | x |\n"
    lines = year.table(20.0, 7_000.0, 1e5, 25e6, 250, text)
    assert lines[2] == "| raw day of 25 M records | 500 MB | 125 GB | 0 | 0.0 |"
    assert lines[3].startswith("| book cache, one replay of the whole day | 100 kB | 25 MB | 2 |")
    assert lines[5] == "| dataset of 1 h | 252 MB | 63 GB | 18 | 1.2 |"
    with pytest.raises(SystemExit, match="has no row"):
        year.rate("nothing", text)
