"""What every ``/metrics`` has in common: the token, and the answer in Prometheus' words.

Belongs here: who may scrape, and the exposition. Does not belong here: the numbers (``portal.metrics``,
``orchestration.process.fleet_metrics``).
"""

import secrets
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr

PATH: Final = "/metrics"
_TEXT: Final = "text/plain; charset=utf-8"


def answer(
    registry: CollectorRegistry, token: SecretStr | None, authorization: str, accept: str
) -> tuple[HTTPStatus, str, bytes]:
    """Status, content type and body for a scraper.

    Args:
        registry: the numbers.
        token: what a scraper has to send; None: nobody may scrape, and there is no such page.
        authorization: the request's header of that name.
        accept: likewise.
    """
    if token is None:
        return HTTPStatus.NOT_FOUND, _TEXT, b"There is no such page.\n"
    scheme, _, given = authorization.partition(" ")
    expected = token.get_secret_value().encode()
    if scheme.lower() != "bearer" or not secrets.compare_digest(given.strip().encode(), expected):
        return HTTPStatus.UNAUTHORIZED, _TEXT, b"Send the token: Authorization: Bearer INTUNE_METRICS_TOKEN\n"
    encode, content_type = choose_encoder(accept)
    return HTTPStatus.OK, content_type, encode(registry)
