"""The report: one self-contained page, its figures and its tables, made from saved results alone.

In: the folder of a finished plan. Out: `report.html`, `figures/*.svg`, `figures/*.png` and `tables/*.csv` in it. Errors: saved
results that are missing or damaged raise `BadInput`.
"""

from brainworth.design.report.overview import draw_plan
from brainworth.design.report.render import write_report

__all__ = ["draw_plan", "write_report"]
