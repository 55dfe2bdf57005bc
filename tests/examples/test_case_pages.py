"""Pages of the case studies: their tables are the kept results, their files exist, and their command is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).parents[2] / "case_studies"
PAGES = {path.parent.name: path.read_text(encoding="utf-8") for path in sorted(CASES.glob("*/README.md"))}
KEPT = [name for name, page in PAGES.items() if "<!-- end " in page]


@pytest.fixture(scope="module")
def kept() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASES))
        import kept

        return kept


@pytest.mark.parametrize("name", PAGES)
def test_page_is_an_article_with_a_command_and_links_that_hold(name: str) -> None:
    page = PAGES[name]
    assert page.startswith("# ")
    assert re.search(rf"uv run (python case_studies/{name}/run\.py|brainworth demo)", page)
    for target in re.findall(r"\]\(([^)#\s]+)\)", page):
        if "://" not in target:
            assert (CASES / name / target).exists(), target


@pytest.mark.parametrize("name", KEPT)
def test_tables_are_the_kept_results(name: str) -> None:
    places = re.findall(r"<!-- (\w+) -->\n(.*?)<!-- end \1 -->", PAGES[name], flags=re.DOTALL)
    assert places
    assert len(places) == PAGES[name].count("<!-- end ")
    for place, text in places:
        assert text.strip() == (CASES / name / "results" / f"{place}.md").read_text(encoding="utf-8").strip(), place
        assert text.strip()


def test_results_are_kept_beside_the_page(kept: Any, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Title\n\n<!-- plan -->\nold\n<!-- end plan -->\n\nMore.\n", encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "check.csv").write_text("a\n1\n", encoding="utf-8")
    table = kept.rows(["a", "b"], [["1", r"\2"]])
    kept.keep(tmp_path, {"plan": table}, [tmp_path / "out" / "check.csv"])
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == (
        "# Title\n\n<!-- plan -->\n| a | b |\n| --- | --- |\n| 1 | \\2 |\n<!-- end plan -->\n\nMore.\n"
    )
    assert (tmp_path / "results" / "plan.md").read_text(encoding="utf-8") == table + "\n"
    assert (tmp_path / "results" / "check.csv").read_text(encoding="utf-8") == "a\n1\n"
    with pytest.raises(ValueError, match="no place <!-- check -->"):
        kept.keep(tmp_path, {"check": "x"})
