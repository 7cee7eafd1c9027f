"""What Dagster loads: assets, their checks and IO managers, jobs, schedules, sensors and connections."""
