"""How much of anything the service takes."""

from dataclasses import dataclass, field

from fortydays.inputs.input import Bounds


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What bounds the memory and the time that requests can cost.

    Attributes:
        body: bytes of a request.
        json_body: bytes of a request in JSON, which takes many times as much memory when read.
        bodies: bytes of all requests that are being read or answered.
        content: of a file or a text in a request.
        images: files in one request.
        waiting: examples that wait for the model; the request that would exceed it is told to come again.
        batch: examples that are computed together.
        delay: seconds that an example waits for others on their way, so that they are computed together.
        deadline: seconds in which a request is answered.
        head_deadline: seconds in which a request's head must have arrived, of a new connection also begun.
        body_deadline: seconds in which a request's body must have arrived.
        write_deadline: seconds in which a client must have taken an answer.
        idle: seconds for which a connection without a request is kept.
        linger: seconds for which a client that was refused may go on sending, so that it comes to read the answer.
        refused: bytes that it may send in that time.
        connections: that are open; on each one more, only probes are answered.
        connections_of_one: that are open from one address, likewise.
        trial: seconds in which a new bundle must have been tried out before it replaces another.
        drain: seconds in which accepted requests are answered when the service ends or a model is replaced.
    """

    body: int = 10_000_000
    json_body: int = 2_000_000
    bodies: int = 60_000_000
    content: Bounds = field(default_factory=lambda: Bounds(jpeg_pixels=120_000_000))
    images: int = 64
    waiting: int = 512
    batch: int = 64
    delay: float = 0.002
    deadline: float = 10.0
    head_deadline: float = 20.0
    body_deadline: float = 20.0
    write_deadline: float = 20.0
    idle: float = 75.0
    linger: float = 30.0
    refused: int = 100_000_000
    connections: int = 1_000
    connections_of_one: int = 500
    trial: float = 30.0
    drain: float = 15.0
