"""Pipelines, serving specs, experiments and the book that holds them."""

import re
from pathlib import Path

import pytest
import yaml

from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.specs import (
    ExperimentSpec,
    PipelineSpec,
    PromotionRecord,
    ServingSpec,
    SpecBook,
    dump_yaml,
    load_instrument,
    load_yaml_spec,
)

CONFIGS = Path(__file__).parents[2] / "configs"
LOCK = load_instrument()
CAPTURE = {
    "product_type": "future_mbo", "symbol": "MNQH6", "dt": "2026-02-06", "start_time": "09:30", "end_time": "09:40",
}  # fmt: skip


def pipeline(name="one", **fields):
    return {"name": name, "capture": CAPTURE, **fields}


def serving(name="one_serving", **fields):
    return {"name": name, "pipeline": "one", **fields}


def experiment(name="one_sweep", **fields):
    return {"name": name, "serving": "one_serving", **fields}


@pytest.fixture
def configs(tmp_path):
    """A function that writes specs as files and loads them."""
    kinds = {"pipelines": pipeline(), "serving": serving(), "experiments": experiment()}

    def load(promoted=None, **given):
        root = tmp_path / "configs"
        for kind, default in kinds.items():
            folder = root / kind
            folder.mkdir(parents=True, exist_ok=True)
            specs = given.get(kind, [default])
            for index, spec in enumerate(specs):
                (folder / f"{index}.yaml").write_text(yaml.safe_dump(spec))
        lake = tmp_path / "promoted"
        if promoted:
            lake.mkdir(exist_ok=True)
            for index, spec in enumerate(promoted):
                (lake / f"{index}.yaml").write_text(yaml.safe_dump(spec))
        return SpecBook.load(root, lake, LOCK)

    return load


def test_the_experiment_of_the_page_says_every_field_there_is():
    page = (CONFIGS.parent / "docs" / "research.md").read_text(encoding="utf-8")
    said = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    spec = ExperimentSpec.parse(said, "page")
    assert set(said) == set(spec.model_dump()) - {"description"}
    assert set(said["eval"]) == set(spec.eval.model_dump())
    assert set(said["sweep"]) == set(spec.sweep.model_dump())


def test_shipped_specs():
    book = SpecBook.load(CONFIGS, None, LOCK)
    assert set(book.pipelines) == {"mnq_60m_baseline", "mnq_demo", "mnq_5m", "mnq_20m"}
    assert set(book.serving) == {"derivative_baseline", "derivative_demo", "derivative_5m", "derivative_20m"}
    assert set(book.experiments) == {
        "sweep_derivative", "sweep_demo", "sweep_statistical", "sweep_ml", "sweep_5m", "walk_forward",
    }  # fmt: skip
    assert {name for name, _ in book.skipped} == {
        "es_open", "derivative_es_open", "sweep_es_open", "sweep_es_statistical", "sweep_es_ml",
    }  # fmt: skip
    assert all("ESH4" in reason and "MNQH6" in reason for _, reason in book.skipped)
    assert book.pipelines["mnq_60m_baseline"].resolve(LOCK).n_bins == 36_000
    assert book.pipelines["mnq_demo"].resolve(LOCK).n_bins == 6_000
    assert book.serving_config("derivative_baseline") == LOCK
    assert book.pipeline_of("sweep_demo").name == "mnq_demo"


def test_shipped_specs_under_the_es_lock():
    book = SpecBook.load(CONFIGS, None, load_instrument(CONFIGS / "instruments" / "esh4.yaml"))
    assert set(book.experiments) == {"sweep_es_open", "sweep_es_statistical", "sweep_es_ml"}
    assert {name for name, _ in book.skipped} == {
        "mnq_60m_baseline", "mnq_demo", "derivative_baseline", "derivative_demo", "sweep_derivative", "sweep_demo",
        "sweep_statistical", "sweep_ml", "mnq_5m", "derivative_5m", "sweep_5m", "mnq_20m", "derivative_20m",
        "walk_forward",
    }  # fmt: skip
    assert book.pipelines["es_open"].resolve(book.lock).n_bins == 36_000


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("[pse]*/*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_file_survives_a_round_trip(path, tmp_path):
    model = {"pipelines": PipelineSpec, "serving": ServingSpec, "experiments": ExperimentSpec}[path.parent.name]
    spec = load_yaml_spec(path, model)
    assert spec.name == path.stem
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_yaml(spec))
    assert load_yaml_spec(copy, model) == spec


def test_unquoted_times_and_dates_are_text(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text(
        "name: plain\n"
        "capture: {product_type: future_mbo, symbol: MNQH6, dt: 2026-02-06, start_time: 09:25, end_time: 10:25}\n"
    )
    spec = load_yaml_spec(path, PipelineSpec)
    assert (spec.capture.dt, spec.capture.start_time, spec.capture.end_time) == ("2026-02-06", "09:25", "10:25")


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"pipelines": [pipeline(pipelin={})]}, "unknown key `pipelin`; did you mean `pipeline`?"),
        ({"pipelines": [pipeline(pipeline={"tanh_scale": 1.0})]}, "unknown key `pipeline.tanh_scale`"),
        ({"pipelines": [pipeline(pipeline={"tau_velocity": 9.0})]}, "`tau_velocity` must be < `tau_acceleration`"),
        ({"pipelines": [pipeline(name="One")]}, "`name` must be lower-case"),
        ({"pipelines": [pipeline(name="../one")]}, "`name` must be lower-case"),
        ({"pipelines": [pipeline(capture={**CAPTURE, "end_time": "09:30"})]}, "`end_time` must be after"),
        ({"pipelines": [pipeline(capture={**CAPTURE, "dt": "tomorrow"})]}, "`dt` must be a date"),
        ({"pipelines": [pipeline(capture={**CAPTURE, "symbl": "X"})]}, "unknown key `capture.symbl`"),
        ({"serving": [serving(scoring={"tau_velocity": 1.0})]}, "unknown key `scoring.tau_velocity`"),
        ({"serving": [serving(state_model={"d4_weight": 1.0})]}, "unknown key `state_model.d4_weight`"),
        ({"serving": [serving(projection={"horizon_bins": [1]})]}, "did you mean `projection.horizons_bins`?"),
        ({"serving": [serving(scoring={"tanh_scale": -1.0})]}, "`tanh_scale`"),
        ({"serving": [serving(pipeline="two")]}, "`pipeline` names `two`, which is no pipeline"),
        ({"serving": [serving(signal={"name": "derivative", "thresold": 1})]}, "did you mean `signal.threshold`?"),
        ({"experiments": [experiment(serving="one")]}, "`serving` names `one`, which is no serving spec"),
        ({"experiments": [experiment(eval={"tp_tick": [8]})]}, "did you mean `eval.tp_ticks`?"),
        ({"experiments": [experiment(eval={"fill": "far"})]}, "`eval.fill`"),
        ({"experiments": [experiment(sweep={"scoring": {"tau_jerk": [1]}})]}, "unknown key `sweep.scoring.tau_jerk`"),
        ({"experiments": [experiment(sweep={"scoring": {"tanh_scale": [0.0]}})]}, "`tanh_scale`"),
        ({"experiments": [experiment(sweep={"scoring": {"tanh_scale": []}})]}, "`sweep.scoring.tanh_scale`"),
        ({"experiments": [experiment(days={"train": ["2026-02-02"], "test": ["2026-02-02"]})]}, "2026-02-02 twice"),
        ({"experiments": [experiment(days={"train": [], "test": []})]}, "at least one day"),
        ({"experiments": [experiment(signals=[])]}, "`signals`"),
    ],
)
def test_bad_specs_are_one_line_with_the_file_in_front(configs, kinds, message):
    text = configs(**kinds).broken[0].reason
    assert message in text
    assert f"{next(iter(kinds))}/0.yaml: " in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "kinds",
    [
        {"pipelines": [pipeline(), pipeline()]},
        {"serving": [serving(), serving()]},
        {"serving": [serving(name="one")]},
        {"experiments": [experiment(name="one_serving")]},
        {"promoted": [serving()]},
        {"pipelines": [pipeline(), pipeline(capture={**CAPTURE, "symbol": "ESH4"})]},
    ],
)
def test_a_name_is_taken_once(configs, kinds):
    book = configs(**kinds)
    assert re.search(r"the name `one.*` is taken by .*rename one", book.broken[0].reason)
    assert len(book.pipelines) == 1  # the first keeps its name


def test_unknown_names_say_what_there_is(configs):
    book = configs(pipelines=[pipeline(), pipeline(name="far", capture={**CAPTURE, "symbol": "ESH4"})])
    with pytest.raises(NotFoundError, match="no pipeline named `two`; there are: one"):
        book.pipelines["two"]
    with pytest.raises(NotFoundError, match="pipeline `far` is skipped: it is of ESH4"):
        book.pipelines["far"]
    with pytest.raises(NotFoundError, match="no serving spec named `x`"):
        book.serving_path("x")
    assert book.serving_path("one_serving").name == "0.yaml"
    assert "two" not in book.pipelines
    assert book.pipelines.get("two") is None


def test_promoted_specs_join_and_a_lost_pipeline_is_skipped(configs):
    record = {
        "experiment": "one_sweep", "serving": "one_serving", "run_id": "0123456789abcdef", "threshold": 0.1,
        "dataset_address": "ab" * 32, "figures": {"tp_rate": float("nan")},
    }  # fmt: skip
    book = configs(
        promoted=[serving(name="won", promoted=record), serving(name="lost", pipeline="gone", promoted=record)]
    )
    assert book.serving["won"].promoted.threshold == 0.1
    assert ("lost", "its pipeline `gone` is gone") in book.skipped


def test_a_file_where_a_folder_of_specs_is_looked_for_is_no_empty_list(tmp_path):
    (tmp_path / "pipelines").write_text("")
    with pytest.raises(ConfigError, match=r"pipelines: is a file, where the folder"):
        SpecBook.load(tmp_path, None, LOCK)


def test_missing_config_folder(tmp_path):
    with pytest.raises(NotFoundError, match="no such folder of specs"):
        SpecBook.load(tmp_path / "nowhere", None, LOCK)


def test_serving_fields_reach_the_config(configs):
    book = configs(
        pipelines=[pipeline(pipeline={"cell_width_ms": 200, "tau_velocity": 1.5})],
        serving=[serving(
            scoring={"zscore_window_bins": 120}, state_model={"d2_weight": 0.3},
            projection={"horizons_bins": [1, 5], "use_cubic": True},
        )],
    )  # fmt: skip
    config = book.serving_config("one_serving")
    assert (config.cell_width_ms, config.tau_velocity, config.zscore_window_bins) == (200, 1.5, 120)
    assert config.state_model["d2_weight"] == 0.3
    assert config.projection_horizons_ms == (200, 1000)
    assert config.projection_use_cubic


def test_days_of_a_pipeline():
    fixed = PipelineSpec.parse(pipeline())
    every = PipelineSpec.parse(pipeline(capture={**CAPTURE, "dt": None}))
    assert fixed.resolve(LOCK) == fixed.resolve(LOCK, "2026-02-06") == every.resolve(LOCK, "2026-02-06")
    with pytest.raises(ConfigError, match="has the one day 2026-02-06, was asked for 2026-02-09"):
        fixed.resolve(LOCK, "2026-02-09")
    with pytest.raises(ConfigError, match="no `dt` of its own"):
        every.resolve(LOCK)


def test_one_value_stands_for_a_list():
    spec = ExperimentSpec.parse(experiment(eval={"tp_ticks": 8, "sl_ticks": [4, 6], "cooldown_bins": 20}))
    assert (spec.eval.tp_ticks, spec.eval.sl_ticks, spec.eval.cooldown_bins) == ((8.0,), (4.0, 6.0), (20,))


def test_promotion_record_round_trip(tmp_path):
    record = PromotionRecord(
        experiment="e", serving="s", run_id="0" * 16, threshold=1 / 3, dataset_address="a" * 64, figures={"x": 1e-17}
    )
    spec = ServingSpec(name="won", pipeline="one", promoted=record)
    path = tmp_path / "won.yaml"
    path.write_text(dump_yaml(spec))
    assert load_yaml_spec(path, ServingSpec) == spec


def test_an_experiment_over_several_pipelines_is_one_on_each(configs):
    wider = pipeline("wide", pipeline={"grid_radius_ticks": 60})
    foreign = pipeline("foreign", capture={**CAPTURE, "symbol": "ESH4"})
    tried = experiment(pipelines=["one", "wide", "foreign"])
    book = configs(pipelines=[pipeline(), wider, foreign], experiments=[tried])
    assert book.members("one_sweep") == ("one_sweep_on_one", "one_sweep_on_wide")
    assert set(book.experiments) == set(book.members("one_sweep"))
    assert book.experiments["one_sweep_on_one"].serving == "one_serving"
    on_wide = book.experiments["one_sweep_on_wide"]
    assert (on_wide.serving, on_wide.pipelines) == ("one_serving_on_wide", None)
    assert book.pipeline_of("one_sweep_on_wide").name == "wide"
    assert book.serving_config(on_wide.serving).grid_radius_ticks == 60
    assert "one_sweep_on_foreign" in {name for name, _ in book.skipped}
    assert configs(experiments=[experiment()]).members("one_sweep") == ("one_sweep",)


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ({"experiments": [experiment(pipelines=["nowhere"])]}, "`pipelines` names `nowhere`"),
        (
            {"experiments": [experiment(pipelines=["one"]), experiment("one_sweep_on_one")]},
            "one_sweep_on_one` is taken",
        ),
        (
            {
                "pipelines": [pipeline(), pipeline("two")],
                "serving": [serving(), serving("one_serving_on_two")],
                "experiments": [experiment(pipelines=["two"])],
            },
            "one_serving_on_two` is taken",
        ),
    ],
)
def test_names_of_several_pipelines_that_clash_or_lead_nowhere(configs, specs, words):
    book = configs(**specs)
    assert words in book.broken[0].reason
    assert "one" in book.pipelines


def test_what_stands_on_a_broken_spec_is_broken_with_its_reason_and_the_rest_is_whole(configs):
    book = configs(
        pipelines=[pipeline(), pipeline("two", pipelin={})],
        serving=[serving(), serving("two_serving", pipeline="two")],
        experiments=[experiment(), experiment(name="two_sweep", serving="two_serving")],
    )
    reasons = dict(book.broken)
    assert len(reasons) == 3
    assert all("unknown key `pipelin`" in reason for reason in reasons.values())
    assert (*book.pipelines, *book.serving, *book.experiments) == ("one", "one_serving", "one_sweep")
    with pytest.raises(ConfigError, match="unknown key `pipelin`"):
        book.experiments["two_sweep"]
