"""The one place of this package that reads the environment. Options of a command line win over variables.

VP_LAKE_ROOT, VP_CACHE_DIR, VP_CACHE_GB, VP_CONFIG_DIR, VP_INSTRUMENT_CONFIG_PATH, VP_SIGNALS_PATH,
VP_PARTITIONS_START, DAGSTER_HOME, MLFLOW_TRACKING_URI, VP_DASK_SCHEDULER, DATABENTO_API_KEY, VP_DATABENTO_GATEWAY,
VP_DATABENTO_LIVE_GATEWAY, VP_MAX_COST_USD, VP_CATCH_UP_DAYS, VP_ALERT_WEBHOOK.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

FIRST_DAY = "2023-01-01"  # first daily partition unless a spec names an earlier day
CATCH_UP_DAYS = 7  # how far back the schedule looks for days that it missed
MAX_COST_USD = 10.0  # what one download may cost unless it is told otherwise


@dataclass(frozen=True)
class Settings:
    """Where things are. `lake_root` is a folder or an fsspec URL; `instrument` None means the packaged lock;
    `signals_path`: files and folders of own signals; `dask_scheduler`: address of a cluster that sweeps run on;
    `databento_gateway`: a URL and `databento_live_gateway`: host:port, in place of the vendor's own."""

    lake_root: str
    config_dir: Path
    instrument: Path | None
    dagster_home: Path
    mlflow_tracking_uri: str
    mlflow_artifacts: str
    first_day: dt.date
    home: Path  # logs, and Dagster's and MLflow's files unless they are placed elsewhere
    cache_dir: Path | None = None  # local files of a remote lake; None: below the user's cache
    cache_bytes: int | None = None  # at most so many of fetched raw days; None: as the lake has it
    signals_path: tuple[Path, ...] = ()
    dask_scheduler: str | None = None
    databento_key: SecretStr | None = field(default=None, repr=False)  # shows as stars wherever it is printed
    databento_gateway: str | None = None
    databento_live_gateway: str | None = None
    max_cost_usd: float = MAX_COST_USD
    catch_up_days: int = CATCH_UP_DAYS
    alert_webhook: SecretStr | None = field(default=None, repr=False)


def load_settings(
    lake_root: str | Path | None = None,
    config_dir: str | Path | None = None,
    instrument: str | Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Options over environment over defaults. Dagster's and MLflow's files live below the lake unless placed
    elsewhere, so that a lake carries its own history; a lake behind a URL keeps them in ./.dagster."""
    root = str(lake_root or environ.get("VP_LAKE_ROOT") or "lake")
    remote = "://" in root
    if not remote:
        root = str(Path(root).absolute())
    home = Path(".dagster").absolute() if remote else Path(root)
    cache_gb = environ.get("VP_CACHE_GB") or None
    instrument_path = instrument or environ.get("VP_INSTRUMENT_CONFIG_PATH") or None
    return Settings(
        lake_root=root,
        config_dir=Path(config_dir or environ.get("VP_CONFIG_DIR") or "configs").absolute(),
        instrument=Path(instrument_path).absolute() if instrument_path else None,
        dagster_home=Path(environ.get("DAGSTER_HOME") or home / "dagster").absolute(),
        mlflow_tracking_uri=environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
        mlflow_artifacts=str(home / "mlflow" / "artifacts"),
        first_day=_date(environ.get("VP_PARTITIONS_START") or FIRST_DAY),
        home=home,
        cache_dir=Path(environ["VP_CACHE_DIR"]).absolute() if environ.get("VP_CACHE_DIR") else None,
        cache_bytes=10**9 * _whole("VP_CACHE_GB", cache_gb, "gigabytes", 1_000_000) if cache_gb else None,
        signals_path=_paths(environ.get("VP_SIGNALS_PATH") or ""),
        dask_scheduler=environ.get("VP_DASK_SCHEDULER") or None,
        databento_key=_secret(environ.get("DATABENTO_API_KEY") or ""),
        databento_gateway=environ.get("VP_DATABENTO_GATEWAY") or None,
        databento_live_gateway=environ.get("VP_DATABENTO_LIVE_GATEWAY") or None,
        max_cost_usd=_dollars(environ.get("VP_MAX_COST_USD") or MAX_COST_USD),
        catch_up_days=_whole("VP_CATCH_UP_DAYS", environ.get("VP_CATCH_UP_DAYS") or CATCH_UP_DAYS, "days", 366),
        alert_webhook=_secret(environ.get("VP_ALERT_WEBHOOK") or ""),
    )


def require_plain_paths(settings: Settings) -> None:
    """ConfigError for a folder that Dagster and MLflow, which put it unquoted into a URL, would read as another one."""
    from vp_engine.errors import ConfigError

    for path in map(str, (settings.dagster_home, settings.home)):
        bad = next((letter for letter in path if letter in "?#%" or not letter.isprintable()), None)
        if bad is not None:
            raise ConfigError(
                f"Dagster cannot keep its database below {path!r}: the path holds {bad!r}; choose a `--lake-root` and "
                "a DAGSTER_HOME without `?`, `#`, `%` and control characters"
            )


def _secret(text: str) -> SecretStr | None:
    """A key without the blanks that a copied line brings along."""
    return SecretStr(text.strip()) if text.strip() else None


def _dollars(given: str | float) -> float:
    from vp_engine.errors import ConfigError

    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigError(f"`VP_MAX_COST_USD` must be dollars, such as 10 or 2.5, was {given!r}")
    return value


def _whole(name: str, given: str | int, what: str, most: int) -> int:
    from vp_engine.errors import ConfigError

    if not (str(given).isdecimal() and len(str(given)) <= len(str(most))) or not 0 <= int(given) <= most:
        raise ConfigError(f"`{name}` must be {what} from 0 to {most}, was {given!r}")
    return int(given)


def _paths(text: str) -> tuple[Path, ...]:
    """Paths as in PATH, absolute; the `~` of nobody stays, and is no folder."""
    return tuple(Path(os.path.expanduser(part)).absolute() for part in text.split(os.pathsep) if part)


def _date(text: str) -> dt.date:
    from vp_engine.units import parse_date

    return parse_date(text, "VP_PARTITIONS_START")
