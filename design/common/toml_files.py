"""Reading TOML files: study files, system files, profiles of clusters."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from brainworth.design.common.hints import toml_hint
from brainworth.design.common.messages import one_line, problem

MAX_BYTES = 2**20
"""Largest TOML file that is read."""


def _hint(text: str, error: str) -> str:
    """Return what to write on the line that an error of TOML names; empty if that is not known."""
    found, lines = re.search(r"at line (\d+)", error), text.splitlines()
    number = int(found[1]) if found is not None else 0
    return toml_hint(lines[number - 1]).strip() if 0 < number <= len(lines) else ""


def read_toml(path: Path, name: object) -> dict[str, Any]:
    """Return the parsed TOML file, or raise ``BadInput``: missing, a folder, too large, not UTF-8, not TOML."""
    text = ""
    try:
        if path.is_dir():
            raise problem(
                name, "", "this is a folder", f"Name the file in it, e.g. {one_line(path / 'study.toml', 200)}."
            )
        if path.exists() and not path.is_file():
            raise problem(name, "", "this is a device or a pipe", "Name a regular file.")
        if path.stat().st_size > MAX_BYTES:
            raise problem(name, "", "the file is larger than 1 MiB", "Tables belong into files of their own.")
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError:
        raise problem(
            name, "", "the file does not exist", "Check the path, or write a study with: brainworth init DIR."
        ) from None
    except UnicodeDecodeError:
        raise problem(name, "", "the file is not UTF-8 text", "Save it as UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        right = _hint(text, str(error)) or "See https://toml.io for its form."
        raise problem(name, "", f"the file is not valid TOML: {error}", right) from None
    except (OSError, ValueError, RecursionError) as error:
        raise problem(
            name, "", f"the file cannot be read ({one_line(error, 200)})", "Check its path and permissions."
        ) from None
