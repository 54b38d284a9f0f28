"""Texts: from a table to a registered model, beside scikit-learn's best pipeline on the same texts.

Usage: python bench/bench_texts.py [imdb] [made]

IMDB's reviews are read from the mirror (``FORTYDAYS_MIRROR``, ``imdb/aclImdb_50k.jsonl.xz``); of its 50,000 reviews
20,000 are drawn. The other sets are those of the tests. Minutes; the workspaces are thrown away.
"""

import csv
import json
import lzma
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measure import record, run, spread
from numpy.typing import NDArray
from scipy.sparse import diags
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from fortydays.base.settings import read_settings
from fortydays.data.own import dataset as own
from fortydays.data.own.splitting import SPLITS
from fortydays.data.own.texts.kept import kept_texts

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from made_up_texts import reviews

FORTY = [sys.executable, "-m", "fortydays"]
REVIEWS, SEED = 20_000, 0
MADE = {
    "300 made-up reviews of 2 classes": reviews({"good": 180, "bad": 120}, seed=3, mistaken=12),
    "1,200 made-up reviews of 3 classes": reviews({"good": 500, "bad": 400, "mixed": 300}, seed=4, mistaken=60),
}
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
ASKED = 200


def main() -> None:
    """Measure what is asked for, or everything."""
    asked = sys.argv[1:] or ["imdb", "made"]
    with tempfile.TemporaryDirectory() as place:
        if "imdb" in asked:
            compare("IMDB, 20,000 reviews", imdb(), Path(place) / "imdb", seconds=180)
        if "made" in asked:
            for number, (name, rows) in enumerate(MADE.items()):
                compare(name, rows, Path(place) / f"made-{number}", seconds=180)


def imdb() -> list[tuple[str, str]]:
    """Text and label of the reviews that are drawn."""
    path = Path(os.environ["FORTYDAYS_MIRROR"]) / "imdb/aclImdb_50k.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    drawn = np.random.default_rng(SEED).permutation(len(rows))[:REVIEWS]
    return [(rows[each]["text"], ("negative", "positive")[rows[each]["label"]]) for each in drawn]


def compare(name: str, rows: Sequence[tuple[str, str]], place: Path, *, seconds: float) -> None:
    """Fit a table of texts by the command, and the same division of it by scikit-learn."""
    place.mkdir()
    table = place / "texts.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    environment = {"FORTYDAYS_HOME": str(place / "home")}
    made = run([*FORTY, "fit", str(table), "--no-track", "--json"], environment, accepted=(0, 3))
    findings = made.output["findings"]
    again = run([*FORTY, "fit", str(table), "--no-track", "--json"], environment, accepted=(0, 3))
    theirs = scikit_learn(place / "home")
    ours, accuracy = findings["test"]["accuracy"], theirs["accuracy"]
    noise = (ours * (1 - ours) / findings["test"]["images"]) ** 0.5
    load = max(0.0, os.getloadavg()[1] - 1)
    met = ours >= accuracy - noise and made.wall_seconds < seconds and made.peak_mib < 2_048
    record(
        f"texts, {name}",
        question=f"`forty fit` on {name}: test accuracy beside scikit-learn's best, and seconds to a registered model",
        target=f"at least as accurate, within a standard error; under {seconds:g} s and 2,048 MiB",
        met=met,
        method="One new workspace, whole processes. scikit-learn: NB-SVM and TF-IDF with logistic regression on the "
        "same training texts, chosen with their strengths on the same validation texts. 'again': nothing has changed. "
        f"Of other programs, {load:.1f} wanted a core meanwhile.",
        figures={
            "test accuracy": round(ours, 4),
            "test accuracy, scikit-learn": round(accuracy, 4),
            "seconds": round(made.wall_seconds, 1),
            "processor seconds": round(made.cpu_seconds, 1),
            "processor seconds, scikit-learn": round(theirs["seconds"], 1),
            "seconds, again": round(again.wall_seconds, 1),
            "peak MiB": round(made.peak_mib),
            "ms, one answer": spread(answers(findings["model"], [text for text, _ in rows], environment, place)),
        },
        judged=["test accuracy", "test accuracy, scikit-learn", "seconds"],
    )
    print(findings["chosen"], theirs["pipeline"])


def scikit_learn(home: Path) -> dict[str, Any]:
    """The best pipeline by the validation texts: its test accuracy, and the processor seconds of all of them."""
    settings = read_settings({"FORTYDAYS_HOME": str(home)})
    (document,) = own.documents_of(home / "own/texts")
    kept = own.read(f"own:texts@{document.stem}", settings)
    texts = kept_texts(document.parent, kept.contents)
    parts = {split: ([texts[each] for each in kept.of(split)], kept.labels[kept.of(split)]) for split in SPLITS}
    began, best = time.process_time(), {"validation": -1.0}
    for pipeline in (tf_idf, nb_svm):
        if pipeline is nb_svm and len(kept.classes) > 2:
            continue
        train, validation, test = pipeline(parts)
        for strength in STRENGTHS:
            model = LogisticRegression(
                C=strength, max_iter=300, solver="liblinear" if len(kept.classes) == 2 else "lbfgs"
            )
            model.fit(train, parts["train"][1])
            found = float(model.score(validation, parts["validation"][1]))
            if found > best["validation"]:
                accuracy = float(model.score(test, parts["test"][1]))
                best = {"validation": found, "accuracy": accuracy, "pipeline": f"{pipeline.__name__}, C={strength:g}"}
    return {**best, "seconds": time.process_time() - began}


def tf_idf(parts: dict[str, tuple[list[str], NDArray[np.int64]]]) -> list[Any]:
    """TF-IDF of words and pairs."""
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), min_df=1 if len(parts["train"][0]) < 200 else 2, sublinear_tf=True
    )
    vectorizer.fit(parts["train"][0])
    return [vectorizer.transform(texts) for texts, _ in parts.values()]


def nb_svm(parts: dict[str, tuple[list[str], NDArray[np.int64]]]) -> list[Any]:
    """Words and pairs, each multiplied with what it says for a class (Wang and Manning, 2012)."""
    few = len(parts["train"][0]) < 200
    vectorizer = CountVectorizer(ngram_range=(1, 2), min_df=1 if few else 2, binary=True, dtype=np.float64)
    counts, labels = vectorizer.fit_transform(parts["train"][0]), parts["train"][1]
    shares = [1 + np.asarray(counts[labels == label].sum(axis=0)).ravel() for label in (0, 1)]
    ratio = diags(np.log(shares[1] / shares[1].sum()) - np.log(shares[0] / shares[0].sum()))
    return [vectorizer.transform(texts) @ ratio for texts, _ in parts.values()]


def answers(model: str, texts: Sequence[str], environment: dict[str, str], place: Path) -> list[float]:
    """Milliseconds that single answers take on one thread, from the bytes of a text to probabilities."""
    from fortydays.inputs.input import Bounds, stacked
    from fortydays.registry.contents import open_bundle

    run([*FORTY, "bundle", model, "-o", str(place / "bundle")], environment)
    bundle = open_bundle(place / "bundle", threads=1)

    found = []
    for text in texts[:ASKED]:
        began = time.perf_counter()
        bundle.model.predict(stacked([bundle.input.prepare(text.encode(), Bounds())]))
        found.append(1000 * (time.perf_counter() - began))
    return found


if __name__ == "__main__":
    main()
