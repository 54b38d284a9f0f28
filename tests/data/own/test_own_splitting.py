from collections import Counter

from fortydays.data.own.splitting import Group, assign


def single(number: int, label: str = "cat") -> Group:
    return Group(members={f"{label}{number:04}": f"{label}/{number}.jpg"}, label=label)


def counts(assigned: dict[str, str], label: str = "") -> dict[str, int]:
    return dict(Counter(split for digest, split in assigned.items() if digest.startswith(label)))


def test_seven_of_ten_are_learned_from_one_chooses_and_two_are_reported_on() -> None:
    for n in (10, 100, 1_000):
        assigned, left_out = assign([single(i) for i in range(n)], {})
        assert counts(assigned) == {"train": 7 * n // 10, "validation": n // 10, "test": 2 * n // 10}
        assert left_out == []


def test_each_class_is_divided_alike_and_a_class_of_three_has_one_in_each() -> None:
    groups = [single(i, "cat") for i in range(30)] + [single(i, "dog") for i in range(3)]

    assigned, _ = assign(groups, {})

    assert counts(assigned, "cat") == {"train": 21, "validation": 3, "test": 6}
    assert counts(assigned, "dog") == {"train": 1, "validation": 1, "test": 1}


def test_the_split_is_decided_by_content_and_not_by_order() -> None:
    groups = [single(i) for i in range(50)]

    assert assign(groups, {})[0] == assign(groups[::-1], {})[0]


def test_what_has_a_split_keeps_it_and_new_ones_fill_up_the_shares() -> None:
    before, _ = assign([single(i) for i in range(20)], {})

    after, _ = assign([single(i) for i in range(40)], before)

    assert {digest: after[digest] for digest in before} == before
    assert counts(after) == {"train": 28, "validation": 4, "test": 8}


def test_a_photograph_that_comes_back_has_the_split_it_had() -> None:
    before, _ = assign([single(i) for i in range(20)], {})
    lost = [single(i) for i in range(1, 20)]

    assert "cat0000" not in assign(lost, before)[0]
    assert assign([single(i) for i in range(20)], before)[0] == before


def test_almost_the_same_photographs_stay_together() -> None:
    alike = [Group(members={f"cat{i}{j}": f"cat/{i}{j}.jpg" for j in range(3)}, label="cat") for i in range(20)]

    assigned, _ = assign(alike, {})

    assert all(len({assigned[member] for member in group.members}) == 1 for group in alike)
    assert counts(assigned)["test"] in range(9, 16)  # a fifth of 60 is 12, and groups of three cannot be cut


def test_a_new_one_goes_where_what_it_resembles_is() -> None:
    for split in ("train", "validation", "test"):
        group = Group(members={"old": "cat/old.jpg", "new": "cat/new.jpg"}, label="cat")
        assert assign([group], {"old": split})[0] == {"old": split, "new": split}


def test_a_new_one_that_resembles_both_sides_is_left_out() -> None:
    group = Group(members={"a": "cat/a.jpg", "b": "cat/b.jpg", "new": "cat/new.jpg"}, label="cat")

    assigned, left_out = assign([group], {"a": "train", "b": "test"})

    assert assigned == {"a": "train", "b": "test"}
    assert [(each.path, each.reason) for each in left_out] == [
        ("cat/new.jpg", "it is almost the same as photographs in the test and the train split")
    ]
