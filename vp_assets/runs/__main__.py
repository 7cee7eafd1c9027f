"""`python -m vp_assets.runs` makes the home that `dg dev` wants to find."""

from vp_assets.runs.in_process import open_instance
from vp_assets.settings import load_settings

open_instance(load_settings()).dispose()
