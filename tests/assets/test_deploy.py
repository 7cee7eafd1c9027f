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
    for name, part in compose["services"].items():
        assert unread(set(part["environment"]), name) == set(), name


def test_every_variable_of_a_pod_is_read_and_every_secret_is_in_the_example(manifests: list[dict[str, Any]]) -> None:
    (settings,) = (one["data"] for one in manifests if one["kind"] == "ConfigMap" and "VP_CONFIG_DIR" in one["data"])
    for name, part in containers(manifests).items():
        taken = {next(iter(one)) for one in part.get("envFrom", ())}
        given = {one["name"] for one in part.get("env", ())}
        given |= set(settings) - {"MLFLOW_TRACKING_URI", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"} if taken else set()
        if name != "mlflow":  # which takes the map for one variable of it
            assert unread(given, name) == set(), name
        keys = [one["valueFrom"]["secretKeyRef"] for one in part.get("env", ()) if "valueFrom" in one]
        assert {key["key"] for key in keys} <= set(example())
        assert ("secretRef" in taken) == (name == "user-code"), "only what buys days and computes them gets all secrets"


def unread(names: set[str], part: str) -> set[str]:
    """Variables of a container that no program in it reads."""
    package = "vp_serving" if part == "service" else "vp_assets"
    read = (REPOSITORY / package / "settings.py").read_text() + (DEPLOY / "dagster.yaml").read_text()
    ours = {name for name in names if name.startswith(("VP_", "DATABENTO", "DAGSTER_POSTGRES", "MLFLOW_TRACKING"))}
    theirs = names - ours - {"PGDATA", "DAGSTER_CURRENT_IMAGE", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"}
    strange = {name for name in theirs if not name.startswith(("AWS_", "POSTGRES_"))}
    return strange | {name for name in ours if f'"{name}"' not in read and f"env: {name} " not in read}


def test_an_image_holds_nothing_of_the_host_but_what_is_copied() -> None:
    """Every source of a COPY is let through, and volumes that the programs write to belong to their user."""
    text = (DEPLOY / "Dockerfile").read_text()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = [word for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert ignored[1] == "*"
    assert copied
    assert all(any(source.startswith(held) for held in let_in) for source in copied)
    assert all((REPOSITORY / held).exists() for held in let_in)
    assert {"frontend/node_modules", "frontend/dist"} <= set(ignored)
    (made,) = re.findall(r"mkdir -p (.+?) &&", text)
    parts = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())["services"].values()
    mounts = {mount.split(":")[1] for part in parts if "build" in part for mount in part.get("volumes", ())}
    assert mounts == set(made.split())


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
