"""Evidence: what the trials of a study showed, with everything needed to show it again, as one JSON document."""

import ast
import dataclasses
import io
import json
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.base.privacy import share
from fortydays.base.text import counted
from fortydays.study.claims import Claim, Judgement, Trials, Verdict
from fortydays.study.statistics import interval
from fortydays.tasks.metric import metric_of

if TYPE_CHECKING:
    from fortydays.study.design import Study

SCHEMA_VERSION = 1
SCHEMA_FILE = Path(__file__).with_name("evidence.v1.schema.json")

# The packages a result can depend on.
PACKAGES = ("keras", "numpy", "scipy", "pillow")


def summarize(trials: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Mean, standard deviation and 95% interval of every metric of every variant, over its finished trials.

    A target that some trial never reached has no mean; it is left out of that variant's summary.

    Returns:
        variant -> metric -> ``{mean, std, low, high, n}``.
    """
    values: dict[str, dict[str, list[float | None]]] = {}
    for trial in trials:
        if trial["status"] != "finished":
            continue
        of_variant = values.setdefault(trial["variant"], {})
        numbers = {**trial["metrics"], "train_seconds": trial["train_seconds"], "epochs": trial["epochs"]}
        for metric, value in numbers.items():
            of_variant.setdefault(metric, []).append(value)
    return {
        variant: {
            metric: interval([v for v in found if v is not None]).as_dict()
            for metric, found in metrics.items()
            if None not in found and not metric.endswith("_limit")
        }
        for variant, metrics in values.items()
    }


def by_variant_and_seed(trials: Iterable[Mapping[str, Any]]) -> Trials:
    """The metrics of the finished trials, as claims are judged on them."""
    found: dict[str, dict[int, Mapping[str, float | None]]] = {}
    for trial in trials:
        if trial["status"] == "finished":
            found.setdefault(trial["variant"], {})[trial["seed"]] = trial["metrics"]
    return found


def with_defaults(kind: type, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded fields of a value, with those that its kind got since at their defaults.

    A default is what the program did before there was the field. So a document without it says the same as a later
    one that has the default, and the two are compared in this form.

    Args:
        kind: the dataclass, such as a recipe.
        recorded: its fields as JSON values, possibly written by an older version of this program.
    """
    fields, none = dataclasses.fields(kind), dataclasses.MISSING
    values = {field.name: field.default for field in fields if field.default is not none}
    made = {field.name: field.default_factory() for field in fields if field.default_factory is not none}
    return {**values, **made, **recorded}


def best_trial(trials: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The finished trial that is best on the validation split, or None where none finished.

    Every choice of one trial is made here: the model that a run keeps, exhibits, registered models. The highest
    validation accuracy decides. Of equal accuracies, which a small split often gives, the smaller validation loss
    decides, because it says more of the same images than their count. Of equal losses, the first trial is taken.
    """
    finished = [t for t in trials if t["status"] == "finished"]

    def goodness(trial: Mapping[str, Any]) -> tuple[float, float]:
        return trial["metrics"]["validation_accuracy"], -trial["metrics"]["validation_loss"]

    return max(finished, key=goodness, default=None)


def judge(claims: Sequence[Claim], trials: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    """The verdict on each claim.

    A trial that failed is an outcome of its variant too. Judging the survivors alone would flatter a variant that
    diverges in some seeds, so a claim about such a variant is undecided, and says why.
    """
    metrics = by_variant_and_seed(trials)
    judged = []
    for claim in claims:
        judgement = claim.judge(metrics)
        of_claim = [t for t in trials if t["variant"] in claim.variants]
        # A trial whose measure failed has an error too, and all other numbers.
        failed = sum(bool(t["error"]) and claim.metric not in t["metrics"] for t in of_claim)
        if failed:
            said = f"{failed} of {counted(len(of_claim), 'trial')} failed, so the numbers are of the others only"
            judgement = dataclasses.replace(
                judgement,
                verdict=Verdict.UNDECIDED,
                seeds_needed=None,
                note="; ".join(filter(None, [said, judgement.note])),
            )
        judged.append(judgement)
    return judged


def judgements(study: "Study", trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What evidence says of a study's claims: the verdicts under ``claims``, and what is ``withdrawn``."""
    return {
        "claims": [judgement.as_dict() for judgement in judge(study.standing, trials)],
        "withdrawn": [dataclasses.asdict(withdrawal) for withdrawal in study.withdrawals],
    }


def results_digest(trials: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 of everything the trials gave except times, which differ from run to run: equal digests, equal bits."""
    return files.sha256_of_json(
        [
            {
                "variant": t["variant"],
                "seed": t["seed"],
                "status": t["status"],
                "metrics": {name: v for name, v in t["metrics"].items() if metric_of(name).exact},
                "weights_digest": t["weights_digest"],
                "history": {name: v for name, v in t["history"].items() if name != "seconds"},
            }
            for t in sorted(trials, key=lambda t: (t["variant"], t["seed"]))
        ]
    )


def package_versions(of_backend: Sequence[str] = ()) -> dict[str, str]:
    """The installed versions of the packages a result can depend on, those of the backend included."""
    versions = {}
    for name in (*PACKAGES, *of_backend):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def code_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of what some Python files do: their code, as :func:`code_without_prose` gives it.

    Args:
        paths: the files; their order does not matter, their names do.

    Raises:
        StorageError: a file cannot be read.
    """
    parts = []
    for path in sorted(paths, key=lambda p: p.name):
        with files.storage_errors("read", path):
            source = path.read_text("utf-8")
        parts.append([path.name, code_without_prose(source)])
    return files.sha256_of_json(parts)


def engine_files(study_file: Path, backend: str) -> list[Path]:
    """The modules of this program whose code a study's numbers are a function of.

    That is the compiled engine on one backend, and what the study imports of shared models, of other days and from its
    own folder, directly or through each other: a model added for one day leaves the evidence of the others as true as
    it was, and so does a change of another backend.

    Args:
        study_file: the study.
        backend: what it was, or is to be, trained on.

    Raises:
        StorageError: a file cannot be read.
    """
    train = _PACKAGE / "train"
    found = sorted(train.glob("*.py"))
    found += [train / "backends/__init__.py", *sorted((train / "backends").glob(f"{backend}*.py"))]
    found += [_PACKAGE / f"{name}.py" for name in _NUMBERS_DEPEND_ON]
    return [*found, *sorted(_imported_by(study_file) - set(found))]


_PACKAGE = Path(__file__).parent.parent
_FEATURES = _PACKAGE / "study" / "features.py"
_NUMBERS_DEPEND_ON = (
    "data/splits", "data/arrays", "base/machine", "study/trial", "study/executor", "study/search",
)  # fmt: skip


def _imported_by(study_file: Path) -> set[Path]:
    """The files a study is made of besides its own: shared models, other days, and modules beside it."""
    found: set[Path] = set()
    waiting = [study_file]
    while waiting:
        reading = waiting.pop()
        with files.storage_errors("read", reading):
            source = reading.read_text("utf-8")
        try:
            tree = ast.parse(source)
        except SyntaxError:  # said where the study is loaded
            continue
        new = {path for folder, name in _imports(tree, reading) for path in _files_of(folder, name)}
        new -= {*found, study_file}
        found |= new
        waiting += new
    return found


def _imports(tree: ast.AST, path: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """What a file imports, each as the folder to look in and the names from there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [[*(node.module or "").split("."), alias.name] for alias in node.names]
        else:
            continue
        level = getattr(node, "level", 0)
        for name in names:
            parts = tuple(part for part in name if part)
            if level:
                yield path.parents[level - 1], parts
            elif parts[0] == _PACKAGE.name:
                yield _PACKAGE, parts[1:]
            else:
                yield path.parent, parts


def _files_of(folder: Path, name: tuple[str, ...]) -> list[Path]:
    """The file of a module, or of the one that a name is in; all models where their package itself is meant."""
    inside = [_PACKAGE / "models", *sorted((_PACKAGE / "days").glob("day*_*"))]
    for length in range(len(name), 0, -1):
        path = folder.joinpath(*name[:length]).with_suffix(".py")
        if path.is_file():
            if path == _FEATURES:
                made_by = ("study/frozen", "study/graphs", "models/backbones")
                return [path, *(_PACKAGE / f"{each}.py" for each in made_by)]
            return [path] if path.parent in inside or not path.is_relative_to(_PACKAGE) else []
    package = folder.joinpath(*name)
    return sorted(package.glob("*.py")) if package == _PACKAGE / "models" else []


# Tokens that can hold line ends of their own; from Python 3.12 on an f-string is several tokens.
_STRINGS = (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))


def code_without_prose(source: str) -> str:
    """Python source without comments, docstrings, blank lines and trailing spaces; other strings stay as they are.

    What a study says of claims that it withdraws is left out too: it changes no trial, so that evidence stays true.

    Positions of tokens are used, not a parsed tree printed again, so that every Python version gives the same text.
    """
    lines = source.split("\n")
    ends_in_string: set[int] = set()  # the rows whose last spaces, and emptiness, are part of a string
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
        elif token.type in _STRINGS:
            ends_in_string.update(range(token.start[0] - 1, token.end[0] - 1))
    tree = ast.parse(source)
    left_out: list[ast.Expr | ast.keyword] = [*_docstrings(tree), *_withdrawals(tree)]
    for prose in left_out:
        first, last = prose.lineno - 1, (prose.end_lineno or prose.lineno) - 1
        # Columns of the tree count bytes.
        before = lines[first].encode()[: prose.col_offset].decode()
        after = lines[last].encode()[prose.end_col_offset :].decode()
        lines[first : last + 1] = [before + after.removeprefix(",")] + [""] * (last - first)
        ends_in_string.difference_update(range(first, last + 1))
    return "\n".join(
        line if row in ends_in_string else line.rstrip()
        for row, line in enumerate(lines)
        if row in ends_in_string or line.strip()
    )


def _docstrings(tree: ast.AST) -> Iterator[ast.Expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield first


def _withdrawals(tree: ast.AST) -> Iterator[ast.keyword]:
    """The argument ``withdrawn`` of each ``Study(...)``, where it is made of plain texts and can do nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Study":
            for keyword in node.keywords:
                texts = keyword.value if keyword.arg == "withdrawn" else None
                if isinstance(texts, ast.Dict) and all(
                    isinstance(text, ast.Constant) for text in (*texts.keys, *texts.values)
                ):
                    yield keyword


def outline(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence without histories and exhibits: what ``--json`` prints."""
    short = {name: value for name, value in evidence.items() if name != "exhibits"}
    short["trials"] = [{k: v for k, v in trial.items() if k != "history"} for trial in evidence["trials"]]
    return short


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where the evidence that the package ships is kept."""

    folder: Path

    def path(self, day: int) -> Path:
        """The file of a day."""
        return self.folder / f"day{day:02}.json"

    def read(self, day: int) -> dict[str, Any] | None:
        """A day's published evidence, or None where there is none.

        Raises:
            StorageError: the file is damaged or of another schema version.
        """
        path = self.path(day)
        return read_evidence(path) if path.exists() else None


def published() -> Published:
    """The published evidence: inside an installed package, or beside ``src`` in a source checkout."""
    package = Path(__file__).parent.parent
    installed = package / "evidence"
    return Published(folder=installed if installed.is_dir() else package.parent.parent / "evidence")


def check_publishable(day: int) -> None:
    """Refuse to publish where the published evidence is not that of a source checkout.

    Raises:
        UsageError: the program is installed, or the place cannot be written or is a link; the message says which.
    """
    place = published()
    hint = "Publish from a clone of the repository, set up with: make setup. Without --publish, the run is kept too."
    if place.folder.is_relative_to(_PACKAGE) or _PACKAGE.parent.name != "src":
        raise UsageError(
            f"This program is installed in {_PACKAGE}, and what it ships is not changed. "
            "Evidence is published into a source checkout.",
            hint=hint,
        )
    for path in (place.folder, place.path(day)):
        if path.is_symlink():
            raise UsageError(
                f"{path} is a symbolic link. Evidence is published into a folder of the checkout itself.", hint=hint
            )
        if files.exists(path) and not files.is_writable(path):
            raise UsageError(f"{path} cannot be written, so no evidence can be published there.", hint=hint)


def publish(evidence: Mapping[str, Any]) -> None:
    """Write a day's evidence to the place of the published one, atomically.

    Raises:
        UsageError: see :func:`check_publishable`.
        StorageError: it cannot be written.
    """
    check_publishable(evidence["day"])
    text = json.dumps(evidence, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path = published().path(evidence["day"])
    files.write_text(path, text + "\n")
    share(path)


def read_evidence(path: Path) -> dict[str, Any]:
    """Read an evidence document.

    Raises:
        StorageError: it is damaged.
        FortydaysError: its schema version is not this program's.
    """
    document = files.read_json(path)
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise FortydaysError(
            f"{path} has evidence schema version {version!r}; this version of fortydays reads {SCHEMA_VERSION}."
        )
    missing = [k for k in ("title", "dataset", "seeds", "trials", "variants", "claims") if k not in document]
    if missing:
        raise StorageError(f"{path} is damaged: it has no {', '.join(missing)}.")
    return document
