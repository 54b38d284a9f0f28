"""Whether a cluster answers, asks for a token, and takes ours: asked before Ray tries, which takes half a minute."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.settings import read_cluster_token
from fortydays.cluster.place import Place

SECONDS = 4.0
"""How long a cluster may take to answer."""

# Harmless questions of Ray's own protocol. What is asked with an empty message is answered with a status at least.
_OF_A_NODE = "/ray.rpc.NodeInfoGcsService/CheckAlive"
_OF_THE_CLIENT = "/ray.rpc.RayletDriver/ClusterInfo"

_HOW = "Start the cluster with RAY_AUTH_MODE=token, and set RAY_AUTH_TOKEN to its token, here and there."


def token_for(place: Place) -> str:
    """The token of a cluster that runs, after it was seen that the cluster takes it.

    Raises:
        UsageError: there is no token, or the cluster takes another one, or anyone.
        FortydaysError: nothing answers there.
    """
    token = read_cluster_token()
    if not token:
        raise UsageError(f"There is no token for the cluster {place}. Without one, none is used.", hint=_HOW)
    if not token.isascii() or not token.isprintable():
        raise UsageError("The token of the cluster has characters that no token has.", hint=_HOW)
    if _refused(place):
        raise FortydaysError(f"No cluster answers at {place}: nothing listens at that port.", hint=_running(place))
    # Without the token first: one who asks for none is not told it.
    status = _asked(place, [])
    asks = status == "UNAUTHENTICATED"
    if asks:
        status = _asked(place, [("authorization", f"Bearer {token}")])
    if status == "UNAUTHENTICATED":
        raise UsageError(
            f"The cluster {place} does not take the token that is set here.",
            hint="Set RAY_AUTH_TOKEN to the cluster's token. There, `ray get-auth-token` shows it.",
        )
    if status in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
        raise FortydaysError(f"No cluster answers at {place}.", hint=_running(place))
    if status == "UNIMPLEMENTED":
        other = place.address if place.client else f"ray://{place.address}"
        raise UsageError(f"{place} is another port of the cluster.", hint=f"Try --on {other}, or another port.")
    if not asks:
        raise UsageError(
            f"The cluster {place} asks for no token: whoever reaches it can run programs on it. It is not used.",
            hint=_HOW,
        )
    return token


def _running(place: Place) -> str:
    port = "10001, the port of the Ray Client" if place.client else "6379, the port of the head node"
    return f"Does it run, and may this machine reach it? Usually its port is {port}."


def _refused(place: Place) -> bool:
    """Whether the machine says that nothing listens at the port. It is asked first, because it says so at once.

    Only an address of numbers is asked: to look a name up may take longer than a cluster may take to answer.
    """
    host, _, port = place.address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        ipaddress.ip_address(host)
        with socket.create_connection((host, int(port)), timeout=SECONDS / 2):
            return False
    except ConnectionRefusedError:
        return True
    except (ValueError, OSError):  # a name, or it does not answer: gRPC finds out what it is
        return False


def answers(place: Place) -> bool:
    """Whether a cluster that runs answers a question, whatever it says."""
    return _asked(place, []) not in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


def _asked(place: Place, metadata: Sequence[tuple[str, str]]) -> str:
    """The status with which a question is answered, by its name in gRPC."""
    import grpc

    method = _OF_THE_CLIENT if place.client else _OF_A_NODE
    # A proxy would be asked for an address that only this network knows.
    with grpc.insecure_channel(place.address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            ask: Any = channel.unary_unary(method)
            ask(b"", timeout=SECONDS / 2, metadata=metadata)
        except grpc.RpcError as error:
            status: Any = error
            return str(status.code().name)
    return "OK"
