"""`python -m vp_serving` is `vp-serve`."""

import sys

from vp_serving.server.cli import main

sys.exit(main())
