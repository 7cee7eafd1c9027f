"""Research without Dagster: what a day of a spec needs, gates, promotion, campaigns, samples, tracking."""
