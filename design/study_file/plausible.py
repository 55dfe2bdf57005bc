"""What is possible in a study file, but unlikely to be meant.

In: a study file. Out: remarks. A budget of 8.000 is eight in TOML, and eight thousand where it was written.
"""

from __future__ import annotations

from brainworth.design.study_file.config import StudyConfig


def unlikely(config: StudyConfig) -> tuple[str, ...]:
    """Return a remark if the budget is below the price of a single label or session."""
    total, currency = config.budget.total, config.budget.currency
    if total is None:
        return ()
    prices = {"a label": config.task.cost_per_label.low}
    for modality in config.modality:
        prices[f"a session of {modality.name}"] = modality.cost.per_session.low
        prices[f"a sample of {modality.name}"] = modality.cost.per_sample.low
    beyond = [f"{what} ({price:g} {currency})" for what, price in prices.items() if price > total]
    if not beyond:
        return ()
    return (
        f"budget.total = {total:g} {currency} is below the price of {' and of '.join(beyond)}. Is it meant? A point separates "
        "decimals in TOML: write eight thousand as 8000 or 8_000, not 8.000.",
    )
