"""The plain baseline of studies of texts: words and pairs of words in a linear model, learned on a bench."""

from collections.abc import Mapping
from dataclasses import dataclass

from fortydays.data.arrays import Dataset, Reading
from fortydays.models.word_pairs import WordPairs, measured, train_word_pairs
from fortydays.study.bench import Bench
from fortydays.study.features import with_few

ACCURACIES = ("test_accuracy", "train_accuracy", "validation_accuracy")
"""The metrics of :meth:`PlainTexts.accuracies`."""

_LONGEST = 2_500


@dataclass(frozen=True, kw_only=True, eq=False)
class PlainTexts:
    """A trained linear model, and the texts it was trained on.

    Attributes:
        model: of words, or of words and pairs.
        dataset: with whole texts, and the training texts that were learned from.
    """

    model: WordPairs
    dataset: Dataset

    def accuracies(self) -> Mapping[str, float]:
        """The accuracy on the three splits; the test split is opened here."""
        training = self.dataset.training
        splits = {"train": training.train, "validation": training.validation, "test": self.dataset.test.open()}
        return measured(self.model, {name: (split.array, split.labels) for name, split in splits.items()})


def learned_plainly(bench: Bench, *, examples: int | None = None, pairs: bool = True) -> PlainTexts:
    """Train the linear model of :func:`fortydays.models.word_pairs.train_word_pairs` on the whole texts of a study.

    Args:
        bench: of a drill of a study with texts.
        examples: training texts of each class, which the bench's seed draws as it does those of a variant; None for
            all.
        pairs: whether pairs of neighbors count; False for words alone.
    """
    assert bench.dataset is not None, "the study has no dataset"
    dataset = with_few(bench.dataset.read_as(Reading(length=_LONGEST)), examples, seed=bench.seed)
    bench.say("counting words and pairs of words" if pairs else "counting words")
    train, validation = dataset.training.train, dataset.training.validation
    model = train_word_pairs((train.array, train.labels), (validation.array, validation.labels), pairs=pairs)
    return PlainTexts(model=model, dataset=dataset)
