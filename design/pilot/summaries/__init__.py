"""Summaries of recordings that may not leave their site: a file each, what the files say together, the rounds."""
