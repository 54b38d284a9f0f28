import os
import subprocess
import sys

from fortydays.base.settings import Settings
from fortydays.registry.scratch import scratch


def test_a_command_has_a_folder_for_a_while(settings: Settings) -> None:
    with scratch(settings) as folder:
        (folder / "file").write_text("x")
        with scratch(settings) as other:
            assert other != folder
        assert (folder / "file").exists()

    assert not folder.exists()


def test_what_a_killed_command_left_behind_goes_and_what_is_in_use_stays(settings: Settings) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    parent = settings.workspace / "registry"
    left, used, else_here = (
        parent / name for name in (f".by-{ended.pid}.x.part", f".by-{os.getpid()}.x.part", "lock")
    )
    for folder in (left, used, else_here):
        (folder / "inside").mkdir(parents=True)

    with scratch(settings):
        assert not left.exists()
        assert used.exists()
        assert else_here.exists()
