"""What a run is: the instrument, the capture, and the specs people write."""

from vp_engine.specs.base import dump_yaml, load_yaml_spec
from vp_engine.specs.book import SpecBook
from vp_engine.specs.capture import Capture, resolve_capture
from vp_engine.specs.experiment import ExperimentSpec
from vp_engine.specs.pipeline import CaptureSpec, PipelineSpec
from vp_engine.specs.runtime import (
    VPRuntimeConfig,
    build_config_with_overrides,
    load_instrument,
    resolve_config,
)
from vp_engine.specs.serving import PromotionRecord, ServingSpec, SignalSpec

__all__ = [
    "Capture",
    "CaptureSpec",
    "ExperimentSpec",
    "PipelineSpec",
    "PromotionRecord",
    "ServingSpec",
    "SignalSpec",
    "SpecBook",
    "VPRuntimeConfig",
    "build_config_with_overrides",
    "dump_yaml",
    "load_instrument",
    "load_yaml_spec",
    "resolve_capture",
    "resolve_config",
]
