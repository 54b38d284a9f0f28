from fortydays.base.text import printable, shown


def test_what_a_terminal_would_act_on_becomes_a_question_mark() -> None:
    assert printable("a\nb\x1b[2Jc\0\udcff") == "a?b?[2Jc??"
    assert printable("Blüte 花") == "Blüte 花"


def test_a_text_from_outside_is_quoted_in_one_line() -> None:
    assert shown("it's\n") == '"it\'s?"'
    assert shown("a" * 60) == f"'{'a' * 60}'"
    assert shown("a" * 10_000) == f"'{'a' * 57}...'"
