from tracked_runs import made_up_trial

from fortydays.track.curves import draw_learning_curves


def test_every_variant_is_named_once_in_the_picture() -> None:
    trials = [made_up_trial("relu", 0), made_up_trial("relu", 1), made_up_trial("_none", 0)]
    picture = draw_learning_curves(trials, title="Activation functions")
    assert picture.startswith("<?xml")
    # Text is drawn as shapes; matplotlib keeps what it says as a comment. Two panels, so two legends.
    assert picture.count("<!-- relu -->") == 2
    assert picture.count("<!-- none -->") == 2
    assert "<!-- Activation functions -->" in picture


def test_without_a_history_there_is_no_picture() -> None:
    assert draw_learning_curves([made_up_trial("relu", 0, failed=True)], title="") == ""
    assert draw_learning_curves([], title="") == ""
