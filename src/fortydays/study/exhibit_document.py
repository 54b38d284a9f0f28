"""The exhibits in an evidence document: matrices, pictures, lines and tables.

One with ``first`` is what settles the question of its day: it stands first on the page.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fortydays.study.vocabulary import Count, Labels, Natural, Points, Says, Setting


@dataclass(frozen=True, kw_only=True)
class _Exhibit:
    variant: str
    seed: Natural | None
    title: str
    caption: str
    first: bool = False


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

    png: Any
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
    """A named line through points.

    Attributes:
        name: what it is.
        x: the points' places.
        y: their values.
        low: the lower end of each point's interval, or of the band around the line; empty where there is none.
        high: the upper end, likewise.
        marked: positions of points that stand out, such as a value that was chosen.
        look: place of a variant in the study, whose color and dashes it has; null for those of its own place.
        dashed: whether it is dashed, beside a solid line of the same look.
        labels: what stands beside each point; of a line with labels, the points alone are drawn, as on a map.
    """

    name: str
    x: Points
    y: Points
    low: Points = ()
    high: Points = ()
    marked: Annotated[tuple[Natural, ...], Says({"maxItems": 100})] = ()
    look: Natural | None = None
    dashed: bool = False
    labels: Labels = ()

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"has {len(self.x)} x and {len(self.y)} y; expected as many of both")
        if {len(self.low), len(self.high)} not in ({0}, {len(self.y)}):
            raise ValueError(
                f"has {len(self.low)} low and {len(self.high)} high; expected {len(self.y)} of both, or none"
            )
        if len(self.labels) not in (0, len(self.y)):
            raise ValueError(f"has {len(self.labels)} labels and {len(self.y)} points; expected one each, or none")
        if any(place >= len(self.y) for place in self.marked):
            raise ValueError(f"has the marked points {list(self.marked)}; expected positions below {len(self.y)}")


@dataclass(frozen=True, kw_only=True)
class Lines(_Exhibit):
    """Lines with the labels of their axes.

    Attributes:
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        lines: what is drawn.
        x_axis: how places are spaced; on a logarithmic axis, places that are not above 0 are left out.
        x_names: names of the places 0, 1, 2 ...; none where they are numbers.
        y_unit: of the values, as of a metric: "share" is shown in percent.
        y_from: where the vertical axis begins; null where the values decide.
    """

    kind: Literal["lines"] = "lines"
    x_label: str
    y_label: str
    lines: Annotated[tuple[Line, ...], Says({"maxItems": 50})]
    x_axis: Literal["linear", "logarithmic"] = "linear"
    x_names: Labels = ()
    y_unit: str = ""
    y_from: float | None = None


@dataclass(frozen=True, kw_only=True)
class Table(_Exhibit):
    """Rows of cells under named columns."""

    kind: Literal["table"] = "table"
    columns: Labels
    rows: tuple[Annotated[tuple[Setting, ...], Says({"maxItems": 100})], ...]


ExhibitResult = Matrix | Pictures | Lines | Table
