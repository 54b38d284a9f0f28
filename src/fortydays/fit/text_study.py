"""The study that ``forty fit`` writes of texts, and what is tried in the time given."""

from dataclasses import dataclass
from pathlib import Path

from fortydays.base.templates import plain_text
from fortydays.data.own.dataset import OwnExamples
from fortydays.fit.study_file import claims_about
from fortydays.inputs.ngrams import Ngrams
from fortydays.inputs.wordpieces import Wordpieces

LINEAR, CHARACTERS, EMBEDDED, ENCODED = "n-grams", "characters", "embeddings", "minilm"
"""The variants: a linear model on n-grams of words; one on runs of characters inside words; fastText's model, a sum of
vectors of words with a linear layer behind it; a linear head on the features of MiniLM."""

SHORT = 512
"""Runs of characters that a text of usual length may have for them to be tried. Longer texts say enough by words."""

RATES: tuple[float, ...] = (0.001, 0.003, 0.01)
FEW_RATES: tuple[float, ...] = (0.003,)
"""Learning rates that are tried, and the one where there is no time to try."""

MOST_ENCODED = 3_000
"""Training texts up to which MiniLM is tried: of more, n-grams say more in less time."""

ENCODED_RATES: tuple[float, ...] = (0.0003, 0.001, 0.003)
"""Learning rates that are tried of a head on the features of MiniLM; where there is no time to try, the middle one."""

SECONDS = 180.0
"""To plan for, where no time is given."""

_STEPS = 900
_FEWEST_EPOCHS, _MOST_EPOCHS = 3, 40
_BATCH = 64

_SPEED = 20e6
"""Numbers of texts times classes that a core learns from in a second, for an estimate."""

_COST_OF_EMBEDDINGS = 3.0
"""How many times as long embeddings take, for an estimate."""

_STARTING, _READING = 45.0, 400.0
"""Seconds for all that does not depend on the number of texts; and texts that are read in a second."""

_CUTTING = 2_000.0
"""Texts whose runs of characters are found in a second."""

_ENCODING, _EXPORTING = 4_000.0, 30.0
"""Pieces of words that MiniLM reads in a second on a core; seconds for making its file and that of the model."""


@dataclass(frozen=True, kw_only=True)
class TextPlan:
    """What is to be trained. A target of None is none.

    Attributes:
        embedded: whether embeddings are tried, too.
        rates: learning rates to choose from.
        characters: whether runs of characters are tried, too.
        encoded: whether the features of MiniLM are tried, too.
    """

    embedded: bool
    rates: tuple[float, ...]
    target: float | None
    balanced: bool
    seeds: tuple[int, ...] = (0, 1, 2)
    characters: bool = False
    encoded: bool = False

    @property
    def encoded_rates(self) -> tuple[float, ...]:
        """Learning rates to choose from for a head on the features of MiniLM."""
        middle = len(ENCODED_RATES) // 2
        return ENCODED_RATES if len(self.rates) > 1 else ENCODED_RATES[middle : middle + 1]


def planned(
    takes: Ngrams,
    *,
    texts: int,
    classes: int,
    seconds: float | None,
    target: float | None,
    balanced: bool,
    threads: int,
    runs: tuple[int, int] = (0, 0),
    pieces: int = 0,
) -> tuple[TextPlan, list[str]]:
    """What is tried on so many training texts, and what the reader should know of it.

    It depends on the time that was given, not on what is left of it: a fit that was stopped has to find it again.

    Args:
        takes: what networks on words are given.
        texts: to train on.
        classes: how many there are.
        seconds: given for all, or None.
        target: the share of test texts that must be right, or None.
        balanced: whether small classes get larger weights.
        threads: that compute.
        runs: of the texts, as :func:`~fortydays.data.own.texts.vocabulary.usual_runs` counts them.
        pieces: of words that MiniLM would read, of all texts together, those to validate and to test on among them; 0
            where it cannot be tried.
    """
    usual, room = runs
    trials, given = len(TextPlan.seeds) + len(RATES), SECONDS if seconds is None else seconds
    number = trials * _epochs(texts) * texts * classes / (_SPEED * max(1, min(2, threads)))
    linear = _STARTING + texts / _READING + number * takes.length
    characters = texts / _CUTTING + number * room
    embedded = _COST_OF_EMBEDDINGS * number * takes.length
    notes, rates, wanted = [], RATES, 0 < usual <= SHORT
    if with_characters := wanted and linear + characters <= given:
        linear += characters
    encoded = _EXPORTING + pieces / (_ENCODING * max(1, min(2, threads)))
    if with_encoder := pieces > 0 and linear + encoded <= given:
        linear += encoded
    with_embeddings = linear + embedded <= given
    if wanted and not with_characters:
        notes.append(_not_tried("Runs of characters", linear + characters, given))
    if pieces and not with_encoder:
        notes.append(_not_tried("Features of MiniLM", linear + encoded, given))
    if not with_embeddings:
        notes.append(_not_tried("Embeddings", linear + embedded, given))
    if linear > given:
        rates = FEW_RATES
        notes.append(f"One learning rate is used, {rates[0]:g}: there is no time to try others.")
    plan = TextPlan(
        embedded=with_embeddings,
        characters=with_characters,
        encoded=with_encoder,
        rates=rates,
        target=target,
        balanced=balanced,
    )
    return plan, notes


def _not_tried(what: str, seconds: float, given: float) -> str:
    return f"{what} are not tried: all would take about {seconds:,.0f} s of the {given:,.0f} s given."


def _epochs(texts: int) -> int:
    steps = max(1, texts // min(_BATCH, texts))
    return min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, round(_STEPS / steps)))


def text_study(
    texts: OwnExamples, takes: Ngrams, plan: TextPlan, runs: Ngrams | None = None, pieces: Wordpieces | None = None
) -> str:
    """The study as Python.

    Args:
        texts: that are kept.
        takes: what networks on words are given.
        plan: what is tried.
        runs: what networks on runs of characters are given, where they are tried.
        pieces: what MiniLM is given, where it is tried.
    """
    count = len(texts.of("train"))
    tried = [
        LINEAR,
        *([CHARACTERS] if runs else []),
        *([ENCODED] if pieces else []),
        *([EMBEDDED] if plan.embedded else []),
    ]
    return plain_text(Path(__file__).parent / "templates" / "text_study.py.jinja").render(
        texts=texts,
        takes=takes,
        plan=plan,
        linear=LINEAR,
        embedded=EMBEDDED,
        characters=CHARACTERS,
        runs=runs,
        encoded=ENCODED,
        pieces=pieces,
        epochs=_epochs(count),
        batch=min(_BATCH, max(1, count // 8), count),
        claims=claims_about(texts, tried, target=plan.target, noun="text"),
    )
