"""The commands about versions of a model: ``forty promote``, ``rollback``, ``retire``, ``lineage``, ``reproduce``."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from fortydays.base.errors import ExitCode
from fortydays.base.settings import read_settings
from fortydays.base.text import counted
from fortydays.cli import streams
from fortydays.cli.models import opened
from fortydays.cli.progress import working
from fortydays.cli.streams import AsJson

_Version = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A version, as `forty models show` numbers it.")]
_Model = Annotated[str, typer.Argument(metavar="NAME[@VERSION|@ALIAS]", help="A version of a model.")]
_Reason = Annotated[str, typer.Option("--reason", help="Why, for the history.")]


def promote(
    version: _Version,
    to: Annotated[str, typer.Option("--to", metavar="ALIAS", help="champion or challenger.")],
    force: Annotated[bool, typer.Option("--force", help="Move the alias though gates fail; needs --reason.")] = False,
    reason: _Reason = "",
    as_json: AsJson = False,
) -> int:
    """Make a version the champion or the challenger, if it passes every gate; exit code 3 if it does not."""
    from fortydays.registry.names import parse_version
    from fortydays.registry.promotion import promote as move

    settings, reference = read_settings(), parse_version(version)
    with working(f"Stopped. See where the aliases are: forty models show {reference.name}") as progress:
        registry = opened(settings, progress)
        done = move(reference, to, registry, settings, progress=progress, reason=reason, force=force)
    code = ExitCode.DONE if done.already or done.move is not None else ExitCode.NOT_MET
    if as_json:
        document = {
            "version": done.version.as_dict(),
            "alias": done.alias,
            "moved": done.move is not None,
            "already": done.already,
            "gates": [asdict(gate) for gate in done.gates],
            "move": done.move.as_dict() if done.move else None,
        }
        streams.print_json(document)
        return int(code)
    if done.already:
        typer.echo(f"{done.version} is the {to} already.")
        return int(code)
    _print_gates([asdict(gate) for gate in done.gates])
    closed = ", ".join(gate.gate for gate in done.closed)
    if done.move is None:
        typer.echo(f"{done.version} is not promoted. Not passed: {closed}.")
        typer.echo(f'To promote it all the same: forty promote {done.version} --to {to} --force --reason "..."')
    else:
        was = f"; before, it was version {done.move.before}" if done.move.before else ""
        forced = f", by force. Not passed: {closed}" if closed else ""
        typer.echo(f"{done.version} is the {to} now{was}{forced}.")
    return int(code)


def _print_gates(gates: list[dict[str, Any]]) -> None:
    from rich.table import Column
    from rich.text import Text

    from fortydays.report.tables import Table

    table = Table("", Column("gate", overflow="fold", max_width=18), *(Column(c) for c in ("found", "asked for")))
    for gate in gates:
        sign = Text("✓", style="green") if gate["passed"] else Text("✗", style="red")
        table.add_row(sign, gate["gate"], gate["found"], gate["asked"])
    streams.console().print(table)


def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model, as `forty models` names it.")],
    alias: Annotated[str, typer.Option("--alias", help="champion or challenger.")] = "champion",
    reason: _Reason = "",
    as_json: AsJson = False,
) -> None:
    """Move an alias back to the version it was at before."""
    from fortydays.registry.names import check_name
    from fortydays.registry.promotion import roll_back

    settings = read_settings()
    check_name(name)
    move = roll_back(name, alias, opened(settings), settings, reason=reason)
    if as_json:
        streams.print_json({"name": name, "move": move.as_dict()})
    else:
        typer.echo(f"{name}@{move.version} is the {alias} again; it was version {move.before}.")


def retire(
    version: _Version,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Mark a version as never to be used again; its files stay for the record."""
    from fortydays.registry.names import parse_version
    from fortydays.registry.promotion import retire as mark

    reference = parse_version(version)
    done = mark(reference, opened(read_settings()), reason=reason)
    if as_json:
        streams.print_json({"version": done.as_dict()})
    else:
        typer.echo(f"{done} is retired: {done.retired}")


# ------------------------------------------------------------------------------------------------------------- lineage


def lineage(model: _Model, as_json: AsJson = False) -> None:
    """Print what a version is made of, as a tree: data, recipe, code, packages, run, evidence."""
    from fortydays.registry.names import parse_reference
    from fortydays.registry.promotion import documents_of
    from fortydays.registry.scratch import scratch

    settings, reference = read_settings(), parse_reference(model)
    registry = opened(settings)
    version = registry.find(reference)
    with scratch(settings) as folder:
        registry.fetch(version, folder / "version")
        found, _ = documents_of(folder / "version", version)
    if as_json:
        streams.print_json({"version": version.as_dict(), "lineage": found})
        return
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(str(version), style="bold"))
    for heading, lines in _branches(found).items():
        branch = tree.add(Text(heading))
        for line in filter(None, lines):
            branch.add(Text(line))
    streams.console().print(tree)


_NOTHING: tuple[Any, ...] = (None, {}, 0, "none")
"""Values of a recipe that say that something is not done."""


def _branches(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """The tree's branches, each with its leaves; an empty leaf is none."""
    from fortydays.data.own.dataset import label_of

    dataset, study, trial, run = found["dataset"], found["study"], found["trial"], found["run"]
    code, machine, version, metrics = found["code"], found["machine"], dataset.get("data_version"), trial["metrics"]
    commit = f"commit {code['commit']}, {'clean' if code['clean'] else 'with changes'}" if "commit" in code else ""
    day = f"day {study['day']}" if study["day"] else "one of your own"
    computed = f"{machine['backend']} on {counted(machine['threads'], 'thread')}"
    return {
        f"dataset {dataset['name']}, version {dataset['version']}": [
            f"SHA-256 {dataset['digest']}",
            f"data version {label_of(version)}, SHA-256 {version['digest']}" if version else "",
            f"splits {dataset['split_version']}: {dataset['train']:,} training, {dataset['validation']:,} validation, "
            f"{dataset['test']:,} test",
        ],
        f"study {study['name']} ({day}), variant {study['variant']}, seed {trial['seed']}": [
            "" if study["day"] else f"file {study['file']}",
            *(f"{claim['verdict']}: {claim['claim']}" for claim in found["claims"]),
        ],
        "recipe": [f"{name} {_value(value)}" for name, value in found["recipe"].items() if value not in _NOTHING],
        f"trained in {trial['precision']}, {counted(trial['epochs'], 'epoch')}, {trial['train_seconds']:.1f} s": [
            f"weights {trial['weights_digest']}",
            f"{trial['parameters']:,} parameters",
            *(
                f"{split} accuracy {100 * metrics[f'{split}_accuracy']:.2f}%"
                for split in ("train", "validation", "test")
            ),
        ],
        f"code fortydays {code['version']}": [
            commit or "no commit was recorded",
            f"study {code['study']}",
            f"engine {code['engine']}",
        ],
        "packages": [f"{name} {which}" for name, which in {**found["packages"], **found.get("export", {})}.items()],
        f"machine {machine['cpu_model'] or 'unknown'}": [
            f"{machine['system']}, Python {machine['python']}",
            ", ".join(filter(None, [computed, machine.get("accelerator")])),
            f"instructions {', '.join(machine['flags'])}",
        ],
        f"run {run['id']}": [f"ended {run['ended']}"],
        "evidence": [f"SHA-256 {found['evidence']['digest']}"],
    }


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def reproduce(
    model: _Model,
    study: Annotated[str, typer.Option("--study", metavar="FILE", help="The study, if it is one of your own.")] = "",
    as_json: AsJson = False,
) -> int:
    """Train a version's model again: are the weights the same bits?

    Where machine or program differ, they cannot be; then the accuracies are compared. Exit code 3 where neither holds.
    """
    from fortydays.registry.names import parse_reference
    from fortydays.registry.reproduction import reproduce as again

    settings, reference = read_settings(), parse_reference(model)
    with working("Stopped. The version is as it was.") as progress:
        done = again(reference, opened(settings, progress), settings, progress=progress, study_file=study)
    if as_json:
        metrics = {
            name: {"then": then, "now": now, "tolerance": tolerance}
            for name, (then, now, tolerance) in done.metrics.items()
        }
        document = {"version": done.version.as_dict(), "same_bits": done.same_bits, "agrees": done.agrees}
        document |= {"changed": list(done.changed), "metrics": metrics, "weights_digest": done.weights_digest}
        streams.print_json(document)
    elif done.same_bits:
        typer.echo(f"{done.version} is reproduced: the weights are the same, bit for bit.")
    else:
        within = {name: abs(now - then) <= tolerance for name, (then, now, tolerance) in done.metrics.items()}
        said = "agree" if all(within.values()) else "do not agree"
        typer.echo(f"{done.version}: other weights; the accuracies {said}.")
        for name, (then, now, tolerance) in done.metrics.items():
            typer.echo(
                f"  {name.replace('_', ' ')}: {100 * then:.2f}% then, {100 * now:.2f}% now "
                f"(within {100 * tolerance:.2f} points: {'yes' if within[name] else 'no'})"
            )
        unknown = "Nothing that is known of the two trainings differs, so the weights should be the same."
        for sentence in done.changed or (unknown,):
            typer.echo(f"  {sentence}")
    return int(ExitCode.DONE if done.agrees else ExitCode.NOT_MET)
