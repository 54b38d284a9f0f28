"""``forty lineage`` and ``forty reproduce``: what a model version is made of, and whether it can be made again."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fortydays.base.errors import ExitCode
from fortydays.base.settings import read_settings
from fortydays.base.text import counted
from fortydays.cli import streams
from fortydays.cli.registry import opened
from fortydays.cli.stopping import stopping_in_time

_Model = Annotated[str, typer.Argument(metavar="NAME[@VERSION|@ALIAS]", help="A version of a model.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def lineage(model: _Model, as_json: _Json = False) -> None:
    """Print what a version is made of, as a tree: data, recipe, code, packages, run, evidence."""
    from fortydays.registry.names import parse_reference
    from fortydays.registry.promotion import documents_of
    from fortydays.registry.scratch import scratch

    settings = read_settings()
    reference = parse_reference(model)
    catalog = opened(settings)
    version = catalog.find(reference)
    with scratch(settings) as folder:
        catalog.fetch(version, folder / "version")
        found, _ = documents_of(folder / "version", version)
    if as_json:
        document = {"schema_version": 1, "version": version.as_dict(), "lineage": found}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    import rich.text
    import rich.tree

    tree = rich.tree.Tree(rich.text.Text(str(version), style="bold"))
    for heading, lines in _branches(found).items():
        branch = tree.add(rich.text.Text(heading))
        for line in lines:
            branch.add(rich.text.Text(line))
    streams.console().print(tree)


def reproduce(
    model: _Model,
    study: Annotated[str, typer.Option("--study", metavar="FILE", help="The study, if it is one of your own.")] = "",
    as_json: _Json = False,
) -> int:
    """Train a version's model again: are the weights the same bits?

    Where machine or program differ, they cannot be; then the accuracies are compared. Exit code 3 where neither holds.
    """
    from fortydays.cli.progress import console_progress
    from fortydays.registry.names import parse_reference
    from fortydays.registry.reproduction import reproduce as again

    settings = read_settings()
    reference = parse_reference(model)
    with (
        console_progress(streams.console(stderr=True)) as progress,
        stopping_in_time(lambda: "Stopped. The version is as it was."),
    ):
        done = again(reference, opened(settings, progress), settings, progress=progress, study_file=study)
    if as_json:
        document = {
            "schema_version": 1,
            "version": done.version.as_dict(),
            "same_bits": done.same_bits,
            "agrees": done.agrees,
            "changed": list(done.changed),
            "metrics": {
                name: {"then": then, "now": now, "tolerance": tolerance}
                for name, (then, now, tolerance) in done.metrics.items()
            },
            "weights_digest": done.weights_digest,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    elif done.same_bits:
        typer.echo(f"{done.version} is reproduced: the weights are the same, bit for bit.")
    else:
        within = all(abs(now - then) <= tolerance for then, now, tolerance in done.metrics.values())
        typer.echo(f"{done.version}: other weights; the accuracies {'agree' if within else 'do not agree'}.")
        for name, (then, now, tolerance) in done.metrics.items():
            typer.echo(
                f"  {name.replace('_', ' ')}: {100 * then:.2f}% then, {100 * now:.2f}% now "
                f"(within {100 * tolerance:.2f} points: {'yes' if abs(now - then) <= tolerance else 'no'})"
            )
        if not done.changed:
            typer.echo("  Nothing that is known of the two trainings differs, so the weights should be the same.")
        for sentence in done.changed:
            typer.echo(f"  {sentence}")
    return int(ExitCode.DONE if done.agrees else ExitCode.NOT_MET)


def _branches(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """The tree's branches, each with its leaves."""
    from fortydays.data.own.dataset import label_of

    dataset, study, trial = found["dataset"], found["study"], found["trial"]
    version = dataset.get("data_version")
    code, machine, run = found["code"], found["machine"], found["run"]
    commit = f"commit {code['commit']}, {'clean' if code['clean'] else 'with changes'}" if "commit" in code else ""
    day = f"day {study['day']}" if study["day"] else "one of your own"
    return {
        f"dataset {dataset['name']}, version {dataset['version']}": [
            f"SHA-256 {dataset['digest']}",
            *([f"data version {label_of(version)}, SHA-256 {version['digest']}"] if version else []),
            f"splits {dataset['split_version']}: {dataset['train']:,} training, {dataset['validation']:,} validation, "
            f"{dataset['test']:,} test",
        ],
        f"study {study['name']} ({day}), variant {study['variant']}, seed {trial['seed']}": [
            *([] if study["day"] else [f"file {study['file']}"]),
            *(f"{claim['verdict']}: {claim['claim']}" for claim in found["claims"]),
        ],
        "recipe": [f"{name} {_value(value)}" for name, value in found["recipe"].items() if value not in (None, {}, 0)],
        f"trained in {trial['precision']}, {counted(trial['epochs'], 'epoch')}, {trial['train_seconds']:.1f} s": [
            f"weights {trial['weights_digest']}",
            f"{trial['parameters']:,} parameters",
            *(
                f"{name.replace('_', ' ')} {100 * trial['metrics'][name]:.2f}%"
                for name in ("train_accuracy", "validation_accuracy", "test_accuracy")
            ),
        ],
        f"code fortydays {code['version']}": [
            *([commit] if commit else ["no commit was recorded"]),
            f"study {code['study']}",
            f"engine {code['engine']}",
        ],
        "packages": [
            f"{name} {version}" for name, version in {**found["packages"], **found.get("export", {})}.items()
        ],
        f"machine {machine['cpu_model'] or 'unknown'}": [
            f"{machine['system']}, Python {machine['python']}",
            f"{machine['backend']} on {counted(machine['threads'], 'thread')}"
            + (f", {machine['accelerator']}" if machine.get("accelerator") else ""),
            f"instructions {', '.join(machine['flags'])}",
        ],
        f"run {run['id']}": [f"ended {run['ended']}"],
        "evidence": [f"SHA-256 {found['evidence']['digest']}"],
    }


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
