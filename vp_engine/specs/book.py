"""All specs at hand: authored ones below a config folder, promoted ones in the lake, under one name space."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from vp_engine.errors import ConfigError, NotFoundError, VPError
from vp_engine.hashing import signature_holds
from vp_engine.specs.base import NAME_PATTERN, SpecModel, load_yaml_spec
from vp_engine.specs.experiment import ExperimentSpec
from vp_engine.specs.pipeline import PipelineSpec
from vp_engine.specs.runtime import VPRuntimeConfig, build_config_with_overrides
from vp_engine.specs.serving import ServingSpec

Spec = TypeVar("Spec", bound=SpecModel)
T = TypeVar("T")


class Skipped(NamedTuple):
    """A spec that is left out, and why."""

    name: str
    reason: str


class SpecNames(dict[str, Spec]):
    """Specs of one kind by name; asking for an unknown one is a NotFoundError that lists what there is."""

    def __init__(self, kind: str, skipped: list[Skipped], broken: list[Skipped]) -> None:
        super().__init__()
        self.kind = kind
        self._skipped = skipped
        self._broken = broken

    def __missing__(self, name: str) -> Spec:
        for other, reason in self._skipped:
            if other == name:
                raise NotFoundError(f"{self.kind} `{name}` is skipped: {reason}")
        for other, reason in self._broken:
            if other == name:
                raise ConfigError(f"{self.kind} `{name}` cannot be used: {reason}")
        known = ", ".join(sorted(self)) or "none"
        raise NotFoundError(f"no {self.kind} named `{name}`; there are: {known}")


class SpecBook:
    """Specs of the locked instrument, checked against each other. Those of other instruments are listed in `skipped`;
    those that cannot be read or used are in `broken`, and take nothing else down."""

    def __init__(self, lock: VPRuntimeConfig) -> None:
        self.lock = lock
        self.skipped: list[Skipped] = []
        self.broken: list[Skipped] = []
        self.pipelines: SpecNames[PipelineSpec] = SpecNames("pipeline", self.skipped, self.broken)
        self.serving: SpecNames[ServingSpec] = SpecNames("serving spec", self.skipped, self.broken)
        self.experiments: SpecNames[ExperimentSpec] = SpecNames("experiment", self.skipped, self.broken)
        self.families: dict[str, tuple[str, ...]] = {}  # experiments over several pipelines, and what each became
        self._paths: dict[str, Path] = {}

    @classmethod
    def load(cls, config_dir: Path, promoted_dir: Path | None, lock: VPRuntimeConfig) -> SpecBook:
        """Read every spec. A bad file, a name that is taken or a reference to nothing makes that spec a broken one, and
        those that stand on it; the others are whole."""
        if not config_dir.is_dir():
            raise NotFoundError(f"{config_dir}: no such folder of specs; VP_CONFIG_DIR names it")
        for folder in (config_dir / name for name in ("pipelines", "serving", "experiments")):
            if folder.exists() and not folder.is_dir():
                raise ConfigError(f"{folder}: is a file, where the folder of these specs is looked for")
        book = cls(lock)
        book._add_all(config_dir / "pipelines", book._add_pipeline)
        book._add_all(config_dir / "serving", book._add_serving)
        if promoted_dir is not None:
            book._add_all(promoted_dir, book._add_promoted)
        book._add_all(config_dir / "experiments", book._add_experiment)
        return book

    def _add_all(self, folder: Path, add: Callable[[Path], None]) -> None:
        """Add each file of a folder, or list it as broken by the name of the file."""
        for path in _yaml_files(folder):
            try:
                add(path)
            except (VPError, OSError) as error:
                said = " ".join(str(error).split())
                name = _declared_name(path)
                if self._paths.setdefault(name, path) != path:  # the first of a name keeps it
                    name = path.stem
                self.broken.append(Skipped(name, said if str(path) in said else f"{path}: {said}"))

    def leave_out(self, experiment: str, reason: str) -> None:
        """Take an experiment out that cannot be used for a reason that the specs alone do not show."""
        del self.experiments[experiment]
        self.broken.append(Skipped(experiment, reason))

    def path(self, name: str) -> Path:
        """File of a spec, a skipped one too."""
        if name not in self._paths:
            raise NotFoundError(f"no spec named `{name}`; there are: {', '.join(sorted(self._paths)) or 'none'}")
        return self._paths[name]

    def serving_path(self, name: str) -> Path:
        """File of a serving spec; NotFoundError if there is none of this instrument."""
        return self._paths[self.serving[name].name]

    def pipeline_of(self, name: str) -> PipelineSpec:
        """The pipeline below a serving spec or an experiment."""
        serving = self.experiments[name].serving if name in self.experiments else name
        return self.pipelines[self.serving[serving].pipeline]

    def serving_config(self, name: str) -> VPRuntimeConfig:
        """Resolved configuration of a serving spec."""
        return self.serving[name].config(self.lock, self.pipeline_of(name))

    def _register(self, name: str, path: Path) -> None:
        if name in self._paths:
            raise ConfigError(f"{path}: the name `{name}` is taken by {self._paths[name]}; rename one")
        self._paths[name] = path

    def _reason(self, name: str) -> str | None:
        return next((reason for other, reason in self.skipped if other == name), None)

    def _require_unbroken(self, path: Path, kind: str, name: str) -> None:
        """ConfigError with the reason of the spec that this one names, where that is broken."""
        for other, reason in self.broken:
            if other == name:
                raise ConfigError(f"{path}: its {kind} `{name}` cannot be used: {reason}")

    def _add_pipeline(self, path: Path) -> None:
        spec = load_yaml_spec(path, PipelineSpec)
        self._register(spec.name, path)
        capture = spec.capture
        if (capture.product_type, capture.symbol) != (self.lock.product_type, self.lock.symbol):
            self.skipped.append(Skipped(spec.name, f"it is of {capture.symbol}, the instrument is {self.lock.symbol}"))
            return
        _check(path, lambda: spec.resolve(self.lock, None if capture.dt else "2026-02-06"))
        self.pipelines[spec.name] = spec

    def _add_serving(self, path: Path) -> None:
        spec = load_yaml_spec(path, ServingSpec)
        self._register(spec.name, path)
        if spec.pipeline in self.pipelines:
            _check(path, lambda: spec.config(self.lock, self.pipelines[spec.pipeline]))
            self.serving[spec.name] = spec
        elif (reason := self._reason(spec.pipeline)) is not None:
            self.skipped.append(Skipped(spec.name, reason))
        elif spec.promoted is not None:  # a pipeline that was renamed must not silence every other spec
            self._require_unbroken(path, "pipeline", spec.pipeline)
            self.skipped.append(Skipped(spec.name, f"its pipeline `{spec.pipeline}` is gone"))
        else:
            self._require_unbroken(path, "pipeline", spec.pipeline)
            raise ConfigError(f"{path}: `pipeline` names `{spec.pipeline}`, which is no pipeline")

    def _add_promoted(self, path: Path) -> None:
        """A promoted spec; one whose bytes have changed is skipped, so that it streams nothing it was not judged on."""
        if signature_holds(path.read_text(encoding="utf-8", errors="replace")) is False:
            self._register(path.stem, path)
            self.skipped.append(Skipped(path.stem, "its bytes have changed since it was promoted; promote it again"))
            return
        self._add_serving(path)

    def _add_experiment(self, path: Path) -> None:
        spec = load_yaml_spec(path, ExperimentSpec)
        self._register(spec.name, path)
        if spec.serving in self.serving:
            _check(path, lambda: self._check_axes(spec))
            for name in _check(path, lambda: self.add_experiment(spec)):
                if name != spec.name:
                    self._register(name, path)
        elif (reason := self._reason(spec.serving)) is not None:
            self.skipped.append(Skipped(spec.name, reason))
        else:
            self._require_unbroken(path, "serving spec", spec.serving)
            raise ConfigError(f"{path}: `serving` names `{spec.serving}`, which is no serving spec")

    def add_experiment(self, spec: ExperimentSpec) -> tuple[str, ...]:
        """Let an experiment join; one that names pipelines becomes `<name>_on_<pipeline>` for each, over a serving spec
        of that pipeline. Names of what joined. ConfigError for a pipeline that is not there or a name that is taken."""
        if spec.pipelines is None:
            self.experiments[spec.name] = spec
            return (spec.name,)
        base, joined = self.serving[spec.serving], list[str]()
        for pipeline in dict.fromkeys(spec.pipelines):
            name = f"{spec.name}_on_{pipeline}"
            if (reason := self._reason(pipeline)) is not None:
                self.skipped.append(Skipped(name, reason))
                continue
            if pipeline not in self.pipelines:
                raise ConfigError(f"`pipelines` names `{pipeline}`, which is no pipeline")
            scored = base
            if pipeline != base.pipeline:
                own = {"name": f"{base.name}_on_{pipeline}", "pipeline": pipeline, "promoted": None}
                scored = base.model_copy(update=own)
                if self.serving.get(scored.name, scored) != scored:
                    raise ConfigError(f"the name `{scored.name}` is taken by another serving spec; rename that one")
                scored.config(self.lock, self.pipelines[pipeline])
                self.serving[scored.name] = scored
            self.experiments[name] = spec.model_copy(update={"name": name, "serving": scored.name, "pipelines": None})
            joined.append(name)
        self.families[spec.name] = tuple(joined)
        return tuple(joined)

    def members(self, name: str) -> tuple[str, ...]:
        """What an experiment became: itself, or one for each of its pipelines."""
        return self.families.get(name) or (self.experiments[name].name,)

    def _check_axes(self, spec: ExperimentSpec) -> None:
        """Each value of each scoring axis alone must be a valid configuration, but for the window's minimum."""
        config = self.serving_config(spec.serving)
        for key, values in spec.sweep.scoring.items():
            for value in values:
                extra: dict[str, Any] = {"zscore_min_periods": 1} if key == "zscore_window_bins" else {}
                if key == "zscore_min_periods":
                    extra = {
                        "zscore_window_bins": max(
                            config.zscore_window_bins, *spec.sweep.scoring.get("zscore_window_bins", (1,))
                        )
                    }
                build_config_with_overrides(config, {**extra, key: value})


def _yaml_files(folder: Path) -> Iterable[Path]:
    """YAML files of a folder in order of name; none if it is missing. Temporary names are hidden ones."""
    if not folder.is_dir():
        return ()
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.name[0] != ".")


def _declared_name(path: Path) -> str:
    """The name that a broken spec gives itself, or else that of its file."""
    try:
        said = yaml.safe_load(path.read_bytes())
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        said = None
    name = said.get("name") if isinstance(said, dict) else None
    return name if isinstance(name, str) and re.fullmatch(NAME_PATTERN, name) else path.stem


def _check(path: Path, action: Callable[[], T]) -> T:
    """What a check gives; a ConfigError gets the file's name in front."""
    try:
        return action()
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
