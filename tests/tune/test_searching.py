"""A search is the same whoever trains its tries and in whatever order they end, and goes on where it was stopped.

A made-up executor gives accuracies that one can compute by hand, so nothing is trained here but where it says so.
"""

import dataclasses
import itertools
import math
import re
import sys
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
import tiny_study
import worker_pool
from tiny_study import Watch

from fortydays.base.errors import FortydaysError, StudyChangedError, TrainingFailedError, UsageError
from fortydays.base.files import read_json
from fortydays.base.settings import Settings
from fortydays.days.loading import find_study, load_study, load_study_of
from fortydays.study.design import Search, Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.executor import Callbacks
from fortydays.study.plan import Request, StudySource
from fortydays.study.runner import StudyInterruptedError
from fortydays.study.trial import TrialOutcome, TrialSpec, trial_result
from fortydays.train.recipe import Recipe
from fortydays.tune.found import Ending, Found
from fortydays.tune.request import TuneRequest, tuning_seeds, variant_of
from fortydays.tune.searching import Tuned, tune
from fortydays.tune.space import Space

STUDY = Study(
    title="Tuned",
    dataset="digits",
    variants=(Variant(name="one", model=tiny_study.linear, recipe=Recipe(epochs=4, batch_size=64)),),
    claims=(),
    seeds=(0, 1, 1001),
)
SETTINGS = ("learning_rate=1e-3..10:log", "epochs=3..8", "optimizer=adam,sgd")
REQUEST = TuneRequest(settings=SETTINGS, candidates=14, width=6)


def accuracy_of(recipe: Recipe, seed: int) -> float | None:
    """The made-up accuracy: best at a learning rate of 0.1, better with more epochs; above 2 it fails."""
    if recipe.learning_rate > 2:
        return None
    away = abs(math.log10(recipe.learning_rate) + 1)
    return round(0.9 - 0.1 * away - 0.2 / recipe.epochs - (seed - 1000) / 1e4, 6)


class MadeUp:
    """An executor with so many workers, of which the one that began last is done first."""

    def __init__(self, workers: int = 1, *, stop_after: int | None = None) -> None:
        self.workers, self.stop_after = workers, stop_after
        self.seen: list[TrialSpec] = []
        self.begun = self.ended = 0

    def map(self, specs: deque[TrialSpec], callbacks: Callbacks) -> Generator[TrialOutcome, None, None]:
        self.begun += 1
        try:
            yield from self._outcomes(specs, callbacks)
        finally:
            self.ended += 1

    def look(self, specs: deque[TrialSpec]) -> None:
        """Called with what waits, before some of it is begun."""

    def _outcomes(self, specs: deque[TrialSpec], callbacks: Callbacks) -> Generator[TrialOutcome, None, None]:
        while specs:
            self.look(specs)
            running = [specs.popleft() for _ in range(min(self.workers, len(specs)))]
            for spec in running:
                callbacks.started(spec, 10)
                callbacks.report(spec, 5, 10, 0.1, 0.9)
            for spec in reversed(running):
                if self.stop_after is not None and len(self.seen) == self.stop_after:
                    raise KeyboardInterrupt
                self.seen.append(spec)
                yield self.outcome(spec)

    def outcome(self, spec: TrialSpec) -> TrialOutcome:
        assert spec.recipe is not None
        accuracy = accuracy_of(spec.recipe, spec.seed)
        if accuracy is None:
            return TrialOutcome(spec=spec, result=trial_result(spec, status="failed", error="The loss became nan."))
        return TrialOutcome(spec=spec, result=trial_result(spec, metrics={"validation_accuracy": accuracy}))


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture
def settings(keras: Any, tmp_path: Path, datasets: Path) -> Settings:
    return tiny_study.settings(tmp_path / "home", datasets=datasets)


def searched(
    settings: Settings, executor: Any, request: TuneRequest = REQUEST, *, study: Study = STUDY, **options: Any
) -> Tuned:
    watch = options.pop("watch", None) or Watch()
    return tune(tiny_study.source(study), request, settings, progress=watch, executor=executor, **options)


def without_time(found: Found) -> dict[str, Any]:
    return dataclasses.replace(found, created="").as_dict()


def test_the_search_is_the_same_with_1_2_and_4_workers(settings: Settings, tmp_path: Path) -> None:
    told = []
    for workers in (1, 2, 4):
        home = dataclasses.replace(settings, workspace=tmp_path / f"{workers}")
        executor = MadeUp(workers)
        told.append(without_time(searched(home, executor).found))
        assert len({spec.digest for spec in executor.seen}) == len(executor.seen)
    assert told[0] == told[1] == told[2]


def test_what_is_found_follows_from_the_tries(settings: Settings) -> None:
    executor = MadeUp(2)
    found = searched(settings, executor).found
    assert found.divisors == (3, 1)
    assert [each.number for each in found.candidates] == list(range(1, 15))
    for first in (0, 6, 12):
        batch = found.candidates[first : first + 6]
        # Of six two go on, of the last two one; those are the best after a third of their epochs.
        ranked = sorted(
            (each for each in batch if each.ending != Ending.FAILED), key=lambda each: -(each.reached[0].accuracy or 0)
        )
        on = -(-len(batch) // 3)
        assert {each.number for each in batch if each.ending == Ending.FINISHED} == {e.number for e in ranked[:on]}
        for each in batch:
            epochs, rate = each.values["epochs"], each.values["learning_rate"]
            assert isinstance(epochs, int)
            assert isinstance(rate, float)
            assert each.reached[0].epochs == -(-epochs // 3)
            assert (each.ending == Ending.FAILED) == (rate > 2)
            if each.ending == Ending.FINISHED:
                assert each.reached[1].epochs == epochs
                assert each.accuracy == accuracy_of(Recipe(epochs=epochs, learning_rate=rate), 1000)
    assert found.count("failed") > 0
    finished = sorted((e for e in found.candidates if e.ending == Ending.FINISHED), key=lambda e: -(e.accuracy or 0))
    assert [each.number for each in found.finalists] == [each.number for each in finished[:2]]
    assert found.chosen.accuracies == tuple(
        round((found.chosen.accuracies[0] or 0) - (seed - 1000) / 1e4, 6) for seed in found.seeds
    )
    assert found.before.values == {"learning_rate": 0.001, "epochs": 4, "optimizer": "adam"}
    assert found.before.accuracies[0] == pytest.approx(0.9 - 0.2 - 0.05)
    assert found.gain == pytest.approx(found.chosen.spread.mean - found.before.spread.mean)  # type: ignore[union-attr]


def test_tries_see_no_test_example_and_no_seed_that_is_reported(settings: Settings) -> None:
    executor = MadeUp()
    found = searched(settings, executor).found
    assert found.seeds == (1000, 1002, 1003, 1004)  # 1001 is reported by this study
    assert {spec.seed for spec in executor.seen} == set(found.seeds)
    assert all(spec.validation_only for spec in executor.seen)
    assert not (settings.workspace / "openings.jsonl").exists()


def test_what_shares_a_compiled_program_is_handed_out_together(settings: Settings) -> None:
    class First(MadeUp):
        looks = 0

        def look(self, specs: deque[TrialSpec]) -> None:
            optimizers = [spec.recipe.optimizer for spec in specs if spec.recipe]
            assert sum(a != b for a, b in itertools.pairwise(optimizers)) < 2
            self.looks += len(set(optimizers)) > 1

    searched(settings, executor := First())
    assert executor.looks


def test_what_an_executor_has_started_trains_the_whole_search_and_is_let_go(settings: Settings) -> None:
    searched(settings, executor := MadeUp(2))
    assert (executor.begun, executor.ended) == (1, 1)
    with pytest.raises(StudyInterruptedError):
        searched(settings, stopped := MadeUp(2, stop_after=3), fresh=True)
    assert (stopped.begun, stopped.ended) == (1, 1)


def test_a_try_that_is_lost_ends_the_search_and_is_no_failed_candidate(settings: Settings, tmp_path: Path) -> None:
    class Loses(MadeUp):
        def outcome(self, spec: TrialSpec) -> TrialOutcome:
            if len(self.seen) < 5:
                return super().outcome(spec)
            result = trial_result(spec, status="failed", error="3 workers have ended by themselves.")
            return TrialOutcome(spec=spec, result=result, hint="Is there memory?", lost=True)

    whole = searched(dataclasses.replace(settings, workspace=tmp_path / "whole"), MadeUp())
    watch = Watch()
    with pytest.raises(TrainingFailedError) as raised:
        searched(settings, loses := Loses(2), watch=watch)
    assert re.fullmatch(
        r"candidate \d, \d epochs? could not be trained: 3 workers have ended by themselves\.", raised.value.message
    )
    assert raised.value.hint == "4 tries are done and kept. Is there memory?"
    assert loses.ended == 1
    assert "stopped" in watch.notes.values()
    assert without_time(searched(settings, MadeUp()).found) == without_time(whole.found)


def test_a_stopped_search_goes_on_with_the_same_command_and_finds_the_same(settings: Settings, tmp_path: Path) -> None:
    whole = searched(dataclasses.replace(settings, workspace=tmp_path / "whole"), every := MadeUp())
    first = MadeUp(stop_after=5)
    with pytest.raises(StudyInterruptedError, match=r"Stopped\. 5 tries are done and kept\."):
        searched(settings, first)
    watch = Watch()
    rest = MadeUp(4)
    done = searched(settings, rest, watch=watch)
    assert watch.said[0] == "Going on with the search: 5 tries are done and kept."
    assert without_time(done.found) == without_time(whole.found)
    assert sorted(s.digest for s in (*first.seen, *rest.seen)) == sorted(s.digest for s in every.seen)
    assert read_json(done.folder.document)["state"] == "finished"


def test_a_finished_search_trains_nothing_again_but_with_fresh(settings: Settings) -> None:
    first, again, anew = MadeUp(), MadeUp(), MadeUp()
    done = searched(settings, first)
    told = searched(settings, again)
    assert told.trained == 0
    assert again.seen == []
    assert told.found == done.found
    searched(settings, anew, fresh=True)
    assert len(anew.seen) == len(first.seen)
    assert [path.name.partition(".earlier-")[0] for path in sorted(done.folder.path.glob("*.earlier-*"))] == [
        "search.json",
        "tries.json",
    ]


def test_more_candidates_are_the_same_search_continued(settings: Settings) -> None:
    few = searched(settings, MadeUp(), dataclasses.replace(REQUEST, candidates=12))
    more = searched(settings, rest := MadeUp(), dataclasses.replace(REQUEST, candidates=18))
    assert more.found.candidates[:12] == few.found.candidates
    assert len(more.found.candidates) == 18
    assert 0 < len(rest.seen) < 18


def test_progress_counts_whole_trainings_to_the_end(settings: Settings) -> None:
    watch = Watch()
    searched(settings, MadeUp(3), watch=watch)
    assert watch.running == {}
    # Batches of 6, 6 and 2, each a third of the epochs and then a third of it all; finals of 2 x 3 and 4.
    assert watch.done["search"] == pytest.approx(6 / 3 + 2 + 6 / 3 + 2 + 2 / 3 + 1 + 10)
    assert any(said.startswith("Batch 3 of 3: best so far ") for said in watch.said)
    assert "failed" in watch.notes.values()


def test_an_interrupted_search_of_other_code_is_refused_and_a_finished_one_made_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StudyInterruptedError):
        searched(settings, MadeUp(stop_after=2))
    with monkeypatch.context() as patched:
        patched.setattr("fortydays.study.plan.engine_digest", lambda: "other")
        with pytest.raises(StudyChangedError, match="cannot continue: the training engine changed since") as error:
            searched(settings, MadeUp())
        assert "--fresh" in error.value.hint
    searched(settings, MadeUp())
    monkeypatch.setattr("fortydays.study.plan.engine_digest", lambda: "other")
    watch = Watch()
    assert searched(settings, MadeUp(), watch=watch).trained > 0
    assert watch.said[0] == "The training engine changed since this search was made, so it begins anew."


def test_a_damaged_file_is_set_aside_and_its_tries_made_again(settings: Settings) -> None:
    done = searched(settings, every := MadeUp())
    done.folder.tries.write_text('{"tries": {"x": {"accuracy": "high", "error": ""}}}')
    watch = Watch()
    again = searched(settings, rest := MadeUp(), watch=watch)
    assert again.found == done.found
    assert len(rest.seen) == len(every.seen)
    assert "tries.json is damaged. It is kept as tries.json.damaged-" in watch.warned[0]
    done.folder.document.write_text("{")
    watch = Watch()
    assert searched(settings, MadeUp(), watch=watch).trained == 0
    assert "search.json.damaged-" in watch.warned[0]


def test_a_search_whose_candidates_all_fail_says_why(settings: Settings) -> None:
    request = TuneRequest(settings=("learning_rate=3..10",), candidates=4, width=2)
    with pytest.raises(TrainingFailedError, match=r"All 4 candidates failed: The loss became nan\.") as error:
        searched(settings, MadeUp(), request)
    assert "smaller learning rates" in error.value.hint


def test_what_trains_and_leaves_a_try_out_is_told(settings: Settings) -> None:
    class Lazy(MadeUp):
        def map(self, specs: deque[TrialSpec], callbacks: Callbacks) -> Generator[TrialOutcome, None, None]:
            specs.popleft()
            yield from super().map(specs, callbacks)

    with pytest.raises(FortydaysError, match="What trains has ended without candidate 1, "):
        searched(settings, Lazy())


def test_nothing_is_trained_where_that_is_prevented_at_the_start(settings: Settings) -> None:
    def refuse() -> None:
        raise UsageError("No.")

    with pytest.raises(UsageError, match=r"No\."):
        searched(settings, executor := MadeUp(), starting=refuse)
    assert executor.seen == []
    searched(settings, MadeUp())
    assert searched(settings, MadeUp(), starting=refuse).trained == 0


def test_a_batch_larger_than_the_data_is_told_before_any_training(settings: Settings) -> None:
    request = dataclasses.replace(REQUEST, settings=("batch_size=16..100000",))
    with pytest.raises(UsageError, match="The batch size is 100000, but the training split has"):
        searched(settings, executor := MadeUp(), request)
    assert executor.seen == []


def test_two_processes_do_not_work_on_one_search(settings: Settings) -> None:
    folder = searched(settings, MadeUp()).folder
    with folder.held(), pytest.raises(UsageError, match="Another process is working on this search"):
        searched(settings, MadeUp())


# ------------------------------------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": 1}, "--trials is 1; expected a whole number from 2 to 1000."),
        ({"candidates": 1001}, "--trials is 1001; expected"),
        ({"width": 0}, "--batch is 0; expected a whole number from 1 to 64."),
        ({"sampler_seed": -1}, "--seed is -1; expected"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError) as error:
        TuneRequest(settings=SETTINGS, **options)  # type: ignore[arg-type]
    assert message in error.value.message


def test_the_variant_must_be_one_that_has_a_recipe_which_nothing_else_chooses() -> None:
    recipe = Recipe(epochs=1)
    own = Search(field="learning_rate", values=(0.1, 0.2))
    count = Drill(name="drill", do=lambda bench: {"accuracy": 1.0}, metrics=("accuracy",), description="d")
    study = dataclasses.replace(
        STUDY,
        variants=(
            Variant(name="one", model=tiny_study.linear, recipe=recipe),
            Variant(name="searched", model=tiny_study.linear, recipe=recipe, search=own),
        ),
        drills=(count,),
        seeds=(0,),
    )
    space = Space.parse(["epochs=1..2"])

    def asked(variant: str, settings: tuple[str, ...] = ("epochs=1..2",)) -> Variant:
        return variant_of(study, TuneRequest(variant=variant, settings=settings), Space.parse(settings))

    for variant, message, hint in (
        ("", "has 2 variants; expected one of them", "Add --only VARIANT: one, searched."),
        ("onee", "There is no variant 'onee'. Did you mean 'one'?", "Known: one, searched."),
        ("drill", "'drill' is a drill, which has no recipe.", "Known: one, searched."),
        ("searched", "has a search of its own, which chooses its learning_rate", "--set learning_rate=0.1,0.2"),
    ):
        with pytest.raises(UsageError) as error:
            asked(variant)
        assert message in error.value.message
        assert hint in error.value.hint
    assert asked("searched", ("learning_rate=0.1..1",)).name == "searched"
    assert variant_of(STUDY, REQUEST, space).name == "one"


def test_a_study_never_reports_the_seeds_that_its_recipe_was_chosen_with() -> None:
    assert tuning_seeds(STUDY) == (1000, 1002, 1003, 1004)
    variant = dataclasses.replace(STUDY.variants[0], tuning_seeds=(1000, 1002))
    with pytest.raises(UsageError, match="chooses settings with seeds it also reports: 1000"):
        dataclasses.replace(STUDY, variants=(variant,), seeds=(0, 1000))
    study = dataclasses.replace(STUDY, variants=(variant,), seeds=(0, 999))
    assert Request(seeds=4).seeds_of(study) == (0, 999, 1001, 1003)
    with pytest.raises(UsageError, match="chooses settings with the seeds 1000: they are not reported"):
        Request(seeds=range(999, 1002)).seeds_of(study)


# ------------------------------------------------------------------------------------------------------ real trainings


def test_real_tries_are_judged_on_the_validation_split_and_a_failed_one_is_no_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sealed(*_: Any) -> Any:
        raise AssertionError("the test split was opened")

    monkeypatch.setattr("fortydays.data.arrays.SealedSplit.open", sealed)
    request = TuneRequest(settings=("learning_rate=0.01,1e30", "epochs=1..3"), candidates=4, width=4)
    variant = dataclasses.replace(STUDY.variants[0], model=tiny_study.hidden)
    found = searched(settings, None, request, study=dataclasses.replace(STUDY, variants=(variant,))).found
    assert {e.ending for e in found.candidates if e.values["learning_rate"] == 1e30} == {Ending.FAILED}
    assert found.chosen.values["learning_rate"] == 0.01
    assert found.chosen.spread is not None
    assert found.chosen.spread.mean > 0.3


FILE = """
from keras import Input, Sequential, layers

from fortydays.study.design import Study, Variant
from fortydays.train.recipe import Recipe


def network():
    return Sequential([Input((8, 8)), layers.Flatten(), layers.Dense(10, activation="softmax")])


study = Study(
    title="Own",
    dataset="digits",
    variants=(Variant(name="plain", model=network, recipe=Recipe(epochs=3, batch_size=64)),),
    claims=(),
    seeds=(0, 1),
)
"""


@pytest.mark.slow
def test_two_processes_find_what_this_one_finds(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(FILE)
    source: StudySource = load_study(find_study(str(path)), threads=1)
    request = TuneRequest(
        settings=("learning_rate=1e-3..1:log", "optimizer=adam,sgd", "epochs=1..4"), candidates=8, width=4
    )

    def found(name: str, make: Callable[[Settings], Any]) -> dict[str, Any]:
        home = dataclasses.replace(settings, workspace=tmp_path / name)
        return without_time(tune(source, request, home, progress=Watch(), executor=make(home)).found)

    here = found("here", lambda home: None)
    pool = found("pool", lambda home: worker_pool.Pool(workers=2, load=load_study_of, settings=home, progress=Watch()))
    assert here == pool
