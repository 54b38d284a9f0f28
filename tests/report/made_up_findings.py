"""Findings about a classifier that nobody ever trained: every number is made up, for tests of how they are shown."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.fit.balance import balance
from fortydays.fit.findings import (
    Answer,
    Attention,
    BackboneFacts,
    Chosen,
    Findings,
    LabelError,
    class_results,
    held_out_result,
)
from fortydays.fit.learning_curve import CurvePoint, LearningCurve, PowerLaw, Prediction
from fortydays.registry.calibration import Calibration, Threshold

CLASSES = ("cat", "dog", "emu")
CONFUSION = ((40, 8, 2), (3, 46, 1), (0, 0, 50))
SIDE = 64


def picture(row: int) -> NDArray[np.uint8]:
    """A pattern of coarse squares; another row, another pattern."""
    coarse = np.random.default_rng(row).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return coarse.repeat(SIDE // 8, axis=0).repeat(SIDE // 8, axis=1)


def curve() -> LearningCurve:
    """A learning curve that still rises."""
    law = PowerLaw(limit=0.96, factor=1.2, exponent=0.5)
    points = tuple(
        CurvePoint(images=n, accuracy=law.at(n), low=law.at(n) - 0.03, high=law.at(n) + 0.03, draws=5)
        for n in (50, 100, 200, 400, 800)
    )
    gain = law.at(1600) - law.at(800)
    twice = Prediction(images=1600, accuracy=law.at(1600), gain=gain, low=gain - 0.005, high=gain + 0.005)
    return LearningCurve(points=points, validated=120, law=law, twice=twice, verdict="more")


def findings(**changes: Any) -> Findings:
    """A whole set of findings about three classes, with something in every part."""
    confusion = changes.get("confusion", CONFUSION)
    classes = changes.get("classes", CLASSES)
    labels = np.repeat(np.arange(len(classes)), [sum(row) for row in confusion])
    answers = np.concatenate([np.repeat(np.arange(len(classes)), row) for row in confusion])
    counts = {
        name: {"train": 300, "validation": 40, "test": sum(row)} for name, row in zip(classes, confusion, strict=True)
    }
    whole = Findings(
        name="pets",
        place="/photographs/pets",
        created="2026-11-26T20:17:00Z",
        model="pets@3",
        alias="champion",
        backbone=BackboneFacts(
            title="MobileNetV2", side=160, weights_sha256="ab" * 32, source="example.org", licence="Apache-2.0"
        ),
        inspection={
            "classes": counts,
            "used": 1170,
            "left_out": [
                {"file": "cat/a.jpg", "reason": "it is the same file as cat/b.jpg"},
                {"file": "cat/c.jpg", "reason": "it is the same file as cat/d.jpg"},
                {"file": "dog/e.jpg", "reason": "it is damaged"},
            ],
            "notes": ["The class 'gnu' is left out."],
        },
        classes=classes,
        chosen=Chosen(variant="linear", seed=2, description="a linear head on pooled features"),
        test=held_out_result(labels, answers, accuracies=(0.9, 0.91, 0.92), classes=len(classes)),
        calibration=Calibration(temperature=1.5, images=150, error_before=0.05, error_after=0.02),
        unknown=Threshold(below=0.5, false_alarms=0.04, low=0.02, high=0.09, images=150),
        confusion=confusion,
        per_class=class_results(classes, counts, confusion),
        mistakes=(Answer(file="cat/1.jpg", label="cat", answer="dog", probability=0.98, row=1),),
        label_errors=(LabelError(file="dog/2.jpg", split="train", label="dog", suggested="emu", score=-0.9, row=2),),
        attention=(
            Attention(file="emu/3.jpg", label="emu", answer="emu", probability=0.99, row=3, heat=((0, 1), (0, 0.5))),
        ),
        learning_curve=curve(),
        balance=balance(np.repeat(np.arange(len(classes)), 300), classes),
        gates=(
            {"gate": "accuracy", "passed": True, "found": "90.7%", "asked": "clearly more than 33.3%"},
            {"gate": "size", "passed": False, "found": "120 MB", "asked": "at most 100 MB"},
        ),
        seconds={"features": 61.0, "heads": 4.5},
    )
    return replace(whole, **changes)
