"""The cloze corpus as tables of a study: nouns with features, single-trial N400, cloze probability.

In: the folders of the data sets ``nieuwland2018_n400`` and ``glove50_subset``. Out: the ``Corpus`` of the reading case study,
with one stimulus per noun in its sentence, and the csv files of a study. Errors: a noun without a vector (``KeyError`` with the
words).
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# (pandas' own annotations are incomplete; the shared modules lie in the folder of the reading case study)

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainworth.design.pilot.features.features import join_words, principal_components, read_vectors

HERE = Path(__file__).parent
if str(HERE.parent / "reading_eeg") not in sys.path:
    sys.path.append(str(HERE.parent / "reading_eeg"))

from reading import Corpus  # noqa: E402

VARIANCE = 0.8
"""Share of the features' variance that the kept components hold."""
TWICE = (29, "flat")
"""Item 29 lists the same trials for "apartment" and "flat"; its other noun is not in the table."""


def _trials(folder: Path) -> pd.DataFrame:
    """Return the single trials with text, each once."""
    trials = pd.read_csv(folder / "df_eeg_complete.csv.gz").dropna(subset=["noun"])
    trials = trials.assign(item=trials["item"].astype(int), noun=trials["noun"].str.strip().str.lower())
    trials = trials[~((trials["item"] == TWICE[0]) & (trials["noun"] == TWICE[1]))]
    return trials.assign(stimulus="s" + trials["item"].astype(str).str.zfill(2) + " " + trials["noun"])


def _features(stimuli: pd.DataFrame, vectors: Path) -> pd.DataFrame:
    """Return the components of word vectors, noun length and sentence length."""
    plain = pd.DataFrame(
        {
            "stimulus": stimuli.index,
            "word": stimuli["noun"].to_numpy(),
            "letters": stimuli["noun"].str.len().to_numpy(dtype=float),
            "words_before": stimuli["sentence"].str.split().str.len().to_numpy(dtype=float),
        }
    )
    joined = join_words(plain, read_vectors(vectors))
    if joined.missing:
        raise KeyError(joined.report)
    components, _ = principal_components(joined.stimuli, VARIANCE, standardise=True)
    return components.set_index("stimulus")


def load(corpus: Path, vectors: Path, people: int, seed: int = 0) -> Corpus:
    """Return the corpus with the trials of some people, drawn at random.

    ``sentence`` of the corpus is the pair of nouns: each pair makes the likely and the unlikely ending of two sentences, the
    other way round in the second, and neither a sentence nor a noun is ever split.
    """
    trials = _trials(corpus)
    stimuli = trials.drop_duplicates("stimulus").set_index("stimulus").sort_index()
    paired = {item: " / ".join(sorted(nouns)) for item, nouns in stimuli.groupby("item")["noun"]}
    paired[TWICE[0]] = next(pair for pair in paired.values() if "apartment" in pair and "/" in pair)
    pair = stimuli["item"].map(paired)
    chosen = np.random.default_rng([seed, 2]).permutation(trials["subj"].unique())[:people]
    kept = trials[trials["subj"].isin(chosen)]
    n400 = kept.pivot_table(index="stimulus", columns="subj", values="n400").reindex(stimuli.index)
    features = _features(stimuli, vectors / "glove50_subset.npz")
    return Corpus(features, pair, stimuli["cloze"], pd.DataFrame(index=stimuli.index), n400)


def balance(corpus: Corpus) -> dict[str, float]:
    """Return what the design does to the nouns: correlation of the two cloze values of a noun, and of N400 with cloze."""
    noun = pd.Series(corpus.features.index.str.split(" ").str[1], index=corpus.features.index)
    both = corpus.label.groupby([noun, corpus.sentence]).agg(["first", "last", "size"])
    twice = both[both["size"] == 2]
    return {
        "cloze of a noun in its two sentences": float(twice["first"].corr(twice["last"])),
        "item-mean N400 with cloze": float(corpus.n400.mean(axis=1).corr(corpus.label)),
    }


def write_study(corpus: Corpus, pairs: NDArray[np.object_], folder: Path) -> Path:
    """Write the study of a pilot and return its file: features of all nouns, cloze and EEG of the pilot's pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    stimuli = corpus.features.copy()
    stimuli.insert(0, "group", corpus.sentence)
    stimuli.to_csv(folder / "stimuli.csv")
    pilot = corpus.words_of(pairs)
    corpus.label[pilot].rename("label").to_csv(folder / "labels.csv")
    trials = corpus.n400.loc[pilot].melt(ignore_index=False, var_name="subject", value_name="N400").dropna()
    trials.set_index("subject", append=True).to_csv(folder / "eeg.csv")
    return Path(shutil.copyfile(HERE / "study.toml", folder / "study.toml"))
