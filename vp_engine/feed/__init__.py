"""Raw files to record batches."""

from vp_engine.feed.capture import RawInfo, event_clock, scan
from vp_engine.feed.dbn import DbnFile
from vp_engine.feed.records import F_BAD_TS_RECV, F_LAST, F_SNAPSHOT, MBO_DTYPE

__all__ = ["F_BAD_TS_RECV", "F_LAST", "F_SNAPSHOT", "MBO_DTYPE", "DbnFile", "RawInfo", "event_clock", "scan"]
