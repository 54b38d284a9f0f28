"""The notes of the days: complete lessons whose numbers all come from evidence."""

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from fortydays.days.journey import JOURNEY, Day, find_day, is_ready
from fortydays.days.loading import find_study, is_study_file, load_study
from fortydays.report.formulas import as_code, as_text, formulas_of, with_formulas
from fortydays.report.notes import NOTHING_YET, escape, read_figures, read_notes, render_notes, to_html
from fortydays.report.results import read_results
from fortydays.report.typesetting import typeset
from fortydays.study.design import Study, steps_metric
from fortydays.study.evidence import published, summarize

READY = [day for day in JOURNEY if is_ready(day)]
SECTIONS = [
    "The question",
    "The idea",
    "How the study tests it",
    "What came out",
    "Try it",
    "Check yourself",
    "Sources",
]
VERDICTS = ("supported", "refuted", "undecided")

# Percentages that a day's notes may hold as text, because they are no measurements: what the journal promises, the
# bound of a claim or a target, and the 95% of the confidence intervals.
NOT_MEASURED = {
    1: {"97%", "95%"},
    2: {"95%", "2%", "7%", "16%", "27%", "28%"},  # the bends of the activations are computed below
    3: {"98%", "97.5%"},
    4: {"98%", "99.9%", "60%"},
    5: {"70%"},
    6: {"80%"},
    7: {"82%"},
    8: {"65%", "70%"},
    9: {"90%"},
    10: {"92%", "95%", "93%"},  # the last is the lower end of Wilson's interval for 50 of 50
    12: {"86%", "88%"},
    13: {"77%", "79%"},
    14: {"89%", "91%", "94%"},  # the last is what Jordan (2024) reports
    15: {"85%", "88%"},
    16: {"85%"},
    18: {"86%", "88%"},
    19: {"90%", "95%"},
    20: {"91%"},
    21: {"89%"},
    22: {"92%", "94%"},
}
PERCENTAGE = re.compile(r"\d+(?:\.\d+)?%")
OTHER_MEASUREMENT = re.compile(r"\d+(?:\.\d+)? (?:percent|points?)\b|\b0\.[6-9]\d+")
PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
CODE_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ANSWER = re.compile(r"(?:^ +>.*\n?)+", re.MULTILINE)
WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")

each_ready_day = pytest.mark.parametrize("day", READY, ids=lambda day: f"day{day.number}")


def text_of(day: Day) -> str:
    notes = read_notes(day)
    assert notes is not None, f"Day {day.number} has a study and no notes.md."
    return notes.text


@cache
def study_of(day: Day) -> Study:
    return load_study(find_study(str(day.number)), threads=1).study


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def prose(text: str) -> str:
    """The sentences, without code, formulas and tables."""
    without = with_formulas(CODE_BLOCK.sub("", text), lambda *_: "")
    return re.sub(r"^\|.*\n", "", PLACEHOLDER.sub("", without), flags=re.MULTILINE)


def typed_measurements(text: str, *, allowed: set[str]) -> list[str]:
    """What looks like a measured share and is typed, in prose, code and the texts inside placeholders."""
    return [found for found in PERCENTAGE.findall(text) if found not in allowed] + OTHER_MEASUREMENT.findall(text)


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every ``forty`` command quoted in the notes, inline or on a line of a code block."""
    inline = re.findall(r"`(forty [^`]+)`", CODE_BLOCK.sub("", text))
    lines = [line.removeprefix("$ ") for block in CODE_BLOCK.findall(text) for line in block.splitlines()]
    for command in [*inline, *(line for line in lines if line.startswith("forty "))]:
        yield shlex.split(command)[1:]


def made_up_evidence(day: Day, verdicts: Mapping[int, str], *, default: str) -> dict[str, Any]:
    """An evidence document for a day's study whose numbers were never measured and whose verdicts are given.

    Args:
        day: whose study.
        verdicts: by the claim's number, counted from 1.
        default: the verdict on the other claims.
    """
    study = study_of(day)
    trials = [
        {
            "variant": variant.name,
            "seed": seed,
            "status": "finished",
            "error": "",
            "metrics": {
                **dict.fromkeys(("test_accuracy", "train_accuracy", "validation_accuracy"), 0.5 + 0.01 * seed),
                **dict.fromkeys(("test_loss", "train_loss", "validation_loss"), 1.5),
                "accuracy_gap": 0.01 * (seed + 1),
                **{steps_metric(target): 10.0 * (seed + 1) for target in study.targets},
                **{measure.name: 1e-7 for measure in study.measures if variant.name in measure.variants},
            },
            "train_seconds": 1.0,
            "epochs": 3 + seed,
            "best_epoch": 2,
            "weights_digest": "ab" * 32,
            "history": {},
        }
        for variant in study.variants
        for seed in (0, 1, 2)
    ] + [
        {
            "variant": drill.name,
            "seed": seed,
            "status": "finished",
            "error": "",
            "metrics": {metric.name: 0.5 + 0.01 * seed for metric in drill.measured},
            "train_seconds": 1.0,
            "epochs": 0,
            "best_epoch": 0,
            "weights_digest": "",
            "history": {},
        }
        for drill in study.drills
        for seed in (0, 1, 2)
    ]  # fmt: skip
    interval = {"mean": 0.5, "std": 0.1, "low": 0.4, "high": 0.6, "n": 2}
    return {
        "schema_version": 1,
        "day": day.number,
        "name": day.slug,
        "title": study.title,
        "created": "2026-11-22T14:03:11Z",
        "run_id": f"day{day.number:02}-20261122-140311-beef",
        "dataset": study.dataset and {
            "name": study.dataset, "digest": "5ec0ffee" * 8, "split_version": 1, "classes": list("0123456789"),
            "train": 55000, "validation": 5000, "test": 10000,
        },
        "seeds": [0, 1, 2],
        "request": {"seeds": [0, 1, 2], "only": [], "settings": [], "engine": "compiled"},
        "code": {"study": "ab" * 32, "engine": "cd" * 32, "version": "0.1.0"},
        "packages": {"keras": "3.15.1"},
        "machine": {
            "cpu_model": "Made-up processor", "cores": 2, "flags": [], "system": "Linux x86_64", "python": "3.11.7",
        },
        "threads": 2,
        "backend": "tensorflow",
        "details": {
            variant.name: {
                "description": variant.description,
                "group": variant.group,
                "parameters": 1234,
                "multiply_adds": 5678,
                "precision": "float32",
                "recipe": variant.recipe.as_dict(),
                "search": variant.search
                and {
                    "field": variant.search.field,
                    "seeds": list(variant.search.seeds),
                    "tries": [{"value": v, "validation_accuracy": interval} for v in variant.search.values],
                    "chosen": variant.search.values[0],
                    "at_edge": True,
                    "failed": [],
                },
            }
            for variant in study.variants
        } | {drill.name: drill.as_dict() for drill in study.drills},
        "trials": trials,
        "variants": summarize(trials),
        "claims": [
            {
                "claim": claim.sentence, "condition": "made up", "verdict": verdicts.get(number, default),
                "value": 0.5, "low": 0.4, "high": 0.6, "n": 3, "bound": 0.5, "unit": "share",
                "seeds_needed": None, "note": "",
            }
            for number, claim in enumerate(study.standing, 1)
        ],
        "withdrawn": [{"claim": w.claim, "reason": w.reason} for w in study.withdrawals],
        "exhibits": [],
        "seconds": {"total": 3.0, "training": 2.0, "compilation": 1.0},
        "results_digest": "ef" * 32,
    }  # fmt: skip


def rendered(day: Day, evidence: dict[str, Any]) -> str:
    text = render_notes(text_of(day), evidence, file=f"day {day.number}, notes.md")
    in_characters = as_code(text)  # TeX has braces beside each other, too
    for left_over in ("{{", "}}", "{%", "%}", NOTHING_YET, "None"):
        assert left_over not in in_characters
    return text


def test_the_search_for_typed_measurements_finds_them() -> None:
    text = "Promised: 97%. It gave 97.6%, {{ 'or 98%' }}, 0.976 of all, 0.4 points more. Rate 0.01, momentum 0.9."
    assert typed_measurements(text, allowed={"97%"}) == ["97.6%", "98%", "0.976", "0.4 points"]


def test_the_search_for_commands_finds_them_in_sentences_and_in_blocks() -> None:
    text = 'Run `forty run 2 --only "one layer"` or:\n\n```text\nW x + b\n$ forty runs\nforty show 2\n```\n'
    assert list(commands(text)) == [["run", "2", "--only", "one layer"], ["runs"], ["show", "2"]]


@each_ready_day
def test_the_notes_begin_with_their_day_and_have_every_section_in_order(day: Day) -> None:
    text = text_of(day)
    assert text.splitlines()[0] == f"# Day {day.number}. {day.title}"
    headings = re.findall(r"^#+ (.+)$", CODE_BLOCK.sub("", text), re.MULTILINE)
    assert headings[1:] == SECTIONS
    for title in SECTIONS:
        assert section(text, title).strip()


@each_ready_day
def test_the_notes_are_a_lesson_and_neither_a_remark_nor_a_chapter(day: Day) -> None:
    # Questions and answers come after the lesson, and are not read through.
    lesson = text_of(day).replace(section(text_of(day), "Check yourself"), "")
    assert 500 <= len(WORD.findall(prose(lesson))) <= 1100


@each_ready_day
def test_no_measured_number_is_typed_by_hand(day: Day) -> None:
    assert typed_measurements(text_of(day), allowed=NOT_MEASURED.get(day.number, set())) == []


def test_the_bends_that_the_notes_of_day_2_tell_are_those_of_the_study() -> None:
    from fortydays.lessons.day02_activations.study import BENDS

    text = text_of(next(day for day in READY if day.number == 2))
    told = re.findall(r"^\| `?(.+?)`? \| [^|]* \| (\d+)% \|$", as_code(render_notes(text, None)), re.MULTILINE)
    names = {"4 σ(z) − 2": "stretched", "σ(4z) − 1/2": "squeezed"}
    assert {names.get(name, name.lower()): int(share) for name, share in told} == {
        name: round(100 * share) for name, share in BENDS.items()
    }


@each_ready_day
def test_code_blocks_fit_a_terminal(day: Day) -> None:
    for block in CODE_BLOCK.findall(text_of(day)):
        for line in block.splitlines():
            assert len(PLACEHOLDER.sub("123,456", line)) <= 76, line


def filled_formulas(day: Day) -> list[tuple[str, bool]]:
    return formulas_of(rendered(day, made_up_evidence(day, {}, default="supported")))


LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "epsilon": "ε", "eta": "η", "lambda": "λ", "mu": "μ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "varphi": "φ", "Phi": "Φ", "partial": "∂", "sum": "Σ", "sqrt": "√", "hat": "\u0302",
    "leftarrow": "←", "cdot": "·", "times": "×", "pm": "±", "frac": "/", "dfrac": "/",
}  # fmt: skip
SILENT = {"begin", "end", "aligned", "text", "operatorname", "left", "right", "quad", "qquad"}


def signs_of_tex(tex: str) -> Counter[str]:
    """The signs of a formula, counted without its structure, and without brackets and commas."""
    words = re.findall(r"\\([A-Za-z]+)", re.sub(r"\\(?:begin|end)\{aligned\}|\[[\d.]*em\]", "", tex))
    found = Counter(LETTERS[word] for word in words if word in LETTERS)
    found.update("".join(word for word in words if word not in LETTERS and word not in SILENT))
    rest = re.sub(r"\\(?:begin|end)\{aligned\}|\\\\\[[\d.]*em\]|\\[A-Za-z]+|\\.", "", tex).replace("-", "−")
    # A hyphen between letters of a text is no minus.
    found.update(each for each in rest if each not in " \n{}&_^()[],")
    return found


def signs_of_text(text: str) -> Counter[str]:
    plain = unicodedata.normalize("NFKD", text).replace("-", "−").replace("⁺", "+")
    return Counter(each for each in plain if each not in " \n^()[],")


@each_ready_day
def test_no_sign_of_a_formula_is_lost_in_a_terminal(day: Day) -> None:
    found = filled_formulas(day)
    assert found
    for tex, block in found:
        text = as_text(tex)
        assert signs_of_text(text) == signs_of_tex(tex), (tex, text)
        assert block or "\n" not in text
        for line in text.splitlines():
            assert len(line) <= 76, line


def test_a_lost_sign_would_be_found() -> None:
    assert signs_of_tex(r"\frac{\hat{m}_1}{x^2} - 3") == signs_of_text("m̂₁ / x² − 3")
    assert signs_of_tex(r"\frac{\hat{m}_1}{x^2} - 3") != signs_of_text("m̂₁ / x − 3")
    assert signs_of_tex(r"\sqrt{a} + b") != signs_of_text("a + b")


@each_ready_day
def test_every_formula_can_be_typeset_and_the_page_finds_the_same(day: Day) -> None:
    text = rendered(day, made_up_evidence(day, {}, default="supported"))
    seen: list[tuple[str, bool]] = []

    def shown(tex: str, block: bool) -> str:
        seen.append((tex, block))
        return typeset(tex, block)

    html = to_html(text, read_figures(day), formula=shown)
    assert seen == formulas_of(text)
    assert html.count('class="formula" data-said=') == len(seen)
    assert "$" not in re.sub(r"<[^>]*>|<annotation.*?</annotation>", "", html)


@each_ready_day
def test_formulas_are_written_in_tex_alone(day: Day) -> None:
    text = with_formulas(CODE_BLOCK.sub("", text_of(day)), lambda *_: "")
    written = re.sub(r"^!\[.*?\]\(\w+\)$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"[α-ωΦ∂ŷ²√₁₂ₖⱼᵢ←]", written) == []


@each_ready_day
def test_there_are_three_to_five_exercises_with_commands_to_try(day: Day) -> None:
    exercises = section(text_of(day), "Try it")
    assert 3 <= len(re.findall(r"^\d\. ", exercises, re.MULTILINE)) <= 5
    assert sum(arguments[0] == "run" for arguments in commands(exercises)) >= 3


@each_ready_day
def test_there_are_questions_to_check_oneself_with_and_answers_that_are_folded(day: Day) -> None:
    questions = re.split(r"^- ", section(text_of(day), "Check yourself"), flags=re.MULTILINE)[1:]
    assert 5 <= len(questions) <= 8
    for question in questions:
        asked, *answers = ANSWER.split(question)
        assert asked.strip().endswith(("?", "."))
        assert "?" in asked
        assert [each.strip() for each in answers] == [""], question
    html = to_html(section(text_of(day), "Check yourself"))
    assert html.count("<details>\n<summary>Answer</summary>") == len(questions)


@each_ready_day
def test_the_notes_show_a_few_lines_of_the_code_that_makes_what_they_explain(day: Day) -> None:
    from fortydays import models
    from fortydays.train.recipe import Recipe

    blocks = re.findall(r"^```python\n(.*?)^```$", text_of(day), re.DOTALL | re.MULTILINE)
    assert blocks
    modules = Path(models.__file__).parent.glob("*.py")
    sources = "".join(path.read_text("utf-8") for path in [find_study(str(day.number)).path, *modules])
    for block in blocks:
        called = re.findall(r"((?:layers\.|regularizers\.|\b)[A-Za-z]\w*\()", block)
        assert called
        assert [name for name in called if name not in sources] == []
        for fields in re.findall(r"(?:Recipe|replace)\((.*?)\)", block, re.DOTALL):
            assert set(re.findall(r"(\w+)=", fields)) <= set(Recipe(epochs=1).as_dict())


@each_ready_day
def test_the_notes_show_every_figure_of_their_day_and_no_other(day: Day) -> None:
    figures = read_figures(day)
    html = to_html(render_notes(text_of(day), None), figures)
    assert html.count('<figure>\n<svg role="img"') == html.count("<figcaption>") == len(figures)
    for name, draw in figures.items():
        assert f"]({name})" in text_of(day)
        assert draw() == draw()
        assert len(draw()) < 40_000


@each_ready_day
def test_the_sources_are_papers_with_their_years_and_the_chapter_of_the_book(day: Day) -> None:
    sources = section(text_of(day), "Sources")
    papers = re.findall(r"^- .+? \((?:19|20)\d\d\), ", sources, re.MULTILINE)
    assert len(papers) >= 3
    assert "Géron, *Hands-On Machine Learning with Scikit-Learn, Keras & TensorFlow*, 3rd edition" in sources
    assert re.search(r"chapter\s\d", sources)


@each_ready_day
def test_every_quoted_command_can_be_given(day: Day) -> None:
    from fortydays.cli.main import app

    group = typer.main.get_command(app)
    known = group.commands  # type: ignore[attr-defined]
    for arguments in commands(text_of(day)):
        name, *rest = arguments
        assert name in known, f"There is no command `forty {name}`."
        given = known[name].make_context(name, list(rest)).params
        if "day" not in given or is_study_file(given["day"]):
            continue
        named = find_day(given["day"])
        if name != "run":
            continue
        variants, _ = study_of(named).select(tuple(given["only"] or ()))
        for setting in given["settings"] or ():
            for variant in variants:
                assert variant.recipe.with_settings([setting]) is not None


@each_ready_day
def test_the_notes_render_with_the_published_evidence(day: Day) -> None:
    evidence = published().read(day.number)
    if evidence is None:
        pytest.skip(f"day {day.number} has no published evidence yet")
    text = rendered(day, evidence)
    for claim in read_results(evidence).claims:
        beside = ["marginal"] * claim.marginal + ["flagged"] * bool(claim.flags)
        word = f"{claim.word} ({', '.join(beside)})" if beside else claim.word
        assert f"*{escape(claim.claim)}*: **{word}**" in text


@each_ready_day
@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_claim_is_told_with_its_verdict_whatever_it_is(day: Day, verdict: str) -> None:
    text = rendered(day, made_up_evidence(day, {}, default=verdict))
    for claim in study_of(day).standing:
        assert f"*{escape(claim.sentence)}*: **{verdict}**" in text
    for withdrawal in study_of(day).withdrawals:
        assert f"**Withdrawn**: *{escape(withdrawal.claim)}*. {escape(withdrawal.reason)}" in text


@each_ready_day
def test_the_notes_can_be_read_with_every_mixture_of_two_verdicts(day: Day) -> None:
    numbers = range(1, len(study_of(day).standing) + 1)
    for default in VERDICTS:
        rendered(day, made_up_evidence(day, {}, default=default))
        for number in numbers:
            for verdict in set(VERDICTS) - {default}:
                rendered(day, made_up_evidence(day, {number: verdict}, default=default))


@each_ready_day
def test_what_is_said_of_the_results_depends_on_the_verdicts(day: Day) -> None:
    said = {
        section(rendered(day, made_up_evidence(day, {}, default=verdict)), "What came out").replace(verdict, "so")
        for verdict in VERDICTS
    }
    assert len(said) == len(VERDICTS)


@each_ready_day
def test_before_there_is_evidence_the_notes_say_so_and_can_be_read(day: Day) -> None:
    text = render_notes(text_of(day), None)
    assert text.startswith("*This day has no evidence yet")
    assert "{{" not in text


@each_ready_day
def test_the_notes_become_a_page_with_their_tables_and_lists(day: Day) -> None:
    html = to_html(rendered(day, made_up_evidence(day, {}, default="supported")), read_figures(day))
    assert html.count("<h3>") == len(SECTIONS)
    assert "<table>" in section_of_page(html, "What came out")
    assert "<ol>" in section_of_page(html, "Try it")
    assert "**" not in html


def section_of_page(html: str, title: str) -> str:
    return html.partition(f"<h3>{title}</h3>")[2].partition("<h3>")[0]
