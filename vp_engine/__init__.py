"""Order-flow forces from market-by-order records: kernels, specs and the lake that keeps their results."""

from vp_engine.kernel_cache import use_kernel_cache

use_kernel_cache()
