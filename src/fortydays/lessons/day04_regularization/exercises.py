"""Day 4's exercises: a penalty, dropout, early stopping, and whether a difference is more than luck."""

from dataclasses import replace

import numpy as np

from fortydays import Comparison, Drill, Metric, NotWorse, Study
from fortydays.exercises.design import Exercise, Task, grid, study, wrong
from fortydays.exercises.lab import digits, learn
from fortydays.exercises.studies import claims_first, has_drills, has_seeds
from fortydays.study.bench import Bench


def penalty(weights: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
    """The L2 penalty, and its gradient with respect to the weights."""
    return strength * (weights**2).sum(), 2 * strength * weights


def dropout(h: np.ndarray, draws: np.ndarray, p: float) -> np.ndarray:
    """Inverted dropout: a unit is left out where its draw is below p, and the others are scaled up.

    draws has the shape of h; each of its numbers is drawn evenly between 0 and 1.
    """
    return h * (draws >= p) / (1 - p)


def dropout_backward(gradient: np.ndarray, draws: np.ndarray, p: float) -> np.ndarray:
    """The gradient with respect to h, given that with respect to dropout's outputs."""
    return gradient * (draws >= p) / (1 - p)


def early_stopping(losses: np.ndarray, patience: int) -> tuple[int, int]:
    """The last epoch that is trained, and the epoch whose weights are kept. The first epoch is 1.

    losses has the validation loss after each epoch. Training ends after `patience` epochs in a row without a
    loss below the lowest one so far, or after the last loss.
    """
    best, kept = np.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best:
            best, kept = loss, epoch
        elif epoch - kept == patience:
            return epoch, kept
    return len(losses), kept


def paired_interval(ours: np.ndarray, theirs: np.ndarray, t: float) -> tuple[float, float]:
    """The interval of the mean difference, ours minus theirs: its lower and its upper end.

    Each array has one accuracy for each seed, and the same seeds in the same order. t is Student's quantile.
    """
    differences = ours - theirs
    half = t * differences.std(ddof=1) / np.sqrt(len(differences))
    return differences.mean() - half, differences.mean() + half


def verdict(low: float, high: float) -> str:
    """What an interval says of the claim "ours is above theirs": "supported", "refuted" or "undecided"."""
    if low > 0:
        return "supported"
    return "refuted" if high < 0 else "undecided"


_LOSSES = (
    ((1.0, 0.8, 0.9, 0.7), 1),
    ((1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.9, 0.8), 2),
    ((1.0, 0.9, 0.9, 0.9, 0.8), 2),
    ((1.0, 0.9, 0.8, 0.7), 1),
    ((1.0, 0.9, 0.95, 0.95, 0.5), 2),
    ((1.0, 0.8, 0.9, 0.85, 0.7, 0.75, 0.72, 0.71, 0.6), 3),
    ((0.5, 0.6, 0.7, 0.8, 0.9, 0.9), 2),
)
"""Each with its patience: losses below the one before but not the lowest so far, equal ones, and none that rise."""


def _losses(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int]:
    losses, patience = _LOSSES[min(n, len(_LOSSES)) - 1]
    return np.round(np.array(losses) * rng.uniform(1, 3), 2), patience


def _without_best(losses: np.ndarray, patience: int) -> tuple[int, int]:
    bad, kept = 0, 1
    for epoch in range(2, len(losses) + 1):
        better = losses[epoch - 1] < losses[epoch - 2]
        bad, kept = (0, epoch) if better else (bad + 1, kept)
        if bad == patience:
            return epoch, kept
    return len(losses), kept


def _never_reset(losses: np.ndarray, patience: int) -> tuple[int, int]:
    bad, kept = 0, 1
    for epoch in range(2, len(losses) + 1):
        if losses[epoch - 1] < losses[: epoch - 1].min():
            kept = epoch
        else:
            bad += 1
            if bad == patience:
                return epoch, kept
    return len(losses), kept


def _equal_counts(losses: np.ndarray, patience: int) -> tuple[int, int]:
    best, kept = np.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss <= best:
            best, kept = loss, epoch
        elif epoch - kept == patience:
            return epoch, kept
    return len(losses), kept


def _accuracies(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, float]:
    hard = rng.normal(0, 0.01, n + 2)
    return np.round(0.95 + hard, 3), np.round(0.94 + hard + rng.normal(0, 0.003, n + 2), 3), 2.5


def _halved(ours: np.ndarray, theirs: np.ndarray, half: float) -> tuple[float, float]:
    return float((ours - theirs).mean() - half), float((ours - theirs).mean() + half)


_SIGNS = ((0.1, 0.4), (-0.2, 0.3), (-0.5, -0.1), (0.0, 0.2), (-0.3, 0.0))


def dropout_is_not_worse() -> Study:
    """A study of two drills, "plain" and "dropout". Each measures "accuracy", on the test images.

    Both learn from the first 100 training images, in 200 steps, and "dropout" leaves out 0.3 of the hidden units. The
    one claim: with dropout, the accuracy is not worse by more than 2 points. At least 5 seeds decide it.
    """
    accuracy = Metric(name="accuracy", title="test accuracy", unit="share", better="higher")
    few, test = digits().train.first(100), digits().test

    def plain(bench: Bench) -> dict[str, float]:
        return {"accuracy": learn(few, steps=200, seed=bench.seed).accuracy(test)}

    def dropout(bench: Bench) -> dict[str, float]:
        return {"accuracy": learn(few, steps=200, dropout=0.3, seed=bench.seed).accuracy(test)}

    return Study(
        title="No worse with dropout",
        seeds=(0, 1, 2, 3, 4),
        drills=(
            Drill(name="plain", do=plain, metrics=(accuracy,)),
            Drill(name="dropout", do=dropout, metrics=(accuracy,)),
        ),
        claims=(
            NotWorse(
                sentence="Dropout costs at most 2 points",
                metric="accuracy",
                variant="dropout",
                than="plain",
                within=0.02,
            ),
        ),
    )


def _begun() -> Study:
    accuracy = Metric(name="accuracy", title="test accuracy", unit="share", better="higher")
    few = digits().train.first(100)

    def plain(bench: Bench) -> dict[str, float]:
        return {"accuracy": learn(few, steps=200, seed=bench.seed).accuracy(few)}

    def dropout(bench: Bench) -> dict[str, float]:
        return {"accuracy": learn(few, steps=200, dropout=0.3, seed=bench.seed).accuracy(few)}

    return Study(
        title="No worse with dropout",
        seeds=(0, 1, 2),
        drills=(
            Drill(name="plain", do=plain, metrics=(accuracy,)),
            Drill(name="dropout", do=dropout, metrics=(accuracy,)),
        ),
        claims=(
            Comparison(
                sentence="Dropout changes nothing",
                metric="accuracy",
                variant="dropout",
                than="plain",
                direction="above",
            ),
        ),
    )


def _dropping(dropout: float = 0.3, *, on: str = "test", kept: float = 0.0) -> Study:
    right = dropout_is_not_worse()

    def drill(name: str, share: float) -> Drill:
        def do(bench: Bench) -> dict[str, float]:
            few = digits().train.first(100)
            made = learn(few, steps=200, dropout=share, seed=bench.seed)
            return {"accuracy": made.accuracy(few if on == "few" else getattr(digits(), on))}

        return Drill(name=name, do=do, metrics=right.drills[0].metrics)

    return replace(right, drills=(drill("plain", kept), drill("dropout", dropout)))


def _with_claim(claim: NotWorse | Comparison) -> Study:
    return replace(dropout_is_not_worse(), claims=(claim,))


_DRILLS = has_drills("plain", "dropout", metric="accuracy")
_CLAIM = claims_first(
    'Its first claim is to be NotWorse: the "accuracy" of "dropout" than that of "plain", within 0.02.',
    NotWorse, metric="accuracy", variant="dropout", than="plain", within=0.02,
)  # fmt: skip
_SEEDS = has_seeds(5)


EXERCISES = (
    Exercise(
        title="A penalty for large weights",
        text="""
    L2 penalty = strength * sum of w²
""",
        tasks=(
            Task(
                reference=penalty,
                cases=lambda rng, n: (grid(rng, n, 2), 0.1 if n < 4 else 0.5),
                outputs=("penalty", "gradient"),
                mistakes=(
                    wrong("These are absolute values: that is L1.", lambda w, k: k * np.abs(w).sum(), "penalty"),
                    wrong(
                        "The root is too much: it is the sum of squares.",
                        lambda w, k: k * np.sqrt((w**2).sum()),
                        "penalty",
                    ),
                    wrong(
                        "This is the mean of the squares: it is their sum.", lambda w, k: k * (w**2).mean(), "penalty"
                    ),
                    wrong(
                        "The whole sum is squared: square each weight first.", lambda w, k: k * w.sum() ** 2, "penalty"
                    ),
                    wrong("The strength is missing.", lambda w, k: ((w**2).sum(), 2 * w)),
                    wrong("The slope of w² is 2w: a factor 2 is missing.", lambda w, k: k * w, "gradient"),
                    wrong("This is the slope of L1.", lambda w, k: k * np.sign(w), "gradient"),
                    wrong("The slope of w² is 2w, not w².", lambda w, k: k * w**2, "gradient"),
                ),
            ),
        ),
        hints=("(weights**2).sum() adds the squares of all weights.", "The slope of w² is 2w."),
        afterwards="""
The gradient is a multiple of the weight itself. So each step of SGD shrinks every weight by the same
share, which is why L2 is also called weight decay.
""",
    ),
    Exercise(
        title="Dropout",
        text="""
    h <- h * m / (1 - p)       m = 0 where the draw is below p, else 1

The division keeps the mean of h. So in use nothing is left out and nothing is scaled.
""",
        tasks=(
            Task(
                reference=dropout,
                cases=lambda rng, n: (grid(rng, n, 4), np.round(rng.uniform(size=(n, 4)), 2), 0.2 if n < 4 else 0.4),
                mistakes=(
                    wrong("Nothing is scaled up: divide by 1 - p.", lambda h, u, p: h * (u >= p)),
                    wrong("It is divided by p: 1 - p is the share that stays.", lambda h, u, p: h * (u >= p) / p),
                    wrong("It is multiplied by 1 - p: divide by it.", lambda h, u, p: h * (u >= p) * (1 - p)),
                    wrong(
                        "The units with a draw below p stay here: they are to be left out.",
                        lambda h, u, p: h * (u < p) / (1 - p),
                    ),
                    wrong(
                        "The units with a draw below 1 - p stay: leave out those below p.",
                        lambda h, u, p: h * (u < 1 - p) / (1 - p),
                    ),
                    wrong("Nothing is left out.", lambda h, u, p: h / (1 - p)),
                    wrong(
                        "A unit is left out or not, whatever its value: multiply h by m.",
                        lambda h, u, p: (u >= p) / (1 - p),
                    ),
                ),
            ),
            Task(
                reference=dropout_backward,
                cases=lambda rng, n: (grid(rng, n, 4), np.round(rng.uniform(size=(n, 4)), 2), 0.2 if n < 4 else 0.4),
                mistakes=(
                    wrong("The gradient is scaled as h was: divide by 1 - p.", lambda g, u, p: g * (u >= p)),
                    wrong("A unit that was left out gets no gradient.", lambda g, u, p: g / (1 - p)),
                    wrong(
                        "It is multiplied by 1 - p: the slope of h / (1 - p) is 1 / (1 - p).",
                        lambda g, u, p: g * (u >= p) * (1 - p),
                    ),
                ),
            ),
        ),
        hints=("draws >= p is 1 for the units that stay.", "Each output is h times a constant. What is its slope?"),
        afterwards="""
Without the division, the next layer would get smaller numbers in training than in use.
""",
    ),
    Exercise(
        title="Early stopping",
        text="""
After each epoch there is a validation loss. Training ends when `patience` epochs in a row have not
gone below the lowest loss so far. The weights of the best epoch are kept.
""",
        tasks=(
            Task(
                reference=early_stopping,
                cases=_losses,
                outputs=("last", "kept"),
                mistakes=(
                    wrong("It waits one epoch too long.", lambda x, k: early_stopping(x, k + 1)[0], "last"),
                    wrong(
                        "Each loss is compared with the one before: compare it with the lowest so far.", _without_best
                    ),
                    wrong(
                        "The epochs without a better loss are counted from the start: a better loss begins anew.",
                        _never_reset,
                    ),
                    wrong("An equal loss counts as better: it is to be lower.", _equal_counts),
                    wrong(
                        "This is the last epoch: the best one's weights are kept.",
                        lambda x, k: early_stopping(x, k)[0],
                        "kept",
                    ),
                    wrong(
                        "The epochs are counted from 0: the first one is 1.",
                        lambda x, k: tuple(n - 1 for n in early_stopping(x, k)),
                    ),
                    wrong("It never stops early.", lambda x, k: len(x), "last"),
                    wrong(
                        "This is the lowest loss of all: the epochs after the stop are never trained.",
                        lambda x, k: int(x.argmin()) + 1,
                        "kept",
                    ),
                ),
            ),
        ),
        hints=(
            "Keep two things while you go through the losses: the lowest one so far, and its epoch.",
            "How long ago was the best epoch? Stop where that is `patience`.",
        ),
        afterwards="""
The validation images have chosen the epoch, so their loss is a little too good. The test images have
chosen nothing.
""",
    ),
    Exercise(
        title="More than luck",
        text="""
Two variants were trained with the same n seeds. Take the difference of each seed, then

    mean ± t s / sqrt(n)       s² = sum of (difference - mean)² / (n - 1)

A claim is supported where the whole interval is above zero, refuted where all of it is below zero,
and else undecided.
""",
        tasks=(
            Task(
                reference=paired_interval,
                cases=_accuracies,
                outputs=("low", "high"),
                mistakes=(
                    wrong(
                        "s is divided by n: with few numbers, divide by n - 1 (ddof=1).",
                        lambda a, b, t: _halved(a, b, t * (a - b).std() / len(a) ** 0.5),
                    ),
                    wrong(
                        "The two are not paired: take the differences first, and their spread.",
                        lambda a, b, t: _halved(a, b, t * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))),
                    ),
                    wrong(
                        "This is the spread of single seeds: the mean is known better, by sqrt(n).",
                        lambda a, b, t: _halved(a, b, t * (a - b).std(ddof=1)),
                    ),
                    wrong(
                        "It is divided by n: divide by its root.",
                        lambda a, b, t: _halved(a, b, t * (a - b).std(ddof=1) / len(a)),
                    ),
                    wrong("t is missing.", lambda a, b, t: _halved(a, b, (a - b).std(ddof=1) / len(a) ** 0.5)),
                    wrong(
                        "This is the variance: take its root, the standard deviation.",
                        lambda a, b, t: _halved(a, b, t * (a - b).var(ddof=1) / len(a) ** 0.5),
                    ),
                    wrong(
                        "The differences have the wrong sign: ours minus theirs.",
                        lambda a, b, t: paired_interval(b, a, t),
                    ),
                ),
            ),
            Task(
                reference=verdict,
                cases=lambda rng, n: _SIGNS[n % 5],
                mistakes=(
                    wrong(
                        "An interval that touches zero decides nothing: compare with >, not with >=.",
                        lambda low, high: "supported" if low >= 0 else "refuted" if high <= 0 else "undecided",
                    ),
                    wrong(
                        "The middle decides here: the whole interval has to.",
                        lambda low, high: "supported" if low + high > 0 else "refuted",
                    ),
                    wrong(
                        "What is not supported need not be refuted: it can be undecided.",
                        lambda low, high: "supported" if low > 0 else "refuted",
                    ),
                    wrong(
                        "Supported and refuted are exchanged.",
                        lambda low, high: {"supported": "refuted", "refuted": "supported"}.get(
                            verdict(low, high), "undecided"
                        ),
                    ),
                ),
            ),
        ),
        hints=(
            "ours - theirs is one difference for each seed. All else is about these n numbers.",
            ".std(ddof=1) divides by n - 1.",
        ),
        afterwards="""
A seed that is bad for one variant is often bad for both. The pairing takes that out, so the interval is
narrower and fewer seeds decide.
""",
    ),
    Exercise(
        title="No worse with dropout",
        text="""
"We found no difference" says little: few seeds seldom find one. A claim with a margin says something: with
dropout, the network is not worse by more than 2 points. The file begins with a study that could not tell. Repair
what it measures and what it claims, until the claim is supported by at least 5 seeds.

learn trains a small network on the images that it is given. A drill is called once for each seed. The file is
a study, so `forty run` takes it, too.
""",
        imports="""
from fortydays import Comparison, Drill, Metric, NotWorse, Study
from fortydays.exercises.lab import digits, learn
from fortydays.study.bench import Bench
""",
        tasks=(
            study(
                dropout_is_not_worse,
                begun=_begun,
                demands=(_DRILLS, _CLAIM, _SEEDS),
                mistakes=(
                    wrong(
                        _DRILLS.says,
                        lambda: replace(dropout_is_not_worse(), drills=dropout_is_not_worse().drills[:1], claims=()),
                    ),
                    wrong(_CLAIM.says, _begun),
                    wrong(
                        _CLAIM.says,
                        lambda: _with_claim(
                            NotWorse(
                                sentence="Dropout costs at most 10 points",
                                metric="accuracy",
                                variant="dropout",
                                than="plain",
                                within=0.1,
                            )
                        ),
                    ),
                    wrong(_SEEDS.says, lambda: replace(dropout_is_not_worse(), seeds=(0, 1, 2))),
                    wrong(
                        "The accuracy is that of the images that were learned from, which both know by heart: measure "
                        "it on the test images.",
                        lambda: _dropping(on="few"),
                    ),
                    wrong(
                        "The accuracy is that of the validation images: measure it on the test images.",
                        lambda: _dropping(on="validation"),
                    ),
                    wrong(
                        "Nothing is left out: learn takes dropout=0.3 in one of the drills.", lambda: _dropping(0.0)
                    ),
                    wrong("Both drills use dropout: one of them is the control.", lambda: _dropping(kept=0.3)),
                ),
            ),
        ),
        hints=(
            "Which images are new to both networks?",
            "A claim that something is not worse takes a margin: NotWorse has the field within.",
            'It is NotWorse(sentence="...", metric="accuracy", variant="dropout", than="plain", within=0.02).',
        ),
        afterwards="""
The whole interval lies above -2 points, so a loss of 2 points is ruled out. A smaller margin would need more seeds
or more test images. The margin is chosen before the numbers are seen.
""",
    ),
)
