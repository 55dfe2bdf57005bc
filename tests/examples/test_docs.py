"""The documentation site: it builds without a warning, its links hold, and the code on its pages runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from brainworth.design.cli import main
from brainworth.design.study_file.config import StudyConfig

ROOT = Path(__file__).parents[2]
PAGES = ROOT / ".docs" / "pages"
BLOCK = re.compile(r"^( *)```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
RUN = sorted(path.relative_to(PAGES).as_posix() for path in [PAGES / "tutorial.md", *(PAGES / "how-to").glob("*.md")])


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Return language, title and code of every block of a page, in order."""
    found = BLOCK.findall((PAGES / page).read_text(encoding="utf-8"))
    return [(language, title, textwrap.dedent(code)) for _, language, title, code in found]


def test_pages_of_every_task_have_code() -> None:
    assert len(RUN) >= 9
    ran = {page for page in RUN for language, _, _ in blocks(page) if language in ("bash", "python")}
    assert set(RUN) - ran == {"how-to/cluster.md"}


@pytest.mark.filterwarnings("default")  # MNE, mne-bids and nilearn warn of themselves
@pytest.mark.parametrize("page", RUN)
def test_code_runs_as_it_stands(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "mne" in (PAGES / page).read_text(encoding="utf-8"):
        pytest.importorskip("mne_bids", reason="Reading EEG needs brainworth[eeg].")
    if "nibabel" in (PAGES / page).read_text(encoding="utf-8"):
        pytest.importorskip("nilearn", reason="Reading images needs brainworth[fmri].")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, title, code in blocks(page):
        if title:
            (tmp_path / title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / title).write_text(code, encoding="utf-8")
        elif language == "bash":
            for line in code.splitlines():
                command = line.split()
                assert command[0] == "brainworth", line
                assert main([*command[1:]]) == 0, line
        elif language == "python":
            exec(compile(code, f"{page}, {code.splitlines()[0]}", "exec"), names)


def _keys(value: object) -> Iterator[str]:
    """Yield the keys of a TOML document, however deep; what follows ``where`` or ``columns`` are columns of the user's own."""
    if isinstance(value, list):
        for entry in value:
            yield from _keys(entry)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from () if key in {"where", "columns"} else _keys(inner)


def _schema_keys(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for inner in schema.values():
            yield from _schema_keys(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _schema_keys(inner)


def test_fragments_of_study_files_hold_real_keys() -> None:
    known = {*_schema_keys(StudyConfig.model_json_schema()), "EEG"}  # the name of a modality, under priors
    fragments = [code for page in RUN for language, title, code in blocks(page) if language == "toml" and not title]
    assert len(fragments) >= 6
    for code in fragments:
        assert set(_keys(tomllib.loads(code))) <= known, code


class _Links(HTMLParser):
    """Collects what a page links to, loads, and can be jumped to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loads += [given[name] for name in ("src", "href") if name in given and tag in ("script", "img", "link")]


def _read(path: Path) -> _Links:
    found = _Links()
    found.feed(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, _Links]:
    pytest.importorskip("mkdocs", reason="The site needs the group docs: uv sync --group docs.")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(ROOT / ".docs" / "mkdocs.yml")]
    finished = subprocess.run([*command, "-d", str(folder)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return {path.resolve(): _read(path) for path in folder.rglob("*.html")}


def test_links_of_the_site_hold(site: dict[Path, _Links]) -> None:
    broken: list[str] = []
    for page, found in site.items():
        for link in found.links:
            target, _, anchor = unquote(link).partition("#")
            if "://" in target or target.startswith("mailto:") or page.name == "404.html":
                continue
            path = (page.parent / target).resolve() if target else page
            if not path.is_file() or (anchor and path in site and anchor not in site[path].anchors):
                broken.append(f"{page.name}: {link}")
    assert not broken


def test_nothing_is_loaded_from_elsewhere(site: dict[Path, _Links]) -> None:
    outside = {load for found in site.values() for load in found.loads if "://" in load or load.startswith("//")}
    assert not outside


def test_references_are_complete(site: dict[Path, _Links]) -> None:
    text = {page.as_posix(): page.read_text(encoding="utf-8") for page in site}
    study = next(body for name, body in text.items() if name.endswith("reference/study.html"))
    for key in (
        "cost_per_label",
        "samples_per_session",
        "shared_stimuli",
        "fir_delays",
        "confidence",
        "spectrum_exponent",
    ):
        assert f"<code>{key}</code>" in study
    price = next(row for row in study.split("<tr>") if "<code>per_sample</code>" in row)
    assert re.findall(r"<td>(.*?)</td>", price)[1:3] == ["number (at least 0) or [low, high]", "<code>0</code>"]
    commands = next(body for name, body in text.items() if name.endswith("reference/commands.html"))
    for name in (
        "demo",
        "init",
        "check",
        "plan",
        "compare",
        "sensitivity",
        "backtest",
        "predict",
        "simulate",
        "report",
        "schema",
    ):
        assert f'id="brainworth-{name}"' in commands
    theory = next(body for name, body in text.items() if name.endswith("theory.html") and "case" not in name)
    assert theory.count("<math") > 60
    assert "\\frac" not in theory
    cases = {path.parent.name for path in (ROOT / "case_studies").glob("*/README.md")}
    assert {page.parent.name for page in site if page.parent.parent.name == "case_studies"} == cases
