"""The exhibits in an evidence document: matrices, pictures, lines and tables."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fortydays.study.vocabulary import PNG, Count, Labels, Natural, Points, Says, Setting


@dataclass(frozen=True, kw_only=True)
class _Exhibit:
    variant: str
    seed: Natural | None
    title: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Matrix(_Exhibit):
    """Numbers by row and column, such as a confusion matrix."""

    kind: Literal["matrix"] = "matrix"
    rows: Labels
    columns: Labels
    values: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows) or any(len(row) != len(self.columns) for row in self.values):
            raise ValueError(
                "has values of another shape than its rows and columns; "
                f"expected {len(self.rows)} × {len(self.columns)}"
            )


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A small picture.

    Attributes:
        png: base64 of a PNG file. In the report it is "" if it was anything else.
        label: what stands under it.
        index: number of the example in its split.
    """

    png: Annotated[Any, PNG]
    label: str
    index: Natural | None = None


@dataclass(frozen=True, kw_only=True)
class Pictures(_Exhibit):
    """Small pictures with labels, in so many columns."""

    kind: Literal["pictures"] = "pictures"
    columns: Count
    pictures: Annotated[tuple[Picture, ...], Says({"maxItems": 400})]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A named line through points."""

    name: str
    x: Points
    y: Points

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"has {len(self.x)} x and {len(self.y)} y; expected as many of both")


@dataclass(frozen=True, kw_only=True)
class Lines(_Exhibit):
    """Lines with the labels of their axes."""

    kind: Literal["lines"] = "lines"
    x_label: str
    y_label: str
    lines: Annotated[tuple[Line, ...], Says({"maxItems": 50})]


@dataclass(frozen=True, kw_only=True)
class Table(_Exhibit):
    """Rows of cells under named columns."""

    kind: Literal["table"] = "table"
    columns: Labels
    rows: tuple[Annotated[tuple[Setting, ...], Says({"maxItems": 100})], ...]


ExhibitResult = Matrix | Pictures | Lines | Table
