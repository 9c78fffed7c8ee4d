"""Behind our proxies every user has their own address, which limits are counted by."""

from pathlib import Path

import pytest

import intune_pipeline

DEPLOY = Path(intune_pipeline.__file__).parents[1] / "deploy"


@pytest.mark.parametrize("file", ["compose/compose.yaml", "kubernetes/portal.yaml"])
def test_the_portal_believes_its_proxys_word_for_addresses(file: str) -> None:
    assert "FORWARDED_ALLOW_IPS" in (DEPLOY / file).read_text()


def test_the_cluster_asks_whether_the_portal_is_ready() -> None:
    told = (DEPLOY / "kubernetes" / "portal.yaml").read_text()
    assert "readinessProbe: {httpGet: {path: /readyz, port: 8000}}" in told
    assert "path: /healthz" in told
