"""What is checked in the data of a pilot, and what is done about it: every reader asks these modules.

What is certain is refused, or mended with a remark. What is doubtful is asked about, in a message that shows the lines of
``study.toml`` that answer it (``answers``).
"""
