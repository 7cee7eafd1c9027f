"""Replays: a request resolved, its bins from a dataset or the engine, scored and encoded."""
