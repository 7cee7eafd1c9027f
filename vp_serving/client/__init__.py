"""The client: `StreamClient` and `replay` hand out the bins of a stream, through lost connections and restarts."""

from vp_serving.client.socket import MessageIgnored, StreamChanged, StreamError, Unreachable
from vp_serving.client.stream_client import Bin, StreamClient, replay

__all__ = ["Bin", "MessageIgnored", "StreamChanged", "StreamClient", "StreamError", "Unreachable", "replay"]
