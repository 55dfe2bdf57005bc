"""Tables and arrays, in memory or left on disk."""
