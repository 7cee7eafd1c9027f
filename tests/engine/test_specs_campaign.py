"""Campaigns: what is multiplied, what goes together, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from vp_engine.errors import ConfigError
from vp_engine.specs import PipelineSpec, load_instrument, load_yaml_spec
from vp_engine.specs.campaign import MAX_VARIANTS, CampaignSpec

CAPTURE = {
    "product_type": "future_mbo", "symbol": "MNQH6", "dt": "2026-02-06", "start_time": "09:30", "end_time": "09:31",
}  # fmt: skip
BASE = PipelineSpec.parse({"name": "base", "capture": CAPTURE, "pipeline": {"tau_jerk": 20.0}})
LOCK = load_instrument()


def campaign(**fields) -> CampaignSpec:
    return CampaignSpec.parse({"name": "many", "pipeline": "base", **fields})


def test_axes_are_multiplied_and_tried_with_every_bundle():
    spec = campaign(
        axes={"tau_velocity": [1.0, 2.0], "cell_width_ms": [100, 200]},
        bundles={"plain": {}, "calm": {"c1_v_add": 0.5, "tau_jerk": 30.0}},
    )
    found = spec.variants(BASE, LOCK)
    assert len(found) == 8
    assert len({variant.spec.name for variant in found}) == 8
    assert [variant.bundle for variant in found] == ["plain"] * 4 + ["calm"] * 4
    calm = found[-1].spec.pipeline
    assert calm == {"tau_jerk": 30.0, "tau_velocity": 2.0, "cell_width_ms": 200, "c1_v_add": 0.5}
    assert found[0].spec.pipeline["tau_jerk"] == 20.0
    assert found[0].spec.capture == BASE.capture


def test_names_are_of_what_varies_and_the_same_point_stands_once():
    spec = campaign(axes={"tau_velocity": [1.0, 1.0, 2.0]})
    assert len(spec.variants(BASE, LOCK)) == 2
    again = campaign(axes={"tau_velocity": [2.0, 1.0]}).variants(BASE, LOCK)
    assert {variant.spec.name for variant in again} == {variant.spec.name for variant in spec.variants(BASE, LOCK)}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "something to vary"),
        ({"axes": {"tau_velocitty": [1.0]}}, "tau_velocitty"),
        ({"bundles": {"a": {"nothing": 1}}}, "nothing"),
        ({"axes": {"tau_velocity": [1.0]}, "bundles": {"a": {"tau_velocity": 2.0}}}, "can be in one"),
        ({"axes": {"tau_velocity": []}}, "axes"),
    ],
)
def test_what_makes_no_campaign(fields, words):
    with pytest.raises(ConfigError, match=words):
        campaign(**fields)


def test_a_point_that_cannot_be_is_named():
    with pytest.raises(ConfigError, match=r"many.*tau_velocity 50"):
        campaign(axes={"tau_velocity": [50.0]}).variants(BASE, LOCK)
    with pytest.raises(ConfigError, match=f"{MAX_VARIANTS} is the most"):
        campaign(axes={"c1_v_add": [float(n) for n in range(MAX_VARIANTS + 1)]}).variants(BASE, LOCK)
    with pytest.raises(ConfigError, match="was given"):
        campaign(axes={"c1_v_add": [1.0]}).variants(BASE.model_copy(update={"name": "other"}), LOCK)


def test_shipped_campaigns_are_sound():
    configs = Path(__file__).parents[2] / "configs"
    for path in sorted((configs / "gold_campaigns").glob("*.yaml")):
        spec = load_yaml_spec(path, CampaignSpec)
        base = load_yaml_spec(configs / "pipelines" / f"{spec.pipeline}.yaml", PipelineSpec)
        assert spec.variants(base, LOCK)
