"""The stream of serving.md section 1 over a real socket."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def test_smoke(server, house):
    got = server.stream("serving=short_derivative&speed=0")
    print(got.last, got.code, len(got.bins))
    print(got.config)
    print(got.bins[-1][0])
    print(got.table(-1).schema)
