"""Day 8's exercises: changes that keep the label, and one that mixes labels."""

from dataclasses import replace

import numpy as np

from fortydays import Comparison, Drill, Metric, Study
from fortydays.exercises.design import Exercise, Task, grid, study, wrong
from fortydays.exercises.lab import Images, digits, learn
from fortydays.exercises.studies import claims_first, has_drills, has_seeds
from fortydays.study.bench import Bench


def mirror_some(images: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """The images, those mirrored left to right whose draw is below 0.5.

    images are (images, height, width), draws are (images,), each between 0 and 1.
    """
    return np.where((draws < 0.5)[:, None, None], images[:, :, ::-1], images)


def shift(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The image (height, width), moved down and right by so many pixels, with zeros where nothing comes from.

    Both numbers are 0 or more, and smaller than the image.
    """
    height, width = image.shape
    moved = np.zeros(image.shape)
    moved[down:, right:] = image[: height - down, : width - right]
    return moved


def contrast(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """The images (images, height, width), with each one's distance from its own mean multiplied by its factor."""
    means = images.mean(axis=(1, 2), keepdims=True)
    return means + factors[:, None, None] * (images - means)


def cutout(image: np.ndarray, row: int, column: int, side: int) -> np.ndarray:
    """The image (height, width) with zeros in a square of `side` pixels whose middle is at row and column.

    The square begins side // 2 pixels before the middle. What lies outside of the image is ignored.
    """
    top, left = row - side // 2, column - side // 2
    cut = image.copy()
    cut[max(top, 0) : top + side, max(left, 0) : left + side] = 0
    return cut


def mixup(
    images: np.ndarray, targets: np.ndarray, partners: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each image and its target, mixed with those of its partner.

    images are (images, pixels), targets (images, classes), partners the number of each image's partner, and shares
    how much of each image is kept.
    """
    kept = shares[:, None]
    return (
        kept * images + (1 - kept) * images[partners],
        kept * targets + (1 - kept) * targets[partners],
    )


def _mix_case(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    partners = np.roll(np.arange(n + 1), 1)
    shares = np.round(rng.uniform(0.6, 1, n + 1), 1)
    return grid(rng, n + 1, 2), np.eye(3)[rng.permutation(n + 1) % 3], partners, shares


def _at_edge(image: np.ndarray, down: int, right: int) -> np.ndarray:
    padded = np.pad(image, [(down, 0), (right, 0)], mode="edge")
    return padded[: image.shape[0], : image.shape[1]]


def _negative(image: np.ndarray, row: int, column: int, side: int) -> np.ndarray:
    top, left = row - side // 2, column - side // 2
    cut = image.copy()
    cut[top : top + side, left : left + side] = 0
    return cut


def mirrored_digits_harm() -> Study:
    """A study of two drills, "plain" and "mirrored". Each measures "accuracy", on the test images as they are.

    Both learn from the first 100 training images, in 200 steps. "mirrored" learns from images of which half are
    mirrored, by chance. The one claim: mirroring makes the network less accurate. At least 5 seeds decide it.
    """
    accuracy = Metric(name="accuracy", title="test accuracy", unit="share", better="higher")
    few, test = digits().train.first(100), digits().test

    def mirror(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        turned = rng.uniform(size=(len(pixels), 1, 1)) < 0.5
        return np.where(turned, pixels[:, :, ::-1], pixels)

    def plain(bench: Bench) -> dict[str, float]:
        return {"accuracy": learn(few, steps=200, seed=bench.seed).accuracy(test)}

    def mirrored(bench: Bench) -> dict[str, float]:
        return {"accuracy": learn(few, steps=200, change=mirror, seed=bench.seed).accuracy(test)}

    return Study(
        title="Mirrored digits",
        seeds=(0, 1, 2, 3, 4),
        drills=(
            Drill(name="plain", do=plain, metrics=(accuracy,)),
            Drill(name="mirrored", do=mirrored, metrics=(accuracy,)),
        ),
        claims=(
            Comparison(
                sentence="Mirroring digits makes the network less accurate",
                metric="accuracy",
                variant="mirrored",
                than="plain",
                direction="below",
            ),
        ),
    )


def _begun() -> Study:
    accuracy = Metric(name="accuracy", title="test accuracy", unit="share", better="higher")
    few, test = digits().train.first(100), digits().test

    def mirror(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        turned = rng.uniform(size=(len(pixels), 1, 1)) < 0.5
        return np.where(turned, pixels[:, :, ::-1], pixels)

    def plain(bench: Bench) -> dict[str, float]:
        return {"accuracy": learn(few, steps=20, seed=bench.seed).accuracy(test)}

    def mirrored(bench: Bench) -> dict[str, float]:
        changed = Images(pixels=mirror(test.pixels, bench.random), labels=test.labels)
        return {"accuracy": learn(few, steps=200, change=mirror, seed=bench.seed).accuracy(changed)}

    return Study(
        title="Mirrored digits",
        seeds=(0, 1, 2),
        drills=(
            Drill(name="plain", do=plain, metrics=(accuracy,)),
            Drill(name="mirrored", do=mirrored, metrics=(accuracy,)),
        ),
        claims=(
            Comparison(
                sentence="Mirroring digits makes the network more accurate",
                metric="accuracy",
                variant="mirrored",
                than="plain",
                direction="above",
            ),
        ),
    )


def _mirroring(*, steps: int = 200, share: float = 0.5, tested: bool = False) -> Study:
    right = mirrored_digits_harm()
    few, test = digits().train.first(100), digits().test

    def mirror(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.uniform(size=(len(pixels), 1, 1)) < share, pixels[:, :, ::-1], pixels)

    def plain(bench: Bench) -> dict[str, float]:
        return {"accuracy": learn(few, steps=steps, seed=bench.seed).accuracy(test)}

    def mirrored(bench: Bench) -> dict[str, float]:
        looked = Images(pixels=mirror(test.pixels, bench.random), labels=test.labels) if tested else test
        return {"accuracy": learn(few, steps=200, change=mirror, seed=bench.seed).accuracy(looked)}

    metrics = right.drills[0].metrics
    drills = (Drill(name="plain", do=plain, metrics=metrics), Drill(name="mirrored", do=mirrored, metrics=metrics))
    return replace(right, drills=drills)


_DRILLS = has_drills("plain", "mirrored", metric="accuracy")
_CLAIM = claims_first(
    'Its first claim is to be a Comparison: the "accuracy" of "mirrored" below that of "plain".',
    Comparison, metric="accuracy", variant="mirrored", than="plain", direction="below", scale=1.0,
)  # fmt: skip
_SEEDS = has_seeds(5)
_TESTED = "The test images of one drill are mirrored, too: augmentation is for images that are learned from."
_UNLIKE = "The two drills learn for different numbers of steps: they are to differ in the mirroring alone."


EXERCISES = (
    Exercise(
        title="Mirror some images",
        text="""
A mirrored frog is still a frog. Each image is mirrored where its draw is below 0.5, and stays as it is
elsewhere. Its label stays, so the order of the images must stay, too.
""",
        tasks=(
            Task(
                reference=mirror_some,
                cases=lambda rng, n: (grid(rng, n, 2, 3), np.round(rng.uniform(size=n), 2)),
                mistakes=(
                    wrong(
                        "The images are turned upside down: mirror left to right, axis 2.",
                        lambda x, u: np.where((u < 0.5)[:, None, None], x[:, ::-1], x),
                    ),
                    wrong("All images are mirrored.", lambda x, u: x[:, :, ::-1]),
                    wrong(
                        "Those with a draw of 0.5 or more are mirrored: mirror those below.",
                        lambda x, u: mirror_some(x, 1 - u),
                    ),
                    wrong(
                        "The order of the images is reversed, so each gets another's label.",
                        lambda x, u: np.where((u < 0.5)[:, None, None], x[::-1], x),
                    ),
                    wrong(
                        "The images are rotated by half a turn: mirror one axis only.",
                        lambda x, u: np.where((u < 0.5)[:, None, None], x[:, ::-1, ::-1], x),
                    ),
                ),
            ),
        ),
        hints=("images[:, :, ::-1] mirrors all of them.", "np.where needs a condition of the shape (images, 1, 1)."),
        afterwards="""
The same change of digits would be wrong: a mirrored 2 is no 2. Which changes keep a label depends on the
labels.
""",
    ),
    Exercise(
        title="Shift and cut out",
        text="""
A shift moves an image and fills what becomes free with zeros. Cutout hides a square, which may lie partly
outside. Neither may change the image that it is given.
""",
        tasks=(
            Task(
                reference=shift,
                cases=lambda rng, n: (grid(rng, 3, 2 + n, low=1), n % 3, (n + 1) // 2),
                mistakes=(
                    wrong(
                        "What leaves on one side comes in on the other: np.roll goes around.",
                        lambda x, d, r: np.roll(x, (d, r), (0, 1)),
                    ),
                    wrong("It moves up and left.", lambda x, d, r: shift(x[::-1, ::-1], d, r)[::-1, ::-1]),
                    wrong("The edge is repeated: fill with zeros.", _at_edge),
                    wrong("It only moves down.", lambda x, d, r: shift(x, d, 0)),
                    wrong("It only moves right.", lambda x, d, r: shift(x, 0, r)),
                ),
            ),
            Task(
                reference=cutout,
                cases=lambda rng, n: (grid(rng, 4, 3 + n, low=1), n % 4, n % 3, 2 if n < 3 else 3),
                mistakes=(
                    wrong(
                        "The square begins at row and column: they are its middle.",
                        lambda x, r, c, s: cutout(x, r + s // 2, c + s // 2, s),
                    ),
                    wrong(
                        "It is shown and all else hidden: it is the square that is hidden.",
                        lambda x, r, c, s: x - cutout(x, r, c, s),
                    ),
                    wrong(
                        "A square that begins outside counts from the other end: begin at 0 at least.",
                        lambda x, r, c, s: _negative(x, r, c, s),
                    ),
                    wrong(
                        "A square that begins outside is moved inside: only a part of it is seen.",
                        lambda x, r, c, s: cutout(x, max(r, s // 2), max(c, s // 2), s),
                    ),
                    wrong("Row and column are exchanged.", lambda x, r, c, s: cutout(x, c, r, s)),
                ),
            ),
        ),
        hints=(
            "Begin with np.zeros, and fill a part of it with a part of the image.",
            "A slice that begins with a negative number counts from the end. max(top, 0) prevents that.",
            "image.copy() is an image of its own.",
        ),
        afterwards="""
With shifts of up to 2 pixels in each direction, one image becomes 25.
""",
    ),
    Exercise(
        title="Contrast",
        text="""
Contrast multiplies the distance of each pixel from the mean of its image.
""",
        tasks=(
            Task(
                reference=contrast,
                cases=lambda rng, n: (grid(rng, n, 2, 2, low=0, high=4), np.round(rng.uniform(0.5, 1.5, n), 1)),
                mistakes=(
                    wrong(
                        "The pixels themselves are multiplied: that is brightness.", lambda x, f: f[:, None, None] * x
                    ),
                    wrong(
                        "The mean of all images is used: each has its own.",
                        lambda x, f: x.mean() + f[:, None, None] * (x - x.mean()),
                    ),
                    wrong("The mean is not added again.", lambda x, f: contrast(x, f) - x.mean((1, 2), keepdims=True)),
                    wrong("It is divided by the factor: multiply.", lambda x, f: contrast(x, 1 / f)),
                    wrong(
                        "The mean of each pixel over the images is used: take each image's own mean.",
                        lambda x, f: x.mean(0) + f[:, None, None] * (x - x.mean(0)),
                    ),
                ),
            ),
        ),
        hints=(
            "images.mean(axis=(1, 2), keepdims=True) is (images, 1, 1).",
            "factors[:, None, None] has that shape, too.",
        ),
        afterwards="""
The mean of an image stays, and its standard deviation is multiplied by the factor.
""",
    ),
    Exercise(
        title="Mixup",
        text="""
    x = lambda x1 + (1 - lambda) x2
    y = lambda y1 + (1 - lambda) y2

y1 and y2 have a 1 at the class of their image.
""",
        tasks=(
            Task(
                reference=mixup,
                cases=_mix_case,
                outputs=("images", "targets"),
                mistakes=(
                    wrong(
                        "The shares are exchanged: each image keeps its own share.",
                        lambda x, y, p, s: mixup(x, y, p, 1 - s),
                    ),
                    wrong(
                        "The targets are not mixed: they say what is in the image.", lambda x, y, p, s: y, "targets"
                    ),
                    wrong(
                        "The targets are the partners': mix them as the images.", lambda x, y, p, s: y[p], "targets"
                    ),
                    wrong(
                        "The targets are mixed half and half: mix them as the images.",
                        lambda x, y, p, s: (y + y[p]) / 2,
                        "targets",
                    ),
                    wrong("The images are not mixed.", lambda x, y, p, s: x, "images"),
                    wrong(
                        "They are added, not mixed: multiply the partner by 1 - share.",
                        lambda x, y, p, s: s[:, None] * x + x[p],
                        "images",
                    ),
                ),
            ),
        ),
        hints=(
            "images[partners] are the partners, in order.",
            "shares[:, None] is a column: one number for each row.",
        ),
        afterwards="""
Cross-entropy is linear in the target. So this is the same as the two losses, weighted with lambda and
1 - lambda.
""",
    ),
    Exercise(
        title="Mirrored digits",
        text="""
Augmentation is a belief: what is changed keeps its label. For digits, mirroring is a wrong belief, and a study
can show what it costs. The file begins with a study that is unfair in two ways, and that claims the opposite.
Repair it until its first claim says that mirroring harms, and is supported by at least 5 seeds.

learn trains a small network, and `change` changes each batch that it learns from. A drill is called once for
each seed. The file is a study, so `forty run` takes it, too.
""",
        imports="""
import numpy as np

from fortydays import Comparison, Drill, Metric, Study
from fortydays.exercises.lab import Images, digits, learn
from fortydays.study.bench import Bench
""",
        tasks=(
            study(
                mirrored_digits_harm,
                begun=_begun,
                demands=(_DRILLS, _CLAIM, _SEEDS),
                mistakes=(
                    wrong(
                        _DRILLS.says,
                        lambda: replace(mirrored_digits_harm(), drills=mirrored_digits_harm().drills[:1], claims=()),
                    ),
                    wrong(_CLAIM.says, _begun),
                    wrong(_SEEDS.says, lambda: replace(mirrored_digits_harm(), seeds=(0, 1, 2))),
                    wrong(_TESTED, lambda: _mirroring(tested=True)),
                    wrong(_TESTED, lambda: _mirroring(tested=True, steps=20)),
                    wrong(_UNLIKE, lambda: _mirroring(steps=20)),
                    wrong(
                        "Every image is mirrored, always: then none is learned as it is. Mirror half of them.",
                        lambda: _mirroring(share=1.0),
                    ),
                ),
            ),
        ),
        hints=(
            "In how many lines do the two drills differ? One is enough.",
            "What is the last number that each drill computes, and of which images?",
            'Comparison takes direction="below", too, and its sentence has to say the same.',
        ),
        afterwards="""
Day 8's question has the same form: a change helps where the labels survive it, and the network has the time to
learn from it. Beliefs can be tested; this one took a second.
""",
    ),
)
