"""BLEU and CIDEr of captions whose numbers one can work out by hand."""

import math

import numpy as np
import pytest

from fortydays.tasks.captions import Rarity, bleu_counts, bleu_of, cider, judge_rounds

SKY = [["blue", "sky"]]
CAR = [["red", "car"]]


def bleu(candidate: str, *references: str) -> float:
    return float(bleu_of(bleu_counts(candidate.split(), [each.split() for each in references])))


def cider_of(candidate: str, reference: str = "red car") -> float:
    """In a corpus of two photographs, in which each word of "red car" and "blue sky" has the weight log 2."""
    one, other, rarity = candidate.split(), reference.split(), Rarity([CAR, SKY])
    return cider(rarity.weigh(one), rarity.weigh(other), apart=abs(len(one) - len(other)))


def test_a_run_of_words_counts_at_most_as_often_as_one_reference_has_it() -> None:
    found = bleu_counts(["a", "a", "a", "dog"], [["a", "dog", "a", "man"], ["a", "dog", "runs"]])
    # Words: "a" twice and "dog" once, of four; pairs: "a dog" of three; then nothing of two, and of one.
    assert found.tolist() == [3, 1, 0, 0, 4, 3, 2, 1, 4, 4]


@pytest.mark.parametrize(
    ("words", "references", "closest"),
    [(5, (3, 7), 3), (5, (7, 3), 3), (5, (9, 6), 6), (5, (5, 4), 5)],  # of two that are as close, the shorter one
)
def test_the_reference_of_the_closest_length_counts(words: int, references: tuple[int, ...], closest: int) -> None:
    assert bleu_counts(["a"] * words, [["a"] * each for each in references])[-1] == closest


def test_bleu_is_the_geometric_mean_of_four_shares_and_punishes_what_is_short() -> None:
    assert bleu("a dog runs on grass", "a dog runs on grass") == pytest.approx(1)
    assert bleu("a dog runs on grass", "a dog runs on grass fast") == pytest.approx(math.exp(1 - 6 / 5))
    # 5 of 6 words, 3 of 5 pairs, 2 of 4, 1 of 3: the third word is another one... "a dog sits on green grass".
    assert bleu("a dog runs on green grass today", "a dog sits on green grass today") == pytest.approx(
        (6 / 7 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25
    )
    assert bleu("a dog runs", "a dog runs") == 0  # it has no run of four words


def test_bleu_adds_up_over_images_before_it_divides() -> None:
    one = bleu_counts(["a", "b", "c", "d"], [["a", "b", "c", "d"]])
    other = bleu_counts(["e", "f", "g", "h"], [["a", "b", "c", "d"]])
    assert bleu_of(one + other) == pytest.approx(0.5)  # half of each kind of run, and no caption is short
    assert bleu_of(np.stack([one, other])).tolist() == pytest.approx([1, 0])


def test_cider_is_the_mean_of_cosines_of_weighted_runs_of_words() -> None:
    assert cider_of("red car") == pytest.approx(10 * (1 + 1 + 0 + 0) / 4)
    assert cider_of("red sky") == pytest.approx(10 * (1 / 2) / 4)
    assert cider_of("blue sky") == 0
    assert cider_of("") == 0


def test_cider_falls_with_other_lengths_and_with_words_said_twice() -> None:
    fall = math.exp(-1 / 72)
    assert cider_of("red") == pytest.approx(10 / 4 * math.sqrt(1 / 2) * fall)
    # Words: (1 x 1 + 1 x 1) / (sqrt 5 sqrt 2), because "red" counts no more than in the reference; pairs: 1 / sqrt 2.
    assert cider_of("red red car") == pytest.approx(10 / 4 * (2 / math.sqrt(10) + 1 / math.sqrt(2)) * fall)


def test_what_is_said_of_every_image_counts_nothing() -> None:
    rarity = Rarity([[["a", "car"]], [["a", "sky"], ["the", "sky"]]])
    words, *_ = rarity.weigh(["a", "sky", "sky", "new"])
    assert words == {("a",): 0.0, ("sky",): 2 * math.log(2), ("new",): math.log(2)}


def test_cosines_of_many_sentences_are_those_of_each_pair() -> None:
    rarity = Rarity([CAR, SKY])
    found = rarity.cosines([["red", "car"], ["red", "sky"], []], [["red", "car"], ["blue", "sky"]])
    assert found == pytest.approx(np.array([[2 / 4, 0], [1 / 8, 1 / 8], [0, 0]]))


def test_everybody_is_judged_against_all_captions_but_one() -> None:
    references = [
        [["red", "car"], ["red", "car"], ["blue", "sky"]],
        [["green", "tree"], ["green", "tree"], ["green", "tree"]],
    ]
    people = judge_rounds([[of_one[k] for of_one in references] for k in range(3)], references)
    # Of the first image, two captions have one equal among the two others, and the third has none.
    assert people.cider == pytest.approx([(2.5 + 2.5 + 0) / 3, 5])
    machine = judge_rounds([[["red", "car"], ["green", "tree"]]] * 3, references)
    # One of two is equal where an equal one is left out, and both where "blue sky" is.
    assert machine.cider == pytest.approx([(2.5 + 2.5 + 5) / 3, 5])
    assert machine.counts.shape == (3, 2, 10)
    assert machine.counts[:, 0, 0].tolist() == [2, 2, 2]


def test_a_bootstrap_over_images_that_are_alike_has_no_width_and_over_others_it_has() -> None:
    said = ["a", "dog", "runs", "on", "grass"]
    alike = judge_rounds([[said] * 6] * 2, [[said, said]] * 6)
    assert alike.bleu == pytest.approx(1)
    assert alike.bleu_interval(np.random.default_rng(0)) == pytest.approx((1, 1))
    other = ["the", "cat", "sits", "in", "a", "box"]
    mixed = judge_rounds([[said] * 6] * 2, [[said, said]] * 3 + [[other, other]] * 3)
    low, high = mixed.bleu_interval(np.random.default_rng(0))
    assert low < mixed.bleu < high
    assert mixed.bleu_interval(np.random.default_rng(0)) == (low, high)


def test_numbers_of_captions_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 2 rounds, of which each needs 1 captions"):
        judge_rounds([[], []], [CAR * 2])
    with pytest.raises(ValueError, match="each image needs 2 references"):
        judge_rounds([CAR, CAR], [CAR])
