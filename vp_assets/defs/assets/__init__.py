"""The assets of the research chain, built from specs."""
