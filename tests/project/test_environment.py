"""The tests see the same environment whoever runs them; what a reader has set changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import stated_environment


def test_a_readers_variables_are_left_out_and_those_of_package_clients_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").touch()
    reader = {
        **{"NO_COLOR": "1", "FORCE_COLOR": "1", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "KERAS_BACKEND": "jax"},
        **{"FORTYDAYS_HOME": "/mine", "FORTYDAYS_MIRROR": "/mirror", "PYTHONWARNINGS": "error", "LC_ALL": "tr_TR"},
        **{
            "PIP_INDEX": "x",
            "https_proxy": "p",
            "no_proxy": "q",
            "SSL_CERT_FILE": "c",
            "COLUMNS": "40",
            "PATH": "/bin",
        },
    }
    assert stated_environment.stated(reader, home=tmp_path / "home", readers_home=tmp_path) == {
        **stated_environment.STATED,
        **{
            "PATH": "/bin",
            "PIP_INDEX": "x",
            "https_proxy": "p",
            "SSL_CERT_FILE": "c",
            "NO_PROXY": "q,127.0.0.1,localhost",
        },
        **{"NPM_CONFIG_USERCONFIG": str(tmp_path / ".npmrc"), "TESTS_MIRROR": "/mirror"},
        **{"HOME": str(tmp_path / "home"), "MPLCONFIGDIR": str(tmp_path / "home" / "matplotlib")},
    }


def test_this_very_process_and_what_it_starts_have_the_stated_environment(tmp_path: Path) -> None:
    assert stated_environment.STATED.items() <= os.environ.items()
    # Not of MLflow and DVC, as loading them sets some.
    assert [name for name in os.environ if name.startswith(("FORTYDAYS_", "PYTHON", "GIT_DIR", "NO_COLOR"))] == []
    said = "import os; os.close(os.open('made', os.O_CREAT, 0o666)); print(os.path.expanduser('~'))"
    done = subprocess.run([sys.executable, "-c", said], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == os.environ["HOME"]
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o644
