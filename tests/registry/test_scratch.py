from fortydays.base.settings import Settings
from fortydays.registry.scratch import scratch


def test_a_command_has_a_folder_for_a_while(settings: Settings) -> None:
    with scratch(settings) as folder:
        (folder / "file").write_text("x")
        with scratch(settings) as other:
            assert other != folder
        assert (folder / "file").exists()

    assert not folder.exists()
