"""A synthetic exchange: MBO records of a market that never was, in the files a real one would come in."""

from vp_engine.sample.market import SyntheticMarket, sample_day, sample_records
from vp_engine.sample.spec import SampleSpec
from vp_engine.sample.writer import SAMPLE_CODE_VERSION, SampleInfo, sample_file_name, write_sample

__all__ = [
    "SAMPLE_CODE_VERSION",
    "SampleInfo",
    "SampleSpec",
    "SyntheticMarket",
    "sample_day",
    "sample_file_name",
    "sample_records",
    "write_sample",
]
