"""Features of words: word vectors and tables of norms, joined to the stimuli by their words.

In: a stimulus table with a column of words, and a lexicon: a data frame, a mapping, or a file of word vectors. Out: the table
with the words' features, and the words that have none. Errors: missing columns, cells that are no numbers, no word in common, a
file that holds no vectors; each is a ``BadInput``. No pickle is ever loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brainworth.design.common.messages import did_you_mean, one_line, problem, quoted, quoted_list
from brainworth.design.pilot.features.columns import feature_matrix
from brainworth.design.pilot.tables.tables import MAX_FILE_BYTES


@dataclass(frozen=True)
class Joined:
    """A stimulus table with the features of its words, and the words that have none."""

    stimuli: pd.DataFrame
    """Keys and features, one row per stimulus whose word was found (or every stimulus, if missing ones are filled)."""
    missing: Mapping[str, int]
    """Words without features and how many stimuli they are, the most frequent first."""
    filled: bool = False
    """Whether stimuli with a missing word were kept, with the mean of the found ones."""

    @property
    def report(self) -> str:
        """One sentence about what is missing."""
        if not self.missing:
            return "Every word has features."
        done = "they have the mean of the others" if self.filled else "they were left out"
        count = sum(self.missing.values())
        return f"{count} stimuli have one of {len(self.missing)} words without features ({quoted_list(self.missing)}); {done}."


def join_words(
    stimuli: pd.DataFrame,
    lexicon: pd.DataFrame | Mapping[str, Sequence[float]] | Mapping[str, np.ndarray],
    word: str = "word",
    *,
    lower: bool = True,
    fill: bool = False,
) -> Joined:
    """Return a stimulus table with the features of its words, from word vectors or a table of norms.

    Parameters
    ----------
    stimuli : DataFrame
        Columns stimulus, ``word``, optionally group; further columns are features and stay.
    lexicon : DataFrame or mapping
        One row per word: a column ``word`` (or the index) and numeric columns; or ``{word: vector}``. The first entry of a
        word counts, rows with an empty cell do not.
    word : str
        Column of the words, which is dropped.
    lower : bool
        Whether a word that is not found is looked up in lower case and without punctuation around it.
    fill : bool
        Whether stimuli whose word is missing get the mean of the others, instead of being left out.

    Returns
    -------
    Joined
        The table and the words without features.

    Raises
    ------
    BadInput
        A column is missing or not numeric, or no word has features.

    Examples
    --------
    >>> import pandas as pd
    >>> words = pd.DataFrame({"stimulus": [1, 2, 3], "word": ["Dog,", "runs", "xyzzy"]})
    >>> norms = pd.DataFrame({"word": ["dog", "runs"], "frequency": [4.1, 3.7]})
    >>> joined = join_words(words, norms)
    >>> joined.stimuli
       stimulus  frequency
    0         1        4.1
    1         2        3.7
    >>> joined.report
    "1 stimuli have one of 1 words without features ('xyzzy'); they were left out."
    """
    table = lexicon if isinstance(lexicon, pd.DataFrame) else _vectors(lexicon)
    if word in table.columns:
        table = table.set_index(word)
    if word not in stimuli.columns:
        hint = did_you_mean(word, [str(c) for c in stimuli.columns])
        raise problem("stimuli", f"column {quoted(word)}", "the column is missing", f"Name the column of words.{hint}")
    table = table[~table.index.duplicated()].dropna()
    names, values = feature_matrix(pd.DataFrame(table.reset_index(drop=True)))
    place = {str(key): i for i, key in enumerate(table.index)}
    rows = np.array([_place(str(text), place, lower=lower) for text in stimuli[word]], dtype=np.int64)
    found = rows >= 0
    if not found.any():
        right = f"The lexicon holds {len(place)} words: {quoted_list(list(place)[:3])}."
        raise problem("stimuli", f"column {quoted(word)}", "no word has features", right)
    lost = pd.Series(stimuli[word].to_numpy()[~found], dtype=object).astype(str).value_counts(sort=True)
    features = values[rows]
    if fill:
        features[~found] = values[rows[found]].mean(axis=0)
    kept = np.ones(len(rows), dtype=bool) if fill else found
    rest = stimuli.loc[kept].drop(columns=word)
    clash = [name for name in names if name in rest.columns]
    if clash:
        right = "Rename it in one of them."
        raise problem("lexicon", f"column {quoted(clash[0])}", "stimuli have a column of this name too", right)
    joined = rest.join(pd.DataFrame(features[kept], columns=names, index=rest.index))
    return Joined(joined, {str(key): int(count) for key, count in lost.items()}, filled=fill)


def _vectors(lexicon: Mapping[str, Sequence[float]] | Mapping[str, np.ndarray]) -> pd.DataFrame:
    sizes = {len(vector) for vector in lexicon.values()}
    if len(sizes) != 1:
        raise problem("lexicon", "", f"its vectors have the lengths {sorted(sizes)}", "All must have the same length.")
    values = np.array([np.asarray(v, dtype=np.float64) for v in lexicon.values()])
    return pd.DataFrame(values, index=list(lexicon), columns=[f"vector_{i + 1}" for i in range(values.shape[1])])


def _place(text: str, place: Mapping[str, int], *, lower: bool) -> int:
    forms = _forms(text) if lower else (text.strip(),)
    return next((place[form] for form in forms if form in place), -1)


def _forms(word: str) -> tuple[str, ...]:
    """Return the forms under which a word is looked up, in this order."""
    plain = word.strip()
    bare = plain.strip(".,;:!?\"'()[]\u2018\u2019\u201c\u201d\u2026\u2014-")
    return plain, plain.casefold(), bare, bare.casefold()


def read_vectors(path: str | Path, words: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    r"""Return word vectors from a file: text as of GloVe, word2vec or fastText (.txt, .vec), or npz (words, vectors).

    Parameters
    ----------
    path : str or Path
        The file. Text: one word per line and its numbers, separated by spaces; a first line of two numbers is skipped.
    words : iterable of str, optional
        Keep these words only (as they are, in lower case, and without punctuation around them): a large file then needs
        little memory.

    Returns
    -------
    dict of str to ndarray, shape (dimension,)
        Vectors, for ``join_words``.

    Raises
    ------
    BadInput
        The file cannot be read, or holds no vectors of equal length.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "glove.txt"
    >>> _ = path.write_text("dog 0.1 0.2\nruns 0.3 0.4\n", encoding="utf-8")
    >>> read_vectors(path, ["Dog"])
    {'dog': array([0.1, 0.2])}
    >>> folder.cleanup()
    """
    path = Path(path)
    wanted = None if words is None else {form for word in words for form in _forms(str(word))}
    try:
        found = _npz_vectors(path, wanted) if path.suffix.lower() == ".npz" else _text_vectors(path, wanted)
    except (OSError, ValueError, KeyError, UnicodeDecodeError) as error:
        right = "Give text (one word and its numbers per line) or npz with the arrays words and vectors."
        raise problem(path.name, "", f"it cannot be read as word vectors ({one_line(error, 200)})", right) from None
    if not found or len({vector.size for vector in found.values()}) != 1:
        right = "Every word must have a vector, all of the same length."
        raise problem(path.name, "", f"it gives {len(found)} of the wanted words, or vectors of unequal length", right)
    return found


def _npz_vectors(path: Path, wanted: set[str] | None) -> dict[str, np.ndarray]:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
    with np.load(path, allow_pickle=False) as archive:
        words, vectors = archive["words"], np.asarray(archive["vectors"], dtype=np.float64)
    if words.ndim != 1 or vectors.ndim != 2 or len(words) != len(vectors):
        raise ValueError(f"words have the shape {words.shape}, vectors {vectors.shape}")
    return {str(w): v for w, v in zip(words.tolist(), vectors, strict=True) if wanted is None or str(w) in wanted}


def _text_vectors(path: Path, wanted: set[str] | None) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            word, _, numbers = line.rstrip().partition(" ")
            header = number == 0 and len(line.split()) == 2
            if not header and numbers and word not in found and (wanted is None or word in wanted):
                found[word] = np.array(numbers.split(), dtype=np.float64)
    return found
