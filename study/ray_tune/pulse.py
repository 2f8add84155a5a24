"""Whether Ray itself is still there: a study whose Ray is gone stops, and none of its runs counts as failed."""

import contextlib
import math
import select
import socket
import time
from typing import Any

import ray
from ray._private import worker as ray_worker

HEAD_S = 20.0  # that the head may be silent; after a minute Ray ends this process without a word
HERE_S = 3.0  # the same on this machine, where no network comes between
CONNECT_S = 1.0


class RayLost(BaseException):
    """Ray is gone. No Exception, after which Tune would take its leave of each worker: with no head, minutes of it."""


def head_answers() -> bool:
    """Whether the head's store of the cluster (GCS) takes connections; Ray's own questions to it would block."""
    host, port = _head()
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError:
        return False
    return True


class Pulse:
    """Raises RayLost once this machine's Ray process (raylet) has ended or the head has been silent for long.

    A connection to the raylet on which nothing is ever sent is closed the moment that the raylet ends.
    """

    def __init__(self) -> None:
        self.head_s = HERE_S if _head()[0] == ray.util.get_node_ip_address() else HEAD_S
        self.heard = time.monotonic()  # from the head
        self.asked = -math.inf
        self.raylet = _connection()

    def check(self) -> None:
        """Ask the raylet now, the head at most once a second."""
        if self.raylet and select.select([self.raylet], [], [], 0)[0]:
            raise RayLost("its process on this machine (raylet) has ended")
        if time.monotonic() < self.asked + 1:
            return
        self.asked = time.monotonic()
        if head_answers():
            self.heard = self.asked
        elif self.asked > self.heard + self.head_s:
            raise RayLost(f"its head (GCS) has not answered for {self.head_s:g} s")

    def settle(self) -> None:
        """Return once the head is known to be there; workers that end with Ray end a moment before it does."""
        since = time.monotonic()
        while self.heard < since + 1:
            time.sleep(0.2)
            self.check()

    def close(self) -> None:
        if self.raylet:
            self.raylet.close()


def _head() -> tuple[str, int]:
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    return host.strip("[]"), int(port)


def _connection() -> socket.socket | None:
    """To the raylet of this machine; None on a system where it listens in another way."""
    path: Any = getattr(getattr(ray_worker.global_worker, "node", None), "raylet_socket_name", None)
    if not path or not hasattr(socket, "AF_UNIX"):
        return None
    connection = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(OSError):
        connection.connect(path)
        return connection
    connection.close()
    return None
