"""What every spec has in common: frozen pydantic models, YAML that says one thing, errors on one line.

YAML is read strictly: repeated keys are refused, `10:25` and `2026-02-06` stay text with or without quotes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vp_engine.errors import ConfigError, NotFoundError

NAME_PATTERN = r"^[a-z0-9_]+$"
Whole = Annotated[int, Field(ge=0, le=1_000_000_000)]  # a number of bins or trades
SpecName = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=100)]
_SHOWN = 100  # characters of a wrong value that a message repeats
_MOST_VALUES = 100_000  # of one file, aliases written out: ten lines of them can mean a billion


class SpecModel(BaseModel):
    """Frozen, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: Any, info: ValidationInfo) -> Any:
        """`true` is no number; pydantic would take it for 1."""
        values = value if isinstance(value, (list, tuple)) else (value,)
        if any(isinstance(one, bool) for one in values):
            kinds = set(_leaves(cls.model_fields[info.field_name or ""].annotation))
            if kinds & {int, float} and not kinds & {bool, Any}:
                raise PydanticCustomError("number_expected", "Input should be a number")
        return value

    @classmethod
    def parse(cls, data: Any, where: str = "") -> Self:
        """The model from plain data; ConfigError with one line that starts with `where` otherwise."""
        prefix = f"{where}: " if where else ""
        if not isinstance(data, Mapping):
            raise ConfigError(f"{prefix}expected a mapping of keys, found {type(data).__name__}")
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise ConfigError(prefix + first_problem(error, cls)) from None


Model = TypeVar("Model", bound=SpecModel)


def _leaves(annotation: Any) -> Iterator[Any]:
    """The plain types of an annotation."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for part in inner:
        yield from _leaves(part)


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Sentence about an unknown key, with the nearest known one."""
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    if near:
        return f"unknown key `{key}`; did you mean `{near[0]}`?"
    shown = ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:12])}, …"
    return f"unknown key `{key}`; known are {shown}" if names else f"unknown key `{key}`"


def refuse_unknown(given: Iterable[str], known: Iterable[str], block: str) -> None:
    """ValueError, for use in validators, for the first key of a block that is not known."""
    names = {f"{block}.{name}" for name in known}
    for key in given:
        if f"{block}.{key}" not in names:
            raise ValueError(unknown_key(f"{block}.{key}", names))


def check_keys(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """ConfigError for the first key of `given` that `known` lacks."""
    names = set(known)
    for key in given:
        if key not in names:
            raise ConfigError(f"{where}: {unknown_key(str(key), names)}")


def first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first of pydantic's findings as one sentence that names the key."""
    found = error.errors(include_url=False)
    problem = min(found, key=lambda item: item["type"] != "extra_forbidden")
    place = [str(part) for part in problem["loc"]]
    name = ".".join(place)
    if problem["type"] == "extra_forbidden":
        return unknown_key(name, [".".join([*place[:-1], key]) for key in _keys_at(model, place[:-1])])
    if problem["type"] == "missing":
        return f"`{name}` is missing"
    if problem["type"] == "value_error":  # our own validators name the key themselves
        return problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_pattern_mismatch" and problem["ctx"]["pattern"] == NAME_PATTERN:
        return f"`{name}` must be lower-case letters, digits and underscores, was {_shown(problem['input'])}"
    return f"`{name}`: {problem['msg'][0].lower()}{problem['msg'][1:]}, was {_shown(problem['input'])}"


def _shown(value: Any) -> str:
    """A value as a message has room for it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _keys_at(model: type[BaseModel], place: list[str]) -> list[str]:
    """Field names of the model nested at `place`; empty where the annotation is no plain model."""
    for part in place:
        if part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        nested = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)


class _Loader(yaml.SafeLoader):
    """Safe YAML without dates and base-60 numbers, and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (list, dict)):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key `{key}` stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _without_sexagesimal() -> dict[str, list[tuple[str, Any]]]:
    """SafeLoader's implicit resolvers; `10:25` would otherwise be the number 625, and a date no text."""
    kept = {}
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items():
        kept[first] = [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
        ]
    return kept


_Loader.yaml_implicit_resolvers = _without_sexagesimal()


def _add_numbers() -> None:
    """YAML 1.2 numbers: 12, -3, 0.5, 1e-3, .inf, .nan."""
    _Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
    _Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
        list("-+0123456789."),
    )


_add_numbers()


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    """Decimal integer; YAML 1.1 would read 010 as eight."""
    text = str(loader.construct_scalar(node))
    try:
        return int(text)
    except ValueError:  # an explicit tag on a word, or more digits than Python converts
        raise yaml.constructor.ConstructorError(None, None, f"no integer: {_shown(text)}", node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def read_yaml(path: Path) -> Any:
    """Plain data of a YAML file; NotFoundError or a one-line ConfigError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text ({error})") from None
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}:{line} not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid YAML: nested too deeply") from None
    except (ValueError, TypeError, KeyError, AttributeError):  # what the constructors of explicit tags raise
        raise ConfigError(f"{path}: not valid YAML: a value is not what its tag (`!!…`) says") from None
    if _is_endless(data):
        raise ConfigError(f"{path}: more than {_MOST_VALUES:,} values once its aliases are written out")
    return data


def _is_endless(data: Any) -> bool:
    """Whether plain data is larger than any spec, or holds itself."""
    ahead, seen = [data], 0
    while ahead:
        value = ahead.pop()
        seen += 1
        if seen + len(ahead) > _MOST_VALUES:
            return True
        if isinstance(value, dict):
            ahead += value.values()
        elif isinstance(value, (list, tuple, set)):
            ahead += value
    return False


def load_yaml_spec(path: Path, model: type[Model]) -> Model:
    """A spec from its file; ConfigError "file: unknown key `x`…" in one line otherwise."""
    return model.parse(read_yaml(path), str(path))


def dump_yaml(spec: SpecModel) -> str:
    """A spec as YAML that `load_yaml_spec` reads back to an equal spec."""
    plain = spec.model_dump(mode="json", exclude_computed_fields=True)
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


class _Dumper(yaml.SafeDumper):
    """Floats in Python's shortest form, so that they come back as the same bits."""


def _float_text(dumper: _Dumper, value: float) -> yaml.ScalarNode:
    text = {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(repr(value), repr(value))
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(float, _float_text)
