"""The forty days by number, name and promise, whether or not their folder exists yet.

A promise is what the journal that this course grew from says one will see. It is a claim to be checked by the day's
study, never a number to be repeated: what was measured is in ``evidence/``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from fortydays.base.errors import UsageError, unknown_name

_LESSONS = Path(__file__).parent.parent / "lessons"


@dataclass(frozen=True, kw_only=True)
class Day:
    """One entry of the journey.

    Attributes:
        number: its place, from 1 to 40.
        slug: its short name in commands and addresses, words joined by hyphens.
        title: its name for people.
        data: the dataset it works on, or "" where it needs none.
        summary: what is done on that day, one sentence.
        promise: what the journal says will come out, or "" where it promises nothing that can be measured.
    """

    number: int
    slug: str
    title: str
    data: str
    summary: str
    promise: str


JOURNEY: tuple[Day, ...] = (
    Day(
        number=1,
        slug="first-network",
        title="First neural network",
        data="MNIST",
        summary="A flattened image, 128 hidden ReLU units and ten softmax outputs: training in its smallest form.",
        promise="About 97% of the test digits are named correctly.",
    ),
    Day(
        number=2,
        slug="activations",
        title="Activation functions",
        data="MNIST",
        summary="The same network with sigmoid, with ReLU and with no activation at all.",
        promise="ReLU trains faster and scores higher than sigmoid; with neither, the network is only a linear model.",
    ),
    Day(
        number=3,
        slug="optimizers",
        title="Losses and optimizers",
        data="MNIST",
        summary="Squared error against cross-entropy, and SGD, momentum, RMSProp and Adam side by side.",
        promise="Adam does best, with about 98%.",
    ),
    Day(
        number=4,
        slug="regularization",
        title="Overfitting and regularization",
        data="MNIST",
        summary="L2 weight penalties, dropout and early stopping against a network that overfits.",
        promise="About 98%, with less distance between training and validation.",
    ),
    Day(
        number=5,
        slug="first-convolutions",
        title="First convolutional network",
        data="CIFAR-10",
        summary="Convolution, pooling, convolution, pooling and a dense head on small color photographs.",
        promise="About 70% after 5 epochs.",
    ),
    Day(
        number=6,
        slug="deeper-convolutions",
        title="Deeper convolutional networks",
        data="CIFAR-10",
        summary="From LeNet to ResNet in words; double convolutions with pooling and dropout in code.",
        promise="About 80% after 15 epochs.",
    ),
    Day(
        number=7,
        slug="batch-normalization",
        title="Batch normalization and dropout",
        data="CIFAR-10",
        summary="Convolution, batch normalization, ReLU; dropout in the dense layers.",
        promise="About 82%, and better generalization.",
    ),
    Day(
        number=8,
        slug="augmentation",
        title="Data augmentation",
        data="CIFAR-10",
        summary="Random flips, rotations, zooms and contrast, made while training.",
        promise="About 65% after 10 epochs.",
    ),
    Day(
        number=9,
        slug="transfer-learning",
        title="Transfer learning",
        data="CIFAR-10",
        summary="The features of a MobileNetV2 that has seen ImageNet, with a small head of our own.",
        promise="85 to 90% within 10 epochs.",
    ),
    Day(
        number=10,
        slug="flowers",
        title="Project: five flowers",
        data="Flowers",
        summary="Transfer learning, augmentation and early stopping put together on real photographs.",
        promise="More than 92%.",
    ),
    Day(
        number=11,
        slug="deep-architectures",
        title="Deep architectures",
        data="CIFAR-10",
        summary="A shallow network against a deep one, and what becomes of the gradient on the way down.",
        promise="About 80 to 85% for the deep network, about 70% for the shallow one.",
    ),
    Day(
        number=12,
        slug="residual-networks",
        title="Residual networks",
        data="CIFAR-10",
        summary="Blocks that add their input to their output (ResNet).",
        promise="86 to 88% after 20 epochs.",
    ),
    Day(
        number=13,
        slug="inception",
        title="Inception",
        data="CIFAR-10",
        summary="Parallel branches joined by 1x1 convolutions: a simplified GoogLeNet.",
        promise="77 to 79% after 25 epochs.",
    ),
    Day(
        number=14,
        slug="vgg",
        title="VGG",
        data="CIFAR-10",
        summary="Nothing but 3x3 convolutions, stacked.",
        promise="89 to 91% after 30 epochs.",
    ),
    Day(
        number=15,
        slug="vision-transformers",
        title="Vision transformers",
        data="CIFAR-10",
        summary="Patches as words: a small ViT trained from scratch.",
        promise="85 to 88% after 30 epochs.",
    ),
    Day(
        number=16,
        slug="recurrent-networks",
        title="Recurrent networks",
        data="IMDB",
        summary="A simple recurrent network reads film reviews one word at a time.",
        promise="83 to 85%.",
    ),
    Day(
        number=17,
        slug="lstm-gru",
        title="LSTM and GRU",
        data="IMDB",
        summary="Two kinds of gated memory compared on the same reviews.",
        promise="88 to 89% with LSTM, 87 to 88% with GRU.",
    ),
    Day(
        number=18,
        slug="word-embeddings",
        title="Word embeddings",
        data="IMDB",
        summary="Word vectors learned from the task, and pictures of where the words end up.",
        promise="86 to 88%.",
    ),
    Day(
        number=19,
        slug="sentiment",
        title="Project: sentiment",
        data="IMDB",
        summary="An LSTM pipeline from text to verdict, with a confusion matrix and a saved model.",
        promise="About 90%.",
    ),
    Day(
        number=20,
        slug="attention",
        title="Attention",
        data="IMDB",
        summary="Attention over a bidirectional LSTM: which words decided.",
        promise="90 to 91%.",
    ),
    Day(
        number=21,
        slug="transformers",
        title="Transformer from scratch",
        data="IMDB",
        summary="Positional encoding and multi-head attention, built by hand.",
        promise="87 to 89%.",
    ),
    Day(
        number=22,
        slug="bert",
        title="BERT",
        data="IMDB",
        summary="A pretrained text encoder, fine-tuned.",
        promise="92 to 94%.",
    ),
    Day(
        number=23,
        slug="image-captioning",
        title="Image captioning",
        data="Flickr8k",
        summary="A convolutional encoder looks, an LSTM decoder writes.",
        promise="The whole way from photograph to sentence works.",
    ),
    Day(
        number=24,
        slug="sentiment-capstone",
        title="Capstone: sentiment intelligence",
        data="IMDB",
        summary="A fine-tuned transformer inside a pipeline fit for production.",
        promise="93 to 94%.",
    ),
    Day(
        number=25,
        slug="introduction-to-mlops",
        title="Introduction to MLOps",
        data="",
        summary="The life cycle of a model, where it fails, and how a project is laid out so that it does not.",
        promise="",
    ),
    Day(
        number=26,
        slug="experiment-tracking",
        title="Experiment tracking",
        data="",
        summary="Every run with its parameters, metrics and files, kept with MLflow.",
        promise="",
    ),
    Day(
        number=27,
        slug="data-versioning",
        title="Data versioning",
        data="",
        summary="Datasets that have versions like code has, with DVC.",
        promise="",
    ),
    Day(
        number=28,
        slug="model-registry",
        title="Model registry",
        data="",
        summary="Model versions, aliases, and what must hold before one is promoted.",
        promise="",
    ),
    Day(
        number=29,
        slug="training-pipelines",
        title="Modular training pipelines",
        data="",
        summary="Reusable stages, driven by configuration.",
        promise="",
    ),
    Day(
        number=30,
        slug="model-serving",
        title="Model serving",
        data="",
        summary="Predictions over HTTP, with FastAPI and Pydantic.",
        promise="",
    ),
    Day(
        number=31,
        slug="containers",
        title="Containers",
        data="",
        summary="The service in a Docker image.",
        promise="",
    ),
    Day(
        number=32,
        slug="cloud-deployment",
        title="Cloud deployment",
        data="",
        summary="A prediction endpoint that the public can reach.",
        promise="",
    ),
    Day(
        number=33,
        slug="drift",
        title="Monitoring and drift",
        data="",
        summary="Data drift, concept drift and prediction drift, seen with Evidently.",
        promise="",
    ),
    Day(
        number=34,
        slug="continuous-integration",
        title="Continuous integration and delivery",
        data="",
        summary="A pipeline that tests, builds and delivers without anyone's hands.",
        promise="",
    ),
    Day(
        number=35,
        slug="user-interface",
        title="A user interface",
        data="",
        summary="A page for people who do not program.",
        promise="",
    ),
    Day(
        number=36,
        slug="model-cards",
        title="Documentation and model cards",
        data="",
        summary="A card for each model, and pages for the API.",
        promise="",
    ),
    Day(
        number=37,
        slug="git-workflow",
        title="Git workflow",
        data="",
        summary="Branches and reviews.",
        promise="",
    ),
    Day(
        number=38,
        slug="past-one-machine",
        title="Past one machine",
        data="CIFAR-10",
        summary="Searches and studies on a cluster, with Ray.",
        promise="A study on a cluster gives the evidence it gives on one machine.",
    ),
    Day(
        number=39,
        slug="continuous-training",
        title="Continuous training",
        data="",
        summary="Drift triggers retraining, and gates decide whether the new model is used.",
        promise="No model version that fails a gate is ever served.",
    ),
    Day(
        number=40,
        slug="whole-way",
        title="The whole way, once more",
        data="a reader's own images",
        summary="From a folder of images to a service that is watched, alone.",
        promise="Every step takes one command.",
    ),
)
"""All forty days, in order."""


def find_day(text: str) -> Day:
    """The day that a reader means by its number ("1", "01", "day1", "day01") or its name ("first-network").

    Capitals, spaces around it, and underscores for hyphens make no difference; neither does a day's folder name.

    Raises:
        UsageError: there is no such day; a near miss is suggested.
    """
    name = re.sub(r"[\s_-]+", "-", text.strip().lower())
    numbered = re.fullmatch(r"(?:day-?)?([0-9]{1,9})", name)
    if numbered:
        number = int(numbered[1])
        if not 1 <= number <= len(JOURNEY):
            raise UsageError(
                f"There is no day {number}: the days are numbered from 1 to {len(JOURNEY)}.", hint=_HOW_TO_NAME_A_DAY
            )
        return JOURNEY[number - 1]
    names = {day.slug: day for day in JOURNEY} | {folder_name(day).replace("_", "-"): day for day in JOURNEY}
    if name in names:
        return names[name]
    raise unknown_name("day", text, _names_to_suggest(), hint=_HOW_TO_NAME_A_DAY)


def folder_name(day: Day) -> str:
    """The name that a day's folder has, such as "day01_first_network"."""
    return f"day{day.number:02}_{day.slug.replace('-', '_')}"


def folder(day: Day) -> Path | None:
    """Where a day's notes and study are, or None if the day is not written yet."""
    path = _LESSONS / folder_name(day)
    return path if path.is_dir() else None


def is_ready(day: Day) -> bool:
    """Whether a day has a study to run, which is no draft any more.

    A study is a draft, and its folder has a file ``DRAFT`` that says what is missing, until its evidence is published.
    """
    path = folder(day)
    return path is not None and (path / "study.py").is_file() and not (path / "DRAFT").exists()


def _names_to_suggest() -> list[str]:
    return [day.slug for day in JOURNEY] + [f"day{day.number}" for day in JOURNEY]


_HOW_TO_NAME_A_DAY = "Give its number (1 to 40) or its name, such as first-network; `forty list` shows them all."
