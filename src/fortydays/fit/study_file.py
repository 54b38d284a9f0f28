"""The study that ``forty fit`` writes: a file like a day's, to read, to run again, and to change.

It is named by its content, so that a model that was made by it can be made again, whatever was fitted since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.settings import Settings
from fortydays.base.templates import plain_text
from fortydays.data.own.dataset import OwnExamples
from fortydays.data.own.pixels import folder_of
from fortydays.models.backbones import Backbone

HEAD, FINE_TUNED = "head", "fine-tuned"
"""The variants: a linear head on the backbone's features; the same with the backbone's last block trained further."""

_STEPS = 1_200
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 200
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be trained. A target of None is none, and 0 epochs of fine-tuning are no fine-tuning."""

    backbone: Backbone
    fine_tuning_epochs: int = 0
    target: float | None = None
    balanced: bool = False
    seeds: tuple[int, ...] = (0, 1, 2)


def study_text(photographs: OwnExamples, plan: Plan) -> str:
    """The study as Python."""
    count = len(photographs.of("train"))
    batch = min(_BATCH, count)
    steps = max(1, count // batch)
    return plain_text(Path(__file__).parent / "templates" / "study.py.jinja").render(
        photographs=photographs,
        plan=plan,
        head=HEAD,
        fine_tuned=FINE_TUNED,
        epochs=min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, round(_STEPS / steps))),
        batch=batch,
        fine_tuned_batch=min(32, count),
        claims=claims_about(
            photographs, [HEAD, FINE_TUNED] if plan.fine_tuning_epochs else [HEAD], target=plan.target
        ),
    )


def claims_about(
    examples: OwnExamples, variants: Sequence[str], *, target: float | None, noun: str = "photograph"
) -> list[tuple[str, str, float]]:
    """About which variant, in which words, with which accuracy at least; with a target, if one is given."""
    labels = examples.labels[examples.of("train")]
    guess = max(int((labels == label).sum()) for label in range(len(examples.classes))) / len(labels)
    found: list[tuple[str, str, float]] = []
    for variant in variants:
        which = f"The {variant} model" if len(variants) > 1 else "The model"
        said = f"{which} is right more often than naming the most frequent class always would be"
        found.append((variant, said, round(guess, 6)))
        if target is not None:
            said = f"{which} is right on at least {100 * target:g}% of the test {noun}s"
            found.append((variant, said, target))
    return found


def write_study(text: str, name: str, settings: Settings) -> Path:
    """Write the study of a collection where it stays, under a name made of its content. Raises StorageError.

    A file of that name that was changed since is set aside.
    """
    digest = files.sha256_of_bytes(text.encode())
    folder = files.make_folder(folder_of(name, settings) / "studies")
    path = folder / f"{name[:28].strip('-_')}-{digest[:8]}.py"
    if files.is_file(path) and files.sha256_of_file(path) != digest:
        files.set_aside(path)  # what a reader made of it is theirs, and not what its name says
    if not files.is_file(path):
        files.write_text(path, text)
    return path
