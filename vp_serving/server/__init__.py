"""The running server: application, routes, guard, protocols and screens."""
