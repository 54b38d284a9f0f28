"""The first epochs of some trials, told as digests: what two engines are compared by.

``python -P first_epochs.py REQUEST.json`` trains with the ``fortydays`` that ``PYTHONPATH`` leads to: today's, or one
of another revision. Both run this very file, so it calls only what both have: where a change renames something that is
used here, this file has to take either name until the evidence is renewed. Its one caller is
:mod:`fortydays.study.side_by_side`, which tells what a request holds.

Of a trial everything counts that a new process would need to go on with it, and then what the model, as it is at that
point, answers on the validation split. The test split is not opened.
"""

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

Tell = Callable[[Mapping[str, Any]], object]
"""Takes one event, of JSON values."""


class _EnoughError(Exception):
    """The epochs that were asked for are trained."""


def follow(request: Mapping[str, Any], tell: Tell) -> None:
    """Train what is asked for, and tell of it.

    The events are, in this order: one with the digests ``study`` and ``engine``; then for each variant any number with
    ``done`` and ``total`` steps, and one with ``epochs`` and ``parts``.

    Args:
        request: the fields of :class:`fortydays.study.side_by_side.Request`, and "package", the folder that
            ``fortydays`` has to come from.
        tell: given the events.

    Raises:
        FortydaysError: another package was loaded, the study is not in it, or it cannot be trained.
    """
    import importlib

    import fortydays
    from fortydays.base.errors import FortydaysError
    from fortydays.base.settings import read_settings
    from fortydays.study import evidence as documents

    package = Path(str(fortydays.__file__)).parent
    if package != Path(request["package"]):
        raise FortydaysError(f"Python loaded {package} where {request['package']} was to be tried.")
    file = package / request["study"]
    if not file.is_file():
        raise FortydaysError(f"It has no {request['study']}.")
    engine = documents.code_digest(documents.engine_files(file, request["backend"]))
    tell({"study": documents.code_digest([file]), "engine": engine})

    from fortydays.base.machine import describe_machine
    from fortydays.train.backends import backend
    from fortydays.train.framework import load_keras
    from fortydays.train.recipe import Recipe

    load_keras(threads=request["threads"])
    study = importlib.import_module(".".join(["fortydays", *Path(request["study"]).with_suffix("").parts])).study
    settings = read_settings()
    dataset = _load(study.dataset, settings)
    variants = {variant.name: variant for variant in study.variants}
    for name, fields in request["variants"].items():
        try:
            recipe = Recipe(**fields)
        except TypeError as error:
            raise FortydaysError(f"Its recipes are other ones ({error}).") from error
        training, builder = _given(dataset, variants[name], settings)
        training = first_examples(training, request["examples"])
        data = digest(
            [training.train.images, training.train.labels, training.validation.images, training.validation.labels]
        )
        epochs, parts = first_epochs(
            study=study,
            variant=variants[name],
            builder=builder,
            training=training,
            recipe=recipe,
            seed=request["seed"],
            epochs=request["epochs"],
            bfloat16_is_fast=backend().bfloat16_is_fast(on_processor=describe_machine().bfloat16_is_fast),
            tell=tell,
        )
        tell({"epochs": epochs, "parts": {"data": data, **parts}})


def _load(name: str, settings: Any) -> Any:
    """A dataset; revisions before datasets had a library of their own loaded all of them from the store."""
    try:
        from fortydays.data.library import load
    except ImportError:
        from fortydays.data.store import load  # type: ignore[assignment]
    return load(name, settings)


def _given(dataset: Any, variant: Any, settings: Any) -> tuple[Any, Any]:
    """The training and validation splits that a variant learns from, and what builds its model."""
    if not hasattr(variant, "features"):  # a revision in which all learn from pixels
        return dataset.training, variant.model
    from fortydays.study.features import given

    found = given(dataset, variant.model, features=variant.features, examples=variant.examples, settings=settings)
    return found.dataset.training, found.builder


def first_examples(training: Any, examples: int | None) -> Any:
    """Training and validation splits of the first examples alone, for a look that costs minutes and not hours.

    Args:
        training: the splits.
        examples: how many training examples; a tenth as many to validate. None for all.
    """
    import dataclasses

    def of(split: Any, count: int) -> Any:
        return dataclasses.replace(split, images=split.images[:count], labels=split.labels[:count])

    if examples is None:
        return training
    return dataclasses.replace(
        training,
        train=of(training.train, examples),
        validation=of(training.validation, max(1, examples // 10)),
    )


def first_epochs(
    *,
    study: Any,
    variant: Any,
    builder: Any,
    training: Any,
    recipe: Any,
    seed: int,
    epochs: int,
    bfloat16_is_fast: bool,
    tell: Tell,
) -> tuple[int, dict[str, str]]:
    """Train the first epochs of a trial, with the order and the schedule of the whole one.

    Args:
        study: whose measures are taken.
        variant: of the study.
        builder: builds its model.
        training: the training and validation splits that it learns from.
        recipe: of the whole trial.
        seed: of the trial.
        epochs: after how many to stop.
        bfloat16_is_fast: whether the precision "auto" may be bfloat16.
        tell: given the steps that are done.

    Returns:
        How many epochs were trained, one that failed included, and what there is to compare: for each part of the
        trial's state, in the order in which a difference comes about, a digest or a word.
    """
    from fortydays.base.errors import TrainingFailedError
    from fortydays.study.runner import make_trainer

    trainer = make_trainer(
        "compiled", builder=builder, recipe=recipe, data=training, bfloat16_is_fast=bfloat16_is_fast
    )
    total = min(epochs, recipe.epochs) * trainer.steps_per_epoch
    tell({"done": 0, "total": total})
    checkpoint: Any = None

    def keep(state: Any) -> None:
        nonlocal checkpoint
        checkpoint = state
        if state.state["epoch"] >= epochs:
            raise _EnoughError

    def report(done: int, of: int, loss: float, accuracy: float) -> None:  # noqa: ARG001
        tell({"done": done, "total": total})

    parts = {"precision": str(trainer.precision), "end": "stopped"}
    try:
        trained = trainer.train(seed=seed, recipe=recipe, keep=keep, report=report)
    except _EnoughError:
        pass
    except TrainingFailedError as error:
        parts["end"] = f"failed: {error.message}"
    else:
        parts["end"] = "over"
        parts["kept"] = digest(trained.variables)
    if checkpoint is not None:
        parts |= _state(checkpoint)
    trained_epochs = checkpoint.state["epoch"] if checkpoint is not None else 0
    if parts["end"].startswith("failed"):
        return trained_epochs + 1, parts
    return trained_epochs, parts | _answers(trainer, study, variant, training.validation)


def _state(checkpoint: Any) -> dict[str, str]:
    points = {name: values for name, values in checkpoint.state["points"].items() if name != "seconds"}
    return {
        "history": hashlib.sha256(json.dumps(points, sort_keys=True).encode()).hexdigest(),
        "variables": digest(checkpoint.variables),
        "optimizer": digest(checkpoint.optimizer),
        "stopping": json.dumps(checkpoint.state["stopping"], sort_keys=True),
        "best": digest(checkpoint.best),
    }


def _answers(trainer: Any, study: Any, variant: Any, validation: Any) -> dict[str, str]:
    """What follows on training: the evaluation over the recipe's test views, and the study's own measures."""
    evaluation = trainer.evaluate(validation)
    measured = {}
    for measure in study.measures:
        if variant.name in measure.variants:
            try:
                value = float(measure.function(trainer.reader_model(), validation.images)).hex()
            except Exception as error:  # a study's own code; after one epoch it may well not be made for what it sees
                value = f"{type(error).__name__}: {error}"
            measured[measure.name] = value
    return {
        "probabilities": digest([evaluation.probabilities]),
        "evaluation": f"{evaluation.loss.hex()} {evaluation.accuracy.hex()}",
        "measures": json.dumps(measured, sort_keys=True),
    }


def digest(arrays: Sequence[Any]) -> str:
    """SHA-256 of some NumPy arrays' types, shapes and bytes, in order."""
    import numpy as np

    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


@contextlib.contextmanager
def _alone_on_standard_output() -> Iterator[IO[str]]:
    """Standard output for this program's lines; what libraries print goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as lines:
        os.dup2(2, 1)
        yield lines


def _end_with_parent() -> None:
    # Nothing is ever written there: it ends when the process that asked does, however that came about.
    with contextlib.suppress(OSError):
        os.read(0, 1)
    os._exit(1)


def main(arguments: list[str]) -> int:
    """Do what the file ``arguments[0]`` asks for. Returns the exit status; a failure is an event too."""
    (path,) = map(Path, arguments)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from fortydays.base.errors import FortydaysError

    with _alone_on_standard_output() as lines:

        def tell(event: Mapping[str, Any]) -> None:
            lines.write(json.dumps(event) + "\n")
            lines.flush()

        try:
            follow(json.loads(path.read_text("utf-8")), tell)
        except FortydaysError as error:
            tell({"failure": error.message, "hint": error.hint})
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
