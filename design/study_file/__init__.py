"""The study file: one module a block, and the system file."""
