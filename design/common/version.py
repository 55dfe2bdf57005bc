"""The version of brainworth, for files that say by which version they were made."""

__version__ = "0.2.0"
