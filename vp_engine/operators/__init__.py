"""Streaming operators over a series of samples."""

from vp_engine.operators.series import Ema, Lag, RobustZ, RollingMoments, RollingSlope

__all__ = ["Ema", "Lag", "RobustZ", "RollingMoments", "RollingSlope"]
