"""``python remote_documents.py put|get NAME FOLDER``: documents of versions in a remote of DVC, beside its content.

DVC's commands carry content, and no names. So this small program copies the documents through DVC's own connection to
the remote. It runs in the folder of the repository::

    REMOTE/files/md5/...                DVC's objects
    REMOTE/fortydays/NAME/v1.json       the document of version 1, written when all its content is there
"""

import sys
from pathlib import Path

MOST = 100_000
LARGEST = 16 * 2**20


def main(what: str, name: str, folder: Path) -> None:
    """Put the documents in a folder into the remote, or get those that are there, from v1 on until one is missing."""
    from dvc.repo import Repo

    with Repo() as repo:
        remote = repo.cloud.get_remote("fortydays")
        place = remote.fs.join(remote.path, "fortydays", name)
        if what == "put":
            remote.fs.makedirs(place, exist_ok=True)
            for path in sorted(folder.iterdir()):
                remote.fs.put_file(str(path), remote.fs.join(place, path.name))
            return
        for number in range(1, MOST):
            document = f"v{number}.json"
            try:
                with remote.fs.open(remote.fs.join(place, document), "rb") as file:
                    content = file.read(LARGEST + 1)
            except FileNotFoundError:
                return
            (folder / document).write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
