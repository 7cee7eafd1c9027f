"""The wire: messages of the stream, bins as bytes, the query string."""
