"""`python -m vp_assets.cli` is `vp`."""

from vp_assets.cli import main

main()
