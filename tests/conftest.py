"""Set up before any test: compiled programs are shared by all tests and workers of a run, and by later runs."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

import chromium
import report_fixture

CACHE = Path(os.environ.get("BRAINWORTH_TEST_CACHE", Path(tempfile.gettempdir()) / "brainworth-test-cache"))
TESTS = Path(__file__).parent
COMPILED = CACHE / "compiled"
"""Where commands look, too: a program that a test has compiled is not compiled again by a command."""
os.environ.setdefault("XLA_FLAGS", "--xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("BRAINWORTH_CACHE", str(CACHE))
# A command of ours imports 6,000 files. Where the environment forbids to keep what Python compiles of them, each command compiles
# them again, for 14 seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the tests of the nightly set, too: minutes each")


def pytest_configure(config: pytest.Config) -> None:
    """Share compiled programs with other processes from the first one on, which modules compile when they are collected."""
    from brainworth.design.common.runtime import write_programs_whole

    write_programs_whole()
    _same_examples(config)


def _same_examples(config: pytest.Config) -> None:
    """Let property tests draw the same examples on every run; new ones are drawn by the nightly set."""
    if not config.getoption("--run-slow"):
        settings.register_profile("the same examples", derandomize=True, database=None)
        settings.load_profile("the same examples")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the nightly set out unless it is asked for; a test that is named alone is asked for."""
    if config.getoption("--run-slow") or any("::" in argument for argument in config.args):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="Of the nightly set: pytest --run-slow."))


@pytest.fixture(autouse=True, scope="module")
def few_programs() -> Iterator[None]:
    """Share traced programs; let go of compiled ones between modules: all together have more mappings than a process may."""
    from brainworth.design.common.runtime import keep_programs, release_programs

    keep_programs()
    yield
    release_programs(0.2)


@pytest.fixture(scope="session")
def written_report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the page of a made-up or saved case, to be read and not changed; drawn once for all modules and workers."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "written_reports"
    shared.mkdir(exist_ok=True)

    def page(case: str) -> Path:
        from brainworth.design.report import write_report

        folder = shared / case
        if not folder.exists():
            own = Path(tempfile.mkdtemp(prefix=f"{case}-", dir=shared)) / case
            kept = TESTS / "saved_reports" / case
            if kept.is_dir():
                shutil.copytree(kept, own)
            else:
                report_fixture.write(own, case)
            write_report(own)
            with suppress(OSError):  # another worker was faster
                own.rename(folder)
        return folder / "report.html"

    return page


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """One tab of a headless Chromium for the tests of a module."""
    assert chromium.CHROMIUM is not None, "BRAINWORTH_BROWSER is required, and there is no Chromium on the PATH."
    browser = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
