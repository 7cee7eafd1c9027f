"""Addresses cover what numbers depend on and nothing else; names and paths follow from them; SQL sees it all."""

from pathlib import Path

import pytest
from lake_kit import ADDRESS, DAY, NAME, dbn_file, small_config, write_random

from vp_engine.errors import ConfigError, LakeError
from vp_engine.lake import Lake, book_address, dataset_address, import_raw, paths, sweep_address
from vp_engine.lake.catalog import VIEWS, Catalog
from vp_engine.specs import SpecBook, build_config_with_overrides, load_instrument, resolve_capture

LOCK = load_instrument()
CAPTURE = resolve_capture(LOCK, DAY, "09:30", "09:40")
CONFIGS = Path(__file__).parents[2] / "configs"


def with_(**fields):
    return build_config_with_overrides(LOCK, fields)


def bins_address(config=LOCK, start="09:30", end="09:40", book="b" * 64, raw=("a" * 64,), version="1"):
    return dataset_address(config, resolve_capture(config, DAY, start, end), book, raw, code_version=version)


@pytest.mark.parametrize(
    "change",
    [
        {"config": with_(tau_velocity=1.5)},
        {"config": with_(c5_v_fill=1.0)},
        {"config": with_(spectrum_weights=(1, 1, 1, 2))},
        {"config": with_(state5_rule="seed")},
        {"config": with_(tick_size=0.5)},
        {"config": with_(warmup_hours=0.25)},
        {"start": "09:29"},
        {"end": "09:41"},
        {"book": "c" * 64},
        {"raw": ("c" * 64,)},
        {"raw": ("a" * 64, "a" * 64)},
        {"version": "2"},
    ],
)
def test_what_the_bins_depend_on_changes_their_address(change):
    assert bins_address(**change) != bins_address()


@pytest.mark.parametrize(
    "fields",
    [{"tanh_scale": 2.0}, {"zscore_window_bins": 120}, {"state_model_d2_weight": 1.0}, {"projection_use_cubic": True},
     {"threshold_neutral": 0.1}, {"contract_multiplier": 5.0}],
)  # fmt: skip
def test_what_the_bins_do_not_depend_on_leaves_it(fields):
    assert bins_address(with_(**fields)) == bins_address()


def test_a_book_depends_on_what_lies_before_it_alone():
    first = book_address(LOCK, CAPTURE, "a" * 64)
    longer = resolve_capture(LOCK, DAY, "09:30", "11:00")
    assert book_address(LOCK, longer, "a" * 64) == first
    assert book_address(with_(tau_velocity=1.0, tanh_scale=2.0), CAPTURE, "a" * 64) == first
    earlier = resolve_capture(LOCK, DAY, "09:29", "09:40")
    for other in (
        book_address(LOCK, earlier, "a" * 64),
        book_address(LOCK, CAPTURE, "b" * 64),
        book_address(with_(tick_size=0.5), CAPTURE, "a" * 64),
        book_address(LOCK, CAPTURE, "a" * 64, code_version="x"),
    ):
        assert other != first


def test_a_sweep_depends_on_what_is_tried_not_on_its_name():
    book = SpecBook.load(CONFIGS, None, LOCK)
    experiment, serving = book.experiments["sweep_demo"], book.serving["derivative_demo"]

    def address(experiment=experiment, serving=serving, config=LOCK, datasets=(ADDRESS,), version="1"):
        return sweep_address(experiment, serving, config, datasets, code_version=version)

    first = address()
    renamed = experiment.model_copy(update={"name": "other", "description": "x", "selection": None})
    assert address(renamed) == address(serving=serving.model_copy(update={"name": "other"})) == first
    changed = experiment.model_copy(update={"eval": experiment.eval.model_copy(update={"fee_ticks": 0.5})})
    others = [
        address(changed),
        address(datasets=("f" * 64,)),
        address(config=with_(tanh_scale=1.0)),
        address(version="2"),
    ]
    assert len({first, *others}) == 5


def test_addresses_stay_what_they_are():
    """Changing these orphans every stored thing: bump a code version on purpose instead."""
    assert book_address(LOCK, CAPTURE, "a" * 64, code_version="1")[:12] == "4dbaf0e8c168"
    assert bins_address()[:12] == "3ec63e65fd1e"


def test_names():
    assert paths.dataset_id(CAPTURE, "mnq_demo", ADDRESS) == "MNQH6_20260206_0930_0940__mnq_demo__0123456789ab"
    assert str(paths.book_path(CAPTURE, ADDRESS)) == "cache/vp_book/MNQH6_2026-02-06_0123456789abcdef.arrow"
    assert str(paths.raw_path(LOCK, DAY, "synthetic")) == (
        "raw/source=synthetic/product_type=future_mbo/symbol=MNQ/table=market_by_order_dbn/"
        "glbx-mdp3-20260206.MNQH6.mbo.dbn.zst"
    )
    meta, runs = paths.results_paths(ADDRESS)
    assert str(meta) == f"research/vp_harness/results/runs_meta/{ADDRESS}.parquet"
    assert str(runs) == f"research/vp_harness/results/runs/{ADDRESS}.parquet"
    lake = Lake("/somewhere")
    assert str(paths.promoted_serving_path(lake, "x")) == "/somewhere/research/vp_harness/configs/serving/x.yaml"
    odd = resolve_capture(LOCK, DAY, "09:30:15", "09:40")
    assert paths.is_dataset_id(paths.dataset_id(odd, "x", ADDRESS))
    assert paths.dataset_id(odd, "x", ADDRESS).startswith("MNQH6_20260206_093015_094000__x__")


@pytest.mark.parametrize("name", ["../x", "X", "a-b", "", "a/b", "a\n"])
def test_names_of_people_are_checked(name):
    for call in (
        lambda: paths.promoted_serving_path(Lake("/x"), name),
        lambda: paths.dataset_id(CAPTURE, name, ADDRESS),
        lambda: paths.raw_path(LOCK, DAY, name),
    ):
        with pytest.raises(ConfigError, match="must be lower-case letters"):
            call()


def test_sql_over_an_empty_lake(tmp_path):
    with Catalog(Lake(tmp_path)) as catalog:
        for view in VIEWS:
            assert catalog.sql(f"SELECT * FROM {view}").num_rows == 0
        assert catalog.sql("SELECT mean(v_add) FROM grid JOIN datasets USING (dataset_id)").num_rows == 1


def test_sql_over_days_datasets_and_specs(tmp_path):
    lake = Lake(tmp_path / "it's a=b lake")
    import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn"))
    with Catalog(lake, SpecBook.load(CONFIGS, None, LOCK)) as catalog:
        assert catalog.sql("FROM datasets").num_rows == 0
        info = write_random(lake)
        (lake.path("research/vp_immutable/half")).mkdir()  # no manifest: not there
        catalog.refresh()
        assert catalog.sql("SELECT dataset_id, address, n_bins FROM datasets").to_pylist() == [
            {"dataset_id": NAME, "address": info.address, "n_bins": 2400}
        ]
        assert catalog.sql("SELECT count(*) AS n, min(dataset_id) AS id FROM bins").to_pylist() == [
            {"n": 2400, "id": NAME}
        ]
        rows = small_config().rows
        assert catalog.sql("SELECT count(*) AS n FROM grid WHERE bin_seq < 10").to_pylist() == [{"n": 10 * rows}]
        assert "a" not in catalog.sql("SELECT * FROM grid LIMIT 1").column_names
        assert catalog.sql("SELECT day, kept FROM days").to_pylist() == [{"day": DAY, "kept": 100}]
        names = catalog.sql("SELECT name FROM serving_specs ORDER BY name").column("name").to_pylist()
        assert {"derivative_baseline", "derivative_demo"} <= set(names)
        assert catalog.sql("CREATE TABLE mine AS SELECT 1 AS x").num_columns <= 1


def test_show_tables_when_the_lake_is_empty_or_full_then_lists_the_views_and_nothing_else(tmp_path):
    lake = Lake(tmp_path)
    with Catalog(lake) as catalog:
        for _ in range(2):
            assert sorted(catalog.sql("SHOW TABLES").column("name").to_pylist()) == sorted(VIEWS)
            write_random(lake)
            catalog.refresh()


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT * FROM nowhere", "SELECT v_ad FROM grid"])
def test_wrong_sql_is_one_line(tmp_path, query):
    with Catalog(Lake(tmp_path)) as catalog, pytest.raises(ConfigError, match="SQL: ") as caught:
        catalog.sql(query)
    assert "\n" not in str(caught.value)


def test_sql_when_a_stored_file_is_damaged_then_one_line_names_the_command_that_finds_it(tmp_path):
    lake = Lake(tmp_path)
    path = write_random(lake).file("grid_clean.parquet")
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4)  # its footer stays readable
    path.write_bytes(content)
    with Catalog(lake) as catalog, pytest.raises(LakeError, match="`vp verify` says which one is damaged") as caught:
        catalog.sql("SELECT sum(pressure_variant), sum(v_add), sum(k) FROM grid")
    assert "\n" not in str(caught.value)
