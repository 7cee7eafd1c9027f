"""Bodies of REST answers and what makes them from the lake."""
