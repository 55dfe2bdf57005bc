"""The performance function of a known system."""
