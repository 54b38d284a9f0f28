"""Tables as CSV, and that no spreadsheet runs what is in them."""

from fortydays.base.spreadsheet import table


def test_a_column_for_each_name_in_the_order_in_which_rows_have_it() -> None:
    rows = [{"name": "a", "seed": 0, "share": 0.5}, {"name": "b", "right": True, "share": None}]
    assert table(rows) == '"name","seed","share","right"\n"a",0,0.5,""\n"b","","","true"\n'


def test_without_rows_the_first_columns_are_there() -> None:
    assert table([], ("name", "seed")) == '"name","seed"\n'


def test_texts_and_heads_that_would_be_formulas_are_not() -> None:
    assert table([{"=a": "+1", "b": -1, "c": 'say "@"', "d": "@x"}]) == (
        '"\'=a","b","c","d"\n"\'+1",-1,"say ""@""","\'@x"\n'
    )
