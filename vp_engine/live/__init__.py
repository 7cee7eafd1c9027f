"""The engine on records as they come: the same step as a replay, the same bits as a replay of what was recorded."""

from vp_engine.live.engine import LiveEngine
from vp_engine.live.session import Backoff, LiveSession, LiveStatus
from vp_engine.live.watermark import CLOSE_AFTER_NS, Watermark

__all__ = ["CLOSE_AFTER_NS", "Backoff", "LiveEngine", "LiveSession", "LiveStatus", "Watermark"]
