"""What Prometheus reads of a service. Names follow its conventions: base units, ``_total`` for counters."""

import functools
import os
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The counters of one worker, which the library adds to those of the others where there are several."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # two more lines for each one, which nobody reads
        self.registry = CollectorRegistry()
        of: dict[str, Any] = {"registry": self.registry}
        self.requests = _of_labels(
            Counter("fortydays_requests", "Requests, by route and status of the answer.", ["route", "status"], **of)
        )
        self.seconds = _of_labels(
            Histogram(
                "fortydays_request_seconds", "From a request's arrival to its answer.", ["route"], buckets=_SECONDS,
                **of,
            )
        )  # fmt: skip
        self.batch = Histogram("fortydays_batch_images", "Images computed together.", buckets=_IMAGES, **of)
        self.waiting = Gauge(
            "fortydays_waiting_images", "Images that wait for the model.", multiprocess_mode="livesum", **of
        )
        self.classes = _of_labels(
            Counter("fortydays_answers", "Images, by model version and best class.", ["version", "class"], **of)
        )
        self.unknown = Counter(
            "fortydays_unknown_answers", "Images whose answer was marked as unknown, by model version.", ["version"],
            **of,
        )  # fmt: skip
        self.model = Gauge(
            "fortydays_model_info", "1 for the version that answers and for the shadow's; 0 for one that did.",
            ["model", "version", "role", "digest"], multiprocess_mode="livemax", **of,
        )  # fmt: skip
        self.reloads = Counter("fortydays_reloads", "Attempts to load a version, by how they ended.", ["result"], **of)
        self.shadow = Counter(
            "fortydays_shadow_answers", "Images that the shadow saw, by whether it agreed.", ["agreed"], **of
        )
        self.dropped = Counter("fortydays_log_dropped", "Rows of the request log that could not be kept.", **of)

    def no_model(self, *labels: str) -> None:
        """Say that a version answers no more."""
        if _several_workers():
            self.model.labels(*labels).set(0)  # the library cannot forget what stands in a shared file
        else:
            self.model.remove(*labels)

    def text(self) -> bytes:
        """All of it, in the text format; where there are several workers, of all of them together."""
        if _several_workers():
            from prometheus_client.multiprocess import MultiProcessCollector

            together = CollectorRegistry()
            MultiProcessCollector(together)  # type: ignore[no-untyped-call]
            return generate_latest(together)
        return generate_latest(self.registry)


def _of_labels(metric: Any) -> Callable[..., Any]:
    """From labels to their own counter, kept, as the library takes long to find it."""
    return functools.cache(metric.labels)


def forget_worker(pid: int) -> None:
    """Leave the gauges of a worker that has ended out of the sums; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _several_workers() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ  # the library's own switch, see fortydays.serve.server
