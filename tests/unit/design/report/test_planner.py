"""The planner as a piece of any page: it carries all it needs, asks the network for nothing, and keeps what it is given."""

from __future__ import annotations

import json
import re

import pytest

from brainworth.design.decision.records.details import ModalityPrices, Prices
from brainworth.design.decision.records.performance_table import ModalityTable, PerformanceTable
from brainworth.design.report.planner import Beginning, fragment, inputs


@pytest.fixture
def table() -> PerformanceTable:
    cube = [[[0.0, 0.5], [0.1, 0.6]]]
    own = ModalityTable(samples=[0, 1_000], sample_scale=50.0, people=[1], mean=cube, q05=cube, q95=cube)
    return PerformanceTable(labels=[0, 100], label_scale=10.0, modalities={"EEG": own})


def test_a_fragment_carries_all_it_needs(table: PerformanceTable) -> None:
    prices = Prices(
        task=[1, 2], modalities={"EEG": ModalityPrices(per_session=[100, 300], samples_per_session=500, setup=20)}
    )
    given = inputs(table, prices, Beginning("EUR", 5_000.0, 40, 0.01)) | {"study": "total = {budget} # </script>"}
    page = fragment({"EEG": given}, 0.5, 0.2, "9.9")
    found = re.search(r'<script type="application/json" id="brainworth-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert data["presets"][0]["study"] == "total = {budget} # </script>"
    assert (data["words"]["likely"], data["words"]["unlikely"]) == (0.5, 0.2)
    assert "brainworth 9.9 from published" in data["words"]["basis"]
    assert 'id="planner-session-0" min="0" step="any" value="300"' in page
    assert 'id="planner-currency" maxlength="8" value="EUR"' in page
    assert not re.search(r"https?://", page)


def test_late_cancellations_and_dropouts_are_paid_for(table: PerformanceTable) -> None:
    price = ModalityPrices(
        per_session=100, per_hour=50, hours_per_session=2, cancellation=0.2, per_subject=30, attrition=0.25
    )
    own = inputs(table, Prices(modalities={"EEG": price}), Beginning("USD", 1_000.0, 10, None))["prices"]["EEG"]
    assert (own["session"], own["person"], own["size"]) == (250.0, 40.0, 5)
    assert (own["people"], own["each"]) == (1, 1)


def test_the_page_knows_the_limits_of_the_study(table: PerformanceTable) -> None:
    limits = {"most_people": 9, "most_sessions_each": 3, "most_sessions": 8, "most_samples": 3_900}
    limited = table.model_copy(update={"modalities": {"EEG": table.modalities["EEG"].model_copy(update=limits)}})
    prices = Prices(modalities={"EEG": ModalityPrices(per_subject=30, samples_per_session=500)})
    own = inputs(limited, prices, Beginning("USD", 1_000.0, 10, None))["prices"]["EEG"]
    assert (own["most_people"], own["most_each"], own["most_sessions"], own["person"]) == (9, 3, 7, 30.0)
    returning = limited.modalities["EEG"].model_copy(update={"returning": 5})
    returned = limited.model_copy(update={"modalities": {"EEG": returning}})
    own = inputs(returned, prices, Beginning("USD", 1_000.0, 10, None))["prices"]["EEG"]
    assert (own["fixed"], own["person"]) == (5, 0.0), "people who come back are not paid as new ones"
