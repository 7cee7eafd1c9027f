"""Who may import whom: vp_assets → vp_engine ← vp_serving, lower rooms of the engine never import higher ones."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("vp_engine", "vp_assets", "vp_serving")
# From low to high; a room imports rooms before it. Single modules (errors, units, hashing, schema, …) are the ground
# floor, `stream` and `live` the roof. `sample` stands aside: it may use what lies below and beside feed.
ROOMS = (
    "specs", "feed", "book", "operators", "field", "spectrum", "engine", "integrity", "signals", "lake", "evaluation",
    "stream", "live",
)  # fmt: skip
GROUND = tuple(sorted(path.stem for path in (ROOT / "vp_engine").glob("*.py") if path.stem not in ("__init__", *ROOMS)))
# The folders of the other two packages, each with those it may import beside itself; single modules (settings, errors,
# progress, metrics, …) lie below all folders and import none.
FOLDERS = {
    "vp_assets": {
        "databento": (),
        "research": ("databento",),
        "defs": ("research", "databento"),
        "runs": ("defs", "research", "databento"),
        "cli": ("runs", "defs", "research", "databento"),
    },
    "vp_serving": {
        "wire": (),
        "client": ("wire",),
        "replay": ("wire",),
        "stream": ("replay", "wire"),
        "rest": ("replay", "wire"),
        "server": ("stream", "rest", "replay", "wire"),
    },
}
TOOLS = {"vp_serving/__main__.py", "vp_serving/typescript.py"}  # started by hand, imported by nothing
MAY_READ_ENVIRONMENT = {"vp_assets/settings.py", "vp_serving/settings.py"}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Modules a file imports anywhere, types included, with the line."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def breaches(package: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(package)
        for name, line in imports(path)
        if name.split(".")[0] in forbidden
    ]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("vp_engine", ("dagster", "fastapi", "starlette", "uvicorn", "mlflow", "vp_assets", "vp_serving")),
        ("vp_assets", ("vp_serving", "fastapi", "uvicorn")),
        ("vp_serving", ("vp_assets", "dagster", "mlflow")),
    ],
)
def test_packages_keep_their_walls(package: str, forbidden: tuple[str, ...]) -> None:
    assert sources(package)
    assert breaches(package, forbidden) == []


def test_the_vendors_client_is_met_in_the_feed_alone() -> None:
    assert {found.split(":")[0] for found in breaches("vp_engine", ("databento",))} == {"vp_engine/feed/live.py"}


def floor(room: str) -> int:
    """Height of a room of the engine; the ground floor is -1."""
    return -1 if room in GROUND else ROOMS.index(room)


def test_lower_rooms_of_the_engine_never_import_higher_ones() -> None:
    assert {"errors", "units", "hashing", "schema"} <= set(GROUND)
    found = []
    for path in sources("vp_engine"):
        room = path.relative_to(ROOT / "vp_engine").parts[0].removesuffix(".py")
        for name, line in imports(path):
            parts = name.split(".")
            if room == "__init__" or parts[0] != "vp_engine" or len(parts) < 2:
                continue
            if "sample" in (room, parts[1]):
                allowed = room == "sample" and (parts[1] == "sample" or floor(parts[1]) <= floor("feed"))
            else:
                allowed = floor(parts[1]) <= floor(room)
            if not allowed:
                found.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert found == []


@pytest.mark.parametrize("package", sorted(FOLDERS))
def test_folders_import_one_way(package: str) -> None:
    folders = FOLDERS[package]
    assert {path.parent.name for path in (ROOT / package).glob("*/__init__.py")} == set(folders)
    found = []
    for path in sources(package):
        name = path.relative_to(ROOT).as_posix()
        parts = path.relative_to(ROOT / package).parts
        folder = parts[0] if len(parts) > 1 else None
        allowed = (folder, *folders[folder]) if folder is not None else ()
        for imported, line in imports(path):
            room = imported.split(".")[1] if imported.startswith(f"{package}.") else None
            if room in folders and room not in allowed and name not in TOOLS:
                found.append(f"{name}:{line} imports {imported}")
    assert found == []


def test_the_environment_is_read_in_settings_alone() -> None:
    found = []
    for package in PACKAGES:
        for path in sources(package):
            name = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text())):
                reads = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
                if reads and name not in MAY_READ_ENVIRONMENT:
                    found.append(f"{name}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("vp_engine.stream", ("databento", "dagster", "fastapi", "mlflow", "vp_assets", "vp_serving")),
        ("vp_engine.evaluation.sweep", ("dagster", "fastapi", "mlflow", "vp_assets", "vp_serving")),
        ("vp_serving.server.app", ("dagster", "mlflow", "vp_assets")),
        ("vp_assets.cli", ("dagster", "mlflow", "numba", "vp_serving", "fastapi")),
        ("vp_assets.defs.definitions", ("mlflow", "vp_serving", "fastapi")),
    ],
)
def test_importing_loads_only_what_is_needed(module: str, absent: tuple[str, ...]) -> None:
    script = f"import sys, {module}; sys.exit(', '.join(sorted({set(absent)!r} & set(sys.modules))) or 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert (done.returncode, done.stderr.strip()) == (0, "")
