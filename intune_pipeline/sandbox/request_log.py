"""What was asked of the sandbox: one entry per HTTP request, for tests and benchmarks that measure a client."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple


class Request(NamedTuple):
    """One HTTP request.

    Attributes:
        at: Monotonic time of its arrival, in seconds.
        tenant: The tenant's id, empty where the request names none.
        method: HTTP method.
        path: Path without the query.
        status: Status answered, 0 when the connection was cut.
        items: Number of requests inside a batch, else 1.
    """

    at: float
    tenant: str
    method: str
    path: str
    status: int
    items: int = 1


class RequestLog:
    """Requests in order of their answers; safe to read from any thread."""

    def __init__(self) -> None:
        self._requests: list[Request] = []

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests))

    def add(self, request: Request) -> None:
        """Note one request."""
        self._requests.append(request)

    def clear(self) -> None:
        """Forget everything."""
        self._requests = []

    def count(self, path_end: str = "") -> int:
        """How many requests, batch items one by one, had a path ending in ``path_end``."""
        return sum(request.items for request in self if request.path.endswith(path_end))

    def busiest_window(self, tenant: str | None = None, seconds: float = 20.0) -> int:
        """The most Graph requests, batch items one by one, that arrived within any ``seconds``.

        Args:
            tenant: Only this tenant's, None for the busiest over all tenants together.
            seconds: Length of the window.
        """
        busiest = inside = 0
        window: deque[Request] = deque()
        graph = (one for one in self if one.path.startswith("/v1.0/") and tenant in {None, one.tenant})
        for request in sorted(graph, key=lambda one: one.at):
            window.append(request)
            inside += request.items
            while request.at - window[0].at >= seconds:
                inside -= window.popleft().items
            busiest = max(busiest, inside)
        return busiest
