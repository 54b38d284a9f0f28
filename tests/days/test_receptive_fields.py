"""The receptive fields that the notes of days 12 to 14 tell are those of the networks."""

import importlib
import re
from typing import Any

import pytest

from fortydays.days.journey import LESSONS

TABLES = {"day12_residual_networks": 6, "day13_inception": 3, "day14_vgg": 5}
"""The folders of the days, and how many variants each has."""


def told(folder: str) -> dict[str, int]:
    """What the table of the notes tells of each variant."""
    text = (LESSONS / folder / "notes.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \|.* multiply_adds\(.*\) \}\} \| (\d+) \|$", text, re.MULTILINE)
    return {name: int(field) for names, field in rows for name in names.split(", ")}


def receptive_field(model: Any) -> int:
    """How many pixels wide the window of the convolution is that sees most."""
    last = (1, 1)  # the field of a number, and the distance to its neighbors, in pixels
    seen, widest = {model.inputs[0].name: last}, 0
    for layer in model.layers:
        if not layer._inbound_nodes[0].input_tensors:
            continue
        # In a sequential model, a tensor can have another name than where it was made: the layer before made it.
        field, distance = max(seen.get(tensor.name, last) for tensor in layer._inbound_nodes[0].input_tensors)
        kind = type(layer).__name__
        if kind == "Conv2D":
            field, distance = field + (layer.kernel_size[0] - 1) * distance, distance * layer.strides[0]
        elif kind == "MaxPooling2D":
            field, distance = field + (layer.pool_size[0] - 1) * distance, distance * layer.strides[0]
        elif kind == "Whitening":
            field, distance = field + distance, distance * layer.strides
        widest = max(widest, field) if kind == "Conv2D" else widest
        seen[layer.output.name] = last = field, distance
    return widest


@pytest.mark.slow
@pytest.mark.parametrize("folder", TABLES)
def test_the_notes_tell_the_receptive_fields_of_the_networks(keras: Any, folder: str) -> None:
    study = importlib.import_module(f"fortydays.lessons.{folder}.study").study
    assert len(study.variants) == TABLES[folder]
    assert told(folder) == {variant.name: receptive_field(variant.model()) for variant in study.variants}
