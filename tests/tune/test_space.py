"""What a search can vary, as it is typed; what cannot be tried is refused before anything is trained."""

import pytest

from fortydays.base.errors import UsageError
from fortydays.train.recipe import Recipe
from fortydays.tune.space import MOST_FIELDS, Choice, Range, Space

BASE = Recipe(epochs=3, optimizer="sgd", learning_rate=0.1, optimizer_options={"momentum": 0.9})


def test_ranges_and_values_are_read_as_typed() -> None:
    space = Space.parse(["learning_rate=1e-4..1e-1:log", "epochs=2..8", "optimizer=adam, sgd", "patience=none,3"])
    assert space.fields == (
        Range(field="learning_rate", low=0.0001, high=0.1, log=True),
        Range(field="epochs", low=2, high=8),
        Choice(field="optimizer", values=("adam", "sgd")),
        Choice(field="patience", values=(None, 3)),
    )
    assert [each.words for each in space.fields] == ["0.0001..0.1:log", "2..8", "adam,sgd", "none,3"]


@pytest.mark.parametrize(
    ("setting", "message", "hint"),
    [
        ("learning_rate", "--set got 'learning_rate'; expected FIELD=LOW..HIGH", "Fields: epochs, batch_size"),
        (
            "learning_rat=0.1..1",
            "There is no recipe field 'learning_rat'. Did you mean 'learning_rate'?",
            "Known: epo",
        ),
        ("learning_rate=fast..1", "The recipe field 'learning_rate' got 'fast'; expected a number.", ""),
        ("learning_rate=a,b", "The recipe field 'learning_rate' got 'a'; expected a number.", ""),
        ("epochs=1.5..8", "The recipe field 'epochs' got '1.5'; expected a whole number.", ""),
        ("learning_rate=1..0.1", "from 1.0 to 0.1, which is downwards", "Write: --set learning_rate=0.1..1.0"),
        ("learning_rate=0.1..0.1", "--set learning_rate=0.1..0.1 is one value", ""),
        (
            "weight_decay=0..0.1:log",
            "on a logarithmic scale, which has no 0; expected a LOW above 0",
            "leave :log away",
        ),
        ("weight_decay=0..0.1:lin", "has a range with ':lin'; expected nothing behind it, or :log.", ""),
        ("learning_rate=0.1..nan", "The recipe field 'learning_rate' got 'nan'; expected a number.", ""),
        ("learning_rate=0.1..", "--set learning_rate got '0.1..'; expected numbers at both ends", "are listed"),
        ("optimizer=adam..sgd", "--set optimizer got 'adam..sgd'; expected numbers at both ends", "optimizer=A,B,C"),
        ("optimizer=adam", "--set optimizer=adam is one value, so there is nothing to choose from", "stays the same"),
        ("optimizer=adam,,sgd", "in which a value is empty", ""),
        ("optimizer=adam,adam", "--set optimizer has the value 'adam' twice", ""),
        ("optimizer_options=1,2", "'optimizer_options' is set one option at a time.", "optimizer_options.momentum"),
        (f"batch_size={','.join(map(str, range(1, 60)))}", "has 59 values; expected at most 50", ""),
    ],
)
def test_what_is_no_range_and_no_values_is_refused(setting: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        Space.parse([setting])
    assert message in error.value.message
    assert hint in error.value.hint


def test_nothing_to_vary_a_field_twice_and_too_many_are_refused() -> None:
    with pytest.raises(UsageError, match="A search needs something to vary"):
        Space.parse([])
    with pytest.raises(UsageError, match="names 'epochs' twice"):
        Space.parse(["epochs=1..2", "epochs=3,4"])
    whole = ["epochs", "batch_size", "patience", "shift", "cutout", "vocabulary", "length"]
    others = ["warmup", "rotation", "zoom", "contrast", "learning_rate", "weight_decay"]
    with pytest.raises(UsageError, match=f"names 13 fields; expected at most {MOST_FIELDS}"):
        Space.parse([f"{name}=1,2" for name in (*whole, *others)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["learning_rate=0..1"], "learning_rate=0.0 cannot be tried. The recipe field 'learning_rate' is 0.0"),
        (["optimizer=adam,sdg"], "optimizer=sdg cannot be tried. There is no optimizer 'sdg'. Did you mean 'sgd'?"),
        (
            ["epochs=1..2", "mixup=0..1", "batch_size=1..8"],
            "mixup=1.0 with batch_size=1 cannot be tried. The recipe field 'mixup' is 1.0 with a batch size of 1",
        ),
        (
            ["optimizer=sgd,adam", "optimizer_options.momentum=0.5..0.9"],
            "optimizer=adam with optimizer_options.momentum=0.5 cannot be tried. There is no option 'momentum' of the "
            "optimizer 'adam'",
        ),
        (["optimizer_options.beta_1=0.5..0.9"], "There is no option 'beta_1' of the optimizer 'sgd'"),
    ],
)
def test_what_a_recipe_refuses_is_told_with_the_values_to_blame(settings: list[str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        Space.parse(settings).check(BASE)
    assert message in error.value.message
    assert error.value.hint


def test_an_option_is_blamed_with_an_optimizer_that_is_tried_and_not_with_the_recipes_own() -> None:
    space = Space.parse(["optimizer=adam,sgd", "optimizer_options.momentum=0.5..0.9"])
    with pytest.raises(UsageError, match=r"optimizer=adam with optimizer_options\.momentum=0\.5 cannot be tried"):
        space.check(Recipe(epochs=1, optimizer="adam"))


def test_a_large_space_is_checked_in_pairs() -> None:
    ten = ",".join(str(10 * k) for k in range(1, 11))
    space = Space.parse([f"batch_size=1,{ten}", f"epochs={ten}", f"shift=0,{ten}", f"cutout=0,{ten}", "mixup=0..1"])
    assert len(list(space.corners())) == 11 * (10 + 11 + 11 + 2) + 10 * (11 + 11 + 2) + 11 * (11 + 2) + 11 * 2
    with pytest.raises(UsageError, match=r"batch_size=1 with mixup=1\.0 cannot be tried"):
        space.check(BASE)


def test_the_recipe_of_a_candidate_has_its_values_and_keeps_what_is_not_searched() -> None:
    space = Space.parse(["optimizer=adam,sgd", "learning_rate=1e-4..1"])
    assert space.recipe(BASE, {"optimizer": "sgd", "learning_rate": 0.5}) == BASE.replace(learning_rate=0.5)
    other = space.recipe(BASE, {"optimizer": "adam", "learning_rate": 0.5})
    assert (other.optimizer, dict(other.optimizer_options), other.epochs) == ("adam", {}, 3)
    momentum = Space.parse(["optimizer_options.momentum=0.5..0.99"])
    assert dict(momentum.recipe(BASE, {"optimizer_options.momentum": 0.75}).optimizer_options) == {"momentum": 0.75}
    assert momentum.value_in(BASE, "optimizer_options.momentum") == 0.9
    assert momentum.value_in(BASE.replace(optimizer_options={}), "optimizer_options.momentum") is None


def test_places_are_equal_ratios_on_a_logarithmic_range_and_ends_are_edges() -> None:
    rate = Range(field="learning_rate", low=0.001, high=0.1, log=True)
    assert rate.place(0.01) == pytest.approx(0.5)
    assert Range(field="epochs", low=2, high=10).place(4) == 0.25
    assert Choice(field="optimizer", values=("adam", "sgd", "lion")).place("sgd") == 0.5
    assert [rate.is_at_edge(value) for value in (0.001, 0.0011, 0.01, 0.095, 0.1)] == [True, True, False, True, True]
    assert not Choice(field="optimizer", values=("adam", "sgd")).is_at_edge("adam")
