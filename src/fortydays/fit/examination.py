"""What is found out about a head: how often it is right, where it looks, which labels are wrong, what would help."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from fortydays.base import clock
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data import weights as published
from fortydays.fit import findings as found_out
from fortydays.fit.attention import class_activation, feature_maps, pictures_to_look_at, weights_of
from fortydays.fit.balance import balance
from fortydays.fit.choice import ChosenBackbone
from fortydays.fit.head import CalibratedHead
from fortydays.fit.label_errors import find_label_errors
from fortydays.fit.learning_curve import LearningCurve, measure_learning_curve
from fortydays.fit.photographs import Photographs
from fortydays.registry.calibration import calibrated
from fortydays.registry.promotion import Promotion
from fortydays.study.features import prepare


def examine(
    photographs: Photographs,
    chosen: ChosenBackbone,
    head: CalibratedHead,
    promotion: Promotion,
    settings: Settings,
    progress: Progress,
) -> found_out.Findings:
    """All that is found out about a head and its version, except how long each phase took.

    Raises:
        DataError, StorageError: features cannot be computed, read or written.
    """
    kept, trial = photographs.kept, head.trial
    labels, probabilities = kept.labels[kept.of("test")], head.probabilities
    answers = probabilities.argmax(axis=1)
    answered = found_out.answers_on_test(kept, probabilities)
    confusion = found_out.confusion_matrix(labels, answers, classes=len(kept.classes))
    attention = _attention(photographs, head, answered, settings)
    label_errors, curve = _from_features(photographs, head, settings, progress)
    return found_out.Findings(
        name=photographs.name,
        place=photographs.place,
        created=clock.timestamp(),
        model=str(promotion.version),
        alias=promotion.alias if promotion.move is not None or promotion.already else "",
        backbone=_backbone_facts(chosen, side=kept.side),
        inspection=photographs.inspection.as_dict(),
        classes=kept.classes,
        chosen=found_out.Chosen(
            variant=trial["variant"],
            seed=trial["seed"],
            description=head.evidence["details"][trial["variant"]]["description"],
        ),
        test=found_out.held_out_result(labels, answers, accuracies=head.accuracies(), classes=len(kept.classes)),
        # The temperature was found on validation photographs: what it is worth, others say.
        calibration=calibrated(head.logits, labels, temperature=head.temperature),
        unknown=head.unknown,
        confusion=confusion,
        per_class=found_out.class_results(kept.classes, photographs.inspection.counts(), confusion),
        mistakes=found_out.confident_mistakes(answered),
        label_errors=label_errors,
        attention=attention,
        learning_curve=curve,
        balance=balance(kept.labels[kept.of("train")], kept.classes),
        gates=tuple(map(asdict, promotion.gates)),
        seconds={},
    )


def _backbone_facts(chosen: ChosenBackbone, *, side: int) -> found_out.BackboneFacts:
    source = chosen.obtained.source
    return found_out.BackboneFacts(
        title=chosen.backbone.title,
        side=side,
        weights_sha256=chosen.obtained.sha256,
        # without a path of this machine
        source="the mirror folder" if source.startswith("mirror folder") else source,
        licence=published.WEIGHTS[chosen.backbone.name].licence,
    )


def _attention(
    photographs: Photographs, head: CalibratedHead, answered: Sequence[found_out.Answer], settings: Settings
) -> tuple[found_out.Attention, ...]:
    """Where the head looks in some test photographs."""
    kept = photographs.kept
    looked_at = pictures_to_look_at(kept.labels[kept.of("test")], head.probabilities)
    pixels = photographs.collection.pixels()[[answered[each].row for each in looked_at]]
    assert head.features.frozen is not None
    maps = feature_maps(head.features.frozen, head.model, np.asarray(pixels), threads=settings.threads)
    weights = weights_of(head.model)
    found = []
    for each, of_image in zip(looked_at, maps, strict=True):
        answer = answered[each]
        heat = class_activation(of_image, weights, kept.classes.index(answer.answer)).astype(np.float64).round(3)
        found.append(found_out.Attention(**vars(answer), heat=tuple(map(tuple, heat.tolist()))))
    return tuple(found)


def _from_features(
    photographs: Photographs, head: CalibratedHead, settings: Settings, progress: Progress
) -> tuple[tuple[found_out.LabelError, ...], LearningCurve]:
    """Likely label errors and the learning curve; both look at the averaged features, however the head was trained."""
    kept, near = photographs.kept, photographs.inspection.near
    pooled = head.features
    if pooled.frozen is not None and pooled.frozen.features.before_last_block:
        features = replace(pooled.frozen.features, before_last_block=False)
        dataset = library.load(kept.name, settings)
        pooled = prepare(
            dataset, pooled.builder, features=features, examples=None, settings=settings, progress=progress
        )
    training = pooled.dataset.training
    # The test split was opened when the trials had ended; a wrong label in it is worth knowing, too.
    parts = {"train": training.train, "validation": training.validation, "test": pooled.dataset.test.open()}
    train, validation, test = (np.asarray(split.array).reshape(len(split), -1) for split in parts.values())
    places = np.concatenate([kept.of(name) for name in parts])
    labels = kept.labels[places]
    group_of = {path: number for number, group in enumerate(near) for path in group}
    groups = [group_of.get(kept.paths[place], len(near) + number) for number, place in enumerate(places)]
    suspects = find_label_errors(
        np.concatenate([train, validation, test]), labels, classes=len(kept.classes), groups=groups, progress=progress
    )
    curve = measure_learning_curve(
        train,
        labels[: len(train)],
        validation,
        labels[len(train) : len(train) + len(validation)],
        classes=len(kept.classes),
        progress=progress,
    )
    return found_out.named_label_errors(suspects, kept, places), curve
