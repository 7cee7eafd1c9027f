"""A Databento of our own on loopback: real HTTP, and every fault that the real one can show."""
