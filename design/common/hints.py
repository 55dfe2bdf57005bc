"""What to write instead: hints for the usual slips in numbers, paths and TOML, and for files of other programs.

In: the text that a user wrote. Out: a sentence after a blank, or nothing if no hint fits.
"""

from __future__ import annotations

import json
import re

_THOUSANDS = re.compile(r"[^\d,.'\s]{0,4}\s*([1-9]\d{0,2}(?:[,' \u00a0\u202f]\d{3})+(?:\.\d+)?)\s*[^\d,.'\s]{0,4}")
_COMMA = re.compile(r"[^\d,.]{0,4}(\d+),(\d+)[^\d,.]{0,4}")
_NUMBER = re.compile(r"[^\d,.]{0,4}(\d+(?:\.\d+)?)\s*[^\d,.]{0,4}")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_TRUTH = {"True": "true", "yes": "true", "Yes": "true", "False": "false", "no": "false", "No": "false"}
_LINE = re.compile(r"\s*([\w.\"-]+)\s*=\s*(.*?)\s*(?:#.*)?")


def number_hint(text: str) -> str:
    """Return " Write 8000." for a text that holds a number in another form: thousands, a decimal comma, a currency."""
    text = text.strip()
    thousands, percent, comma, plain = (p.fullmatch(text) for p in (_THOUSANDS, _PERCENT, _COMMA, _NUMBER))
    if thousands is not None:
        whole = re.sub(r"[^\d.]", "", thousands[1])
        other = (
            f", or {float(thousands[1].replace(',', '.')):g} if the comma is a decimal one"
            if thousands[1].count(",") == 1
            else ""
        )
        return f" Write {whole}, without a separator of thousands{other if '.' not in thousands[1] else ''}."
    if percent is not None:
        return f" Write {float(percent[1]) / 100:g}: {text} as a share of 1."
    if comma is not None:
        return f" Write {comma[1]}.{comma[2]}, with a decimal point."
    return f" Write {plain[1]}, without quotes and units." if plain is not None else ""


def share_hint(value: object, below: object) -> str:
    """Return " For 60 % write 0.6." for a percentage where a share of 1 is wanted."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or below != 1 or not 1 < float(value) <= 100:  # pyright: ignore[reportArgumentType]
        return ""
    return f" It is a share, between 0 and 1: for {value:g} % write {float(value) / 100:g}."  # pyright: ignore[reportArgumentType]


def path_hint(path: str) -> str:
    r"""Return " Write folders with /, ..." for a path with backslashes."""
    if "\\" not in path:
        return ""
    if re.match(r"[A-Za-z]:", path):
        return " Put the file beside the study file and write its path from there, with / between folders: data/labels.csv."
    return f" Write / between folders: {json.dumps(path.replace(chr(92), '/'), ensure_ascii=False)}."


def toml_hint(line: str) -> str:
    """Return what to write instead of a line that is no TOML."""
    found = _LINE.fullmatch(line)
    if found is None:
        return ""
    key, value = found[1], found[2]
    if re.search(r"[\u201c\u201d\u201e\u2018\u2019]", value):
        return ' Write straight quotes: ".'
    if value.startswith('"') and "\\" in value:
        return f" Write paths with / instead of \\: {key} = {value.replace(chr(92) * 2, '/').replace(chr(92), '/')}."
    if value in _TRUTH:
        return f" Write {key} = {_TRUTH[value]}."
    if re.search(r"\d", value) and number_hint(value):
        return number_hint(value)
    word = re.fullmatch(r"[^\d\"'\[{][^\"]*", value)
    return f" Put text in quotes: {key} = {json.dumps(value, ensure_ascii=False)}." if word else ""


_PLAIN = re.compile(r"[\w][\w. -]*")
_PANDAS = "python -c \"import pandas as pd; pd.{read}('{name}').to_csv('{stem}.csv', index=False)\""
_MATLAB = (
    "python -c \"import numpy as np, scipy.io as s; m = s.loadmat('{name}', squeeze_me=True); "
    "np.savez('{stem}.npz', **{{k: v for k, v in m.items() if k[0] != '_'}})\""
)
_R = "Rscript -e \"write.csv({read}, '{stem}.csv', row.names = FALSE)\""
_EPOCHS = "cut epochs by MNE and save them as {stem}-epo.fif, or name the folder of a BIDS data set"
_CONVERT = {
    ".xlsx": _PANDAS.replace("{read}", "read_excel"),
    ".xls": _PANDAS.replace("{read}", "read_excel"),
    ".ods": _PANDAS.replace("{read}", "read_excel"),
    ".sav": _PANDAS.replace("{read}", "read_spss"),
    ".dta": _PANDAS.replace("{read}", "read_stata"),
    ".feather": _PANDAS.replace("{read}", "read_feather"),
    ".json": _PANDAS.replace("{read}", "read_json"),
    ".mat": _MATLAB,
    ".rds": _R.replace("{read}", "readRDS('{name}')"),
    ".txt": "call it {stem}.csv if commas separate its columns, {stem}.tsv if tabs do",
    **dict.fromkeys((".edf", ".bdf", ".vhdr", ".eeg", ".set", ".gdf", ".cnt", ".mff"), _EPOCHS),
}


def conversion(name: str) -> str:
    """Return " Convert it: ..." for a file of another program, in one line; nothing for endings that are not known."""
    stem, _, ending = name.rpartition(".")
    how = _CONVERT.get(f".{ending.lower()}") if _PLAIN.fullmatch(name) else None  # it is pasted into a shell
    if how is None:
        return ""
    told = how.format(name=name, stem=stem)
    made = re.search(rf"{re.escape(stem)}\.(csv|npz)'", told)
    return f" Convert it: {told}" + (f" and name {stem}.{made[1]} in the study file." if made else ".")
