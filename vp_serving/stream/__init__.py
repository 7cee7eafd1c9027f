"""The streams under way: one connection each, paced by a clock."""
