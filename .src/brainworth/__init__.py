"""brainworth: how many brain recordings and how many task labels to buy next, from a small pilot."""

__version__ = "0.1.0"
