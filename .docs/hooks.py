"""What the site does beyond MkDocs: pages made from the project, and formulas as MathML.

In: MkDocs' events. Out: files, navigation, page content. Errors: a formula that cannot be converted, which ends the build.
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

import generated
import planner_page

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_config(config: Any) -> Any:
    """Put the case studies into the navigation."""
    for entry in config.nav:
        if "Case studies" in entry:
            pages = [{title: f"case_studies/{name}/README.md"} for name, title in generated.titles().items()]
            entry["Case studies"] = [{"All case studies": "case_studies/index.md"}, *pages]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the project, and the files that case studies show."""
    made = {
        "reference/study.md": generated.study_keys(),
        "reference/checks.md": generated.checks(),
        "reference/commands.md": generated.commands(),
        "reference/modules.md": generated.modules(),
        "case_studies/index.md": generated.cases_index(),
    }
    for name, page in generated.cases():
        made[f"case_studies/{name}/README.md"] = page
        for path in set(generated.linked_files(name, page)):
            where = path.relative_to(generated.ROOT).as_posix()
            if files.get_file_from_path(where) is None:
                files.append(File.generated(config, where, abs_src_path=str(path)))
    for where, content in made.items():
        files.append(File.generated(config, where, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Say in the planner's page what its presets assume."""
    return planner_page.page(markdown) if page.file.src_uri == "planner.md" else markdown


def on_page_content(content: str, **_: Any) -> str:
    """Turn every formula into MathML, which browsers draw without any script."""

    def drawn(found: re.Match[str]) -> str:
        return convert(html.unescape(found[2].strip()), display="block" if found[1] == "div" else "inline")

    return _FORMULA.sub(drawn, content)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Put the planner into its page, last, so that its data are not searched as text."""
    return planner_page.filled(output) if page.file.src_uri == "planner.md" else output
