import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from fortydays.data import layouts
from fortydays.data.arrays import Split
from fortydays.data.layouts import DamagedSourceError, Layout
from fortydays.inputs.images import IMAGE, Images


def tar_of(members: dict[str, bytes], *, mode: str = "w:gz") -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


def read_all(layout: Layout, content: dict[str, bytes], folder: Path, examples: Split) -> None:
    for name, file in content.items():
        (folder / name).write_bytes(file)
    paths = [next(folder.glob(f"{file.name}*")) for file in layout]
    layouts.read(paths, layout, examples)


def read_archive(content: io.BytesIO, inside: str, layout: Layout, examples: Split, folder: Path) -> None:
    (folder / "archive.tgz").write_bytes(content.getvalue())
    layouts.read([folder / "archive.tgz"], layout, examples, inside=inside)


def blank_examples(count: int, of: Images) -> Split:
    return Split(inputs=of.blank(count), labels=np.zeros(count, np.uint8))


# One image of 1x2 pixels for training, one for testing.
IDX = layouts.idx_layout(train=1, test=1, image_shape=(1, 2))
IDX_FILES = {
    "train-images-idx3-ubyte": bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20]),
    "train-labels-idx1-ubyte": bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]),
    "t10k-images-idx3-ubyte": bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 30, 40]),
    "t10k-labels-idx1-ubyte": bytes([0, 0, 8, 1, 0, 0, 0, 1, 9]),
}


def test_idx_files_are_read_plain_and_gzipped(tmp_path: Path) -> None:
    files = dict(IDX_FILES)
    files["train-images-idx3-ubyte.gz"] = gzip.compress(files.pop("train-images-idx3-ubyte"))
    examples = blank_examples(2, Images(shape=(1, 2)))
    read_all(IDX, files, tmp_path, examples)
    assert examples.array.tolist() == [[[10, 20]], [[30, 40]]]
    assert examples.labels.tolist() == [7, 9]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-labels-idx1-ubyte", b"\0\0\x08\x01\0\0\0\x02\x07", "idx header is 0000080100000002, expected"),
        ("train-labels-idx1-ubyte", b"", "idx header is , expected 0000080100000001"),
        ("t10k-images-idx3-ubyte", IDX_FILES["t10k-images-idx3-ubyte"][:-1], "it holds 1 bytes of data, expected 2"),
        ("t10k-images-idx3-ubyte", IDX_FILES["t10k-images-idx3-ubyte"] + b"0", "it has more than 18 bytes"),
        ("t10k-images-idx3-ubyte.gz", b"not gzip", "idx header is 6e6f7420677a6970"),
        ("t10k-images-idx3-ubyte.gz", gzip.compress(bytes(10**6)), "it has more than 18 bytes"),
        ("t10k-images-idx3-ubyte.gz", gzip.compress(IDX_FILES["t10k-images-idx3-ubyte"])[:-5], "ended before"),
    ],
    # What is compressed has the time in it, and all processes of a test run must call a test the same.
    ids=["rows", "empty", "short", "long", "no gzip", "bomb", "cut off"],
)
def test_a_damaged_idx_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    files = {key: value for key, value in IDX_FILES.items() if key != name.removesuffix(".gz")} | {name: content}
    with pytest.raises(DamagedSourceError, match=f"{name} is damaged: .*{message}"):
        read_all(IDX, files, tmp_path, blank_examples(2, Images(shape=(1, 2))))


NPZ = layouts.npz_layout("two.npz", train=1, test=1, image_shape=(1, 2))


def npz_of(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


RIGHT_NPZ = {
    "x_train": np.array([[[10, 20]]], np.uint8),
    "y_train": np.array([7], np.uint8),
    "x_test": np.array([[[30, 40]]], np.uint8),
    "y_test": np.array([9], np.uint8),
}


def test_an_npz_archive_is_read(tmp_path: Path) -> None:
    examples = blank_examples(2, Images(shape=(1, 2)))
    read_all(NPZ, {"two.npz": npz_of(**RIGHT_NPZ)}, tmp_path, examples)
    assert examples.array.tolist() == [[[10, 20]], [[30, 40]]]
    assert examples.labels.tolist() == [7, 9]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not zip", "not a zip file"),
        (npz_of(x_train=RIGHT_NPZ["x_train"]), "no item named 'y_train.npy'"),
        (npz_of(**(RIGHT_NPZ | {"y_test": np.array([9], np.int64)})), "dtype int64, expected .* uint8"),
        (npz_of(**(RIGHT_NPZ | {"x_train": np.zeros((9, 1, 2), np.uint8)})), r"shape \(9, 1, 2\)"),
        (npz_of(**(RIGHT_NPZ | {"y_test": np.array([None])})), "dtype object"),  # would be pickle
    ],
)
def test_a_damaged_npz_archive_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DamagedSourceError, match=f"two.npz is damaged: .*{message}"):
        read_all(NPZ, {"two.npz": content}, tmp_path, blank_examples(2, Images(shape=(1, 2))))


CIFAR_BINARY = layouts.cifar_binary_layout(batches=1, rows=1, classes=10)
RECORD = bytes([3]) + bytes([1]) * 1024 + bytes([2]) * 1023 + bytes([99]) + bytes([4]) * 1024


def test_cifar_binary_planes_become_pixels(tmp_path: Path) -> None:
    examples = blank_examples(2, Images(shape=(32, 32, 3)))
    members = {"b/data_batch_1.bin": RECORD, "b/readme.html": b"ignored", "b/test_batch.bin": bytes(3073)}
    read_archive(tar_of(members), "b/", CIFAR_BINARY, examples, tmp_path)
    assert examples.labels.tolist() == [3, 0]
    assert examples.array[0, 0, 0].tolist() == [1, 2, 4]
    assert examples.array[0, 31, 31].tolist() == [1, 99, 4]  # the last value of the green plane


def test_a_cifar_label_out_of_range_is_refused(tmp_path: Path) -> None:
    members = {"data_batch_1.bin": bytes([10]) + bytes(3072), "test_batch.bin": bytes(3073)}
    with pytest.raises(DamagedSourceError, match=r"data_batch_1.bin is damaged: it has a label 10, expected 0 to 9"):
        read_archive(tar_of(members), "", CIFAR_BINARY, blank_examples(2, Images(shape=(32, 32, 3))), tmp_path)


CIFAR_PNG = layouts.cifar_png_layout(batches=1, rows=2, classes=10)


def png_of(rows: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rows).save(stream, "PNG")
    return stream.getvalue()


def png_members() -> dict[str, bytes]:
    rows = np.zeros((2, 1024, 3), np.uint8)
    rows[1, 33] = (7, 8, 9)  # second image, row 1, column 1
    return {
        "package/data_batch_1.png": png_of(rows),
        "package/test_batch.png": png_of(np.full((2, 1024, 3), 5, np.uint8)),
        "package/train_lables.json": b"[6, 9]",
        "package/test_lables.json": b"[3, 8]",
    }


def test_cifar_png_rows_become_images(tmp_path: Path) -> None:
    examples = blank_examples(4, Images(shape=(32, 32, 3)))
    read_archive(tar_of(png_members()), "package/", CIFAR_PNG, examples, tmp_path)
    assert examples.labels.tolist() == [6, 9, 3, 8]
    assert examples.array[1, 1, 1].tolist() == [7, 8, 9]
    assert examples.array[0].max() == 0
    assert examples.array[2:].min() == examples.array[2:].max() == 5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_1.png", png_of(np.zeros((3, 1024, 3), np.uint8)), "its PNG header says 0000040000000003"),
        ("data_batch_1.png", png_of(np.zeros((2, 1024), np.uint8)), "its PNG header says 00000400000000020800"),
        ("data_batch_1.png", b"GIF89a" + bytes(50), "its PNG header says"),
        ("data_batch_1.png", png_members()["package/data_batch_1.png"][:60], "truncated|broken"),
        ("train_lables.json", b"[6]", "expected a list of 2 whole numbers from 0 to 9"),
        ("train_lables.json", b"[6, true]", "expected a list of 2 whole numbers"),
        ("train_lables.json", b"[6, 10]", "expected a list of 2 whole numbers"),
        ("train_lables.json", b"[6,", "Expecting value"),
        ("train_lables.json", json.dumps([6, 9]).encode() + b" " * 5000, "it has more than"),
    ],
)
def test_a_damaged_cifar_png_package_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    members = png_members() | {f"package/{name}": content}
    with pytest.raises(DamagedSourceError, match=message) as caught:
        read_archive(tar_of(members), "package/", CIFAR_PNG, blank_examples(4, Images(shape=(32, 32, 3))), tmp_path)
    assert name in str(caught.value)


def test_digits_are_scaled_to_bytes(tmp_path: Path) -> None:
    first, second = [0] * 64, [16] * 64
    first[9] = 8  # row 1, column 1
    lines = "\n".join(",".join(map(str, [*pixels, label])) for pixels, label in ((first, 4), (second, 2)))
    examples = blank_examples(2, Images(shape=(8, 8)))
    read_all(layouts.digits_layout(count=2), {"digits.csv.gz": gzip.compress(lines.encode())}, tmp_path, examples)
    assert examples.labels.tolist() == [4, 2]
    assert examples.array[0, 1, 1] == 127  # 8 * 255 // 16
    assert examples.array[1].min() == 255
    assert examples.array[0].sum() == 127


@pytest.mark.parametrize("line", ["17," + "0," * 63 + "1", "0," * 64 + "10", "0,1"])
def test_digits_out_of_range_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(DamagedSourceError, match=r"digits.csv is damaged: .*expected"):
        read_all(
            layouts.digits_layout(count=1),
            {"digits.csv": line.encode()},
            tmp_path,
            blank_examples(1, Images(shape=(8, 8))),
        )


def test_only_regular_members_with_the_expected_names_are_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        link = tarfile.TarInfo("data_batch_1.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        outside = tarfile.TarInfo("../test_batch.bin")
        archive.addfile(outside, io.BytesIO())
    stream.seek(0)
    with pytest.raises(DamagedSourceError, match=r"it holds no regular file data_batch_1.bin, test_batch.bin"):
        read_archive(stream, "", CIFAR_BINARY, blank_examples(2, Images(shape=(32, 32, 3))), tmp_path)


def test_a_member_larger_than_its_file_may_be_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(DamagedSourceError, match=r"data_batch_1.bin is damaged: it has more than 3,073 bytes"):
        read_archive(
            tar_of({"data_batch_1.bin": bytes(3074)}),
            "",
            CIFAR_BINARY,
            blank_examples(2, Images(shape=(32, 32, 3))),
            tmp_path,
        )


def test_a_decompression_bomb_ends_early(tmp_path: Path) -> None:
    bomb = tar_of({"big": bytes(40 * 2**20), "data_batch_1.bin": RECORD})  # compresses to 40 kB
    with pytest.raises(DamagedSourceError, match="it holds far more than the dataset"):
        read_archive(bomb, "", CIFAR_BINARY, blank_examples(2, Images(shape=(32, 32, 3))), tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"no archive at all", tar_of({"a": b"b"}).getvalue()[:30]], ids=["empty", "text", "cut off"]
)
def test_a_broken_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DamagedSourceError, match=r"archive.tgz is damaged"):
        read_archive(io.BytesIO(content), "", CIFAR_BINARY, blank_examples(2, Images(shape=(32, 32, 3))), tmp_path)


def test_the_digest_covers_names_dtypes_shapes_and_bytes() -> None:
    import hashlib

    examples = Split(inputs={IMAGE: np.array([[[1, 2]], [[3, 4]]], np.uint8)}, labels=np.array([5, 6], np.uint8))
    by_hand = b"images uint8 2x1x2\n\1\2\3\4labels uint8 2\n\5\6"
    assert layouts.digest_of(examples) == hashlib.sha256(by_hand).hexdigest()
    reshaped = Split(inputs={IMAGE: examples.array.reshape(2, 2, 1)}, labels=examples.labels)
    assert layouts.digest_of(reshaped) != layouts.digest_of(examples)
