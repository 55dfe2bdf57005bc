"""The reading corpus as tables of a study: words with features, single-trial N400, item-mean reading times.

In: the folders of the data sets ``frank2015_eeg_reading`` and ``glove50_subset``. Out: ``Corpus``, and the csv files of a study.
Errors: a word without a vector (``KeyError`` with the words); nothing else is left to chance.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false
# (pandas' own annotations are incomplete)

# pyright: reportAttributeAccessIssue=false
# Columns of a data frame are inferred as arrays: pandas has no stubs here.

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

HERE = Path(__file__).parent
NUMBERS = ("baseline", "N400", "RTfirstpass", "log_freq")
PUNCTUATION = ".,;:!?\"'()"
FASTEST, SLOWEST = 50, 3000
"""First-pass times outside of these milliseconds are no reading times (the authors' criterion)."""


@dataclass(frozen=True)
class Corpus:
    """Everything of the corpus that the study uses; one row per usable word token."""

    features: pd.DataFrame
    """Index stimulus; numeric features."""
    sentence: pd.Series
    """Sentence of each stimulus."""
    label: pd.Series
    """Mean log first-pass time of each stimulus, over the people who fixated it, each person's own mean removed."""
    first_pass: pd.DataFrame
    """Log first-pass times behind the labels: (stimulus, person), missing where the word was skipped."""
    n400: pd.DataFrame
    """Single-trial N400 (stimulus, person), baseline regressed out per person, missing where rejected."""

    def words_of(self, sentences: Sequence[int] | NDArray[np.int64]) -> pd.Index:
        """Return the stimuli of some sentences, in corpus order."""
        return self.features.index[self.sentence.isin(sentences).to_numpy()]


def _table(path: Path) -> pd.DataFrame:
    """Return a table of the corpus; "null" and "None" are words, only empty numbers are missing."""
    head = pd.read_csv(path, sep="\t", nrows=0).columns
    missing = {column: ["", "NA", "NaN", "nan"] for column in head.intersection(list(NUMBERS))}
    table = pd.read_csv(path, sep="\t", keep_default_na=False, na_values=missing)
    for column in ("reject_data", "reject_word", "reject"):
        if column in table:
            table[column] = table[column].astype(str).str.lower() == "true"
    return table


def _features(words: pd.DataFrame, vectors: Path) -> pd.DataFrame:
    """Return the features of the usable words; ``words`` has every word, for the ones before."""
    usable = words[~words["reject_word"]]
    frequency = -words["log_freq"]  # the corpus holds minus log frequency: "the" is -15, rare words are near -3
    frequency = frequency.fillna(frequency.mean())  # words with punctuation and clitics have none
    before = usable.index - 1
    plain = pd.DataFrame(
        {
            "frequency": frequency[usable.index].to_numpy(),
            "length": usable["nr_char"].to_numpy(),
            "position": usable["word_pos"].to_numpy(),
            "previous_frequency": frequency.reindex(before).to_numpy(),
            "previous_length": words["nr_char"].reindex(before).to_numpy(),
        },
        index=usable.index,
        dtype=float,
    )
    with np.load(vectors, allow_pickle=False) as saved:
        row = {str(word): i for i, word in enumerate(saved["words"])}
        table = saved["vectors"]
    spelled = usable["word"].str.lower().str.strip(PUNCTUATION)
    unknown = sorted(set(spelled) - set(row))
    if unknown:
        raise KeyError(f"no word vector for {unknown}")
    glove = pd.DataFrame(table[[row[word] for word in spelled]], index=usable.index, dtype=float)
    return plain.join(glove.add_prefix("glove_"))


def _baseline_removed(trials: pd.DataFrame) -> pd.Series:
    slope, intercept = np.polyfit(trials["baseline"], trials["N400"], 1)
    return trials["N400"] - slope * trials["baseline"] - intercept


def _n400(eeg: pd.DataFrame) -> pd.DataFrame:
    kept = eeg[~eeg["reject_data"] & ~eeg["reject_word"]].dropna(subset=["N400", "baseline"])
    parts = [_baseline_removed(trials) for _, trials in kept.groupby("subj_nr")]
    return kept.assign(value=pd.concat(parts)).pivot_table(index="item", columns="subj_nr", values="value")


def _first_pass(tracked: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Return log first-pass times of the authors' 35 people, each person's mean removed; skipped words are missing."""
    kept = people.loc[(people["experiment"] == "ET") & ~people["reject"], "subj_nr"]
    inside = tracked["RTfirstpass"].between(FASTEST, SLOWEST)
    read = tracked[inside & ~tracked["reject_word"] & tracked["subj_nr"].isin(kept)]
    times = read.assign(value=np.log(read["RTfirstpass"])).pivot_table(index="item", columns="subj_nr", values="value")
    return times - times.mean()


def load(corpus: Path, vectors: Path) -> Corpus:
    """Return the corpus from the folders of its two data sets."""
    eeg, tracked, people = (_table(corpus / f"{name}.csv") for name in ("data_EEG", "data_ET", "subjects"))
    words = eeg.drop_duplicates("item").set_index("item").sort_index()
    features = _features(words, vectors / "glove50_subset.npz")
    n400, first_pass = _n400(eeg).reindex(features.index), _first_pass(tracked, people).reindex(features.index)
    names = pd.Index([f"s{item // 100:03d}w{item % 100:02d}" for item in features.index], name="stimulus")
    sentence = pd.Series(features.index.to_numpy() // 100, index=names)
    tables = [table.set_axis(names, axis=0) for table in (features, first_pass, n400)]
    return Corpus(tables[0], sentence, tables[1].mean(axis=1), tables[1], tables[2])


def split_half(values: pd.DataFrame, seed: int = 0, halvings: int = 100) -> float:
    """Return the Spearman-Brown reliability of item means over people (columns), averaged over random halvings."""
    rng = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(halvings):
        order, half = rng.permutation(values.columns.to_numpy()), values.shape[1] // 2
        found.append(float(values[order[:half]].mean(axis=1).corr(values[order[half:]].mean(axis=1))))
    mean = float(np.mean(found))
    return 2 * mean / (1 + mean)


def write_study(corpus: Corpus, sentences: NDArray[np.int64], folder: Path) -> Path:
    """Write the study of a pilot and return its file: features of all words, labels and EEG of the pilot's sentences."""
    folder.mkdir(parents=True, exist_ok=True)
    stimuli = corpus.features.copy()
    stimuli.insert(0, "group", "sentence " + corpus.sentence.astype(str))
    stimuli.to_csv(folder / "stimuli.csv")
    pilot = corpus.words_of(sentences)
    corpus.label[pilot].rename("label").dropna().to_csv(folder / "labels.csv")
    trials = corpus.n400.loc[pilot].melt(ignore_index=False, var_name="subject", value_name="N400").dropna()
    trials["subject"] = trials["subject"].map("person {:02d}".format)
    trials.set_index("subject", append=True).to_csv(folder / "eeg.csv")
    return Path(shutil.copyfile(HERE / "study.toml", folder / "study.toml"))
