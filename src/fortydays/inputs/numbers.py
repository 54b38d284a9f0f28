"""Numbers that are taken as they are: the columns of a table, or what a frozen network made of an example."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.inputs.input import Arrays, ArraySpec, Bounds, Cast, Input, flattened

NUMBERS = "numbers"
"""The name of the one array of numbers."""

KEPT_AS = ("float32", "float16")
"""Types of numbers; the second takes half the memory, and rounds to 11 binary digits."""


@dataclass(frozen=True, kw_only=True)
class Numbers(Input):
    """Numbers, which a network gets as float32.

    Attributes:
        shape: of one example, such as (20,) or, of features with places in an image, (7, 7, 1280).
        dtype: in which they are kept: one of :data:`KEPT_AS`.
    """

    KIND: ClassVar[str] = "numbers"
    NOUN: ClassVar[str] = "example"
    FIELDS: ClassVar[tuple[str, ...]] = ("mixup",)
    JSON_FIELD: ClassVar[str] = "numbers"

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """The numbers."""
        return (ArraySpec(name=NUMBERS, dtype=self.dtype, shape=self.shape),)

    @property
    def title(self) -> str:
        """Such as "20 numbers"."""
        return f"{' x '.join(map(str, self.shape))} numbers"

    def as_dict(self) -> dict[str, Any]:
        """The shape, and the type where it is not float32."""
        kept = {} if self.dtype == "float32" else {"dtype": self.dtype}
        return {"kind": self.KIND, "shape": list(self.shape), **kept}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Numbers":
        """What :meth:`as_dict` wrote. Raises ValueError where it did not."""
        shape = document.get("shape")
        if not isinstance(shape, list) or not shape or not all(type(n) is int and n > 0 for n in shape):
            raise ValueError("the shape of the numbers is not said")
        dtype = document.get("dtype", "float32")
        if dtype not in KEPT_AS:
            raise ValueError(f"the type of the numbers is none of {', '.join(KEPT_AS)}")
        return cls(shape=tuple(shape), dtype=dtype)

    def open(self, content: bytes, bounds: Bounds) -> Any:
        """No file has them. Raises UnreadableContentError."""
        del content, bounds
        raise UnreadableContentError(
            Problem.UNKNOWN, f'The model takes no files; expected JSON: {{"{self.JSON_FIELD}": [...]}}.'
        )

    def from_json(self, values: object, bounds: Bounds) -> Arrays:
        """A list of numbers for one example, or a list of such lists."""
        del bounds  # what the request may have bounds the lists
        try:
            flat, _ = flattened(values)
            if not all(type(each) in (int, float) and abs(each) < 1e30 for each in flat):
                raise ValueError("they are no finite numbers")
            return {NUMBERS: np.array(flat, self.dtype).reshape(-1, *self.shape)}
        except ValueError:
            raise UnreadableContentError(
                Problem.DAMAGED,
                f"The numbers are others than this model takes; expected {self.title}, or a list of such lists.",
            ) from None

    def in_network(self, arrays: Mapping[str, Any], cast: Cast) -> Any:
        """float32, also of numbers that are kept in half the memory."""
        return cast(arrays[NUMBERS], "float32")

    def check(self, arrays: Arrays) -> None:
        """Refuse infinite numbers too, with which a network computes none."""
        super().check(arrays)
        if not np.isfinite(arrays[NUMBERS]).all():
            raise ValueError(f"{NUMBERS} has some that are not finite")

    def as_file(self, arrays: Arrays) -> tuple[bytes, str]:
        """The JSON of a request."""
        return json.dumps({self.JSON_FIELD: arrays[NUMBERS].tolist()}).encode(), "application/json"

    def words(self, arrays: Arrays) -> str:
        """The first numbers."""
        few = arrays[NUMBERS].ravel()[:8]
        return ", ".join(f"{number:.3g}" for number in few) + (", ..." if self.numbers > len(few) else "")
