"""Measurements, never assertions about absolute time: ratios between things measured in one run."""
