"""The hierarchical model of a pilot, and its chains."""
