"""The data of case studies: tests that read them are left out where there are none."""

from __future__ import annotations

import os

import pytest

needs_data = pytest.mark.skipif(
    not os.environ.get("BRAINWORTH_DATA"),
    reason="The data are not in the repository: set BRAINWORTH_DATA to a folder that holds the data sets.",
)
