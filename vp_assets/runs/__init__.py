"""Runs of the assets on this machine: in this process, prepared processes, many days."""
