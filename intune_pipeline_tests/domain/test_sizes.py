"""Sizes are those on the box."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.sizes import MARKETED_STORAGE_GB, memory_gb, storage_gb


@pytest.mark.parametrize(
    ("size_in_bytes", "gigabytes"),
    [
        (68_719_476_736, 64),
        (999_653_638_144, 1000),
        (511_000_000_000, 512),
        (2**40, 1000),
        (127_989_493_760, 128),
        (750_156_374_016, 750),
        (300_000_000_000, 300),
        (0, None),
        (-1, None),
        (1, None),
        (None, None),
    ],
)
def test_storage_is_the_size_on_the_box(size_in_bytes: int | None, gigabytes: int | None) -> None:
    assert storage_gb(size_in_bytes) == gigabytes


@given(st.sampled_from(MARKETED_STORAGE_GB), st.floats(0.905, 1.095))
def test_storage_within_ten_percent_of_a_marketed_size_is_that_size(marketed: int, factor: float) -> None:
    assert storage_gb(round(marketed * factor * 10**9)) == marketed


@given(st.integers(1, 4096))
def test_memory_is_whole_gib_whatever_firmware_keeps_for_itself(gib: int) -> None:
    assert memory_gb(gib * 2**30) == gib
    assert memory_gb(gib * 2**30 - 2**28) == gib


@pytest.mark.parametrize("size_in_bytes", [None, 0, -5, 1])
def test_memory_that_graph_does_not_state_is_none(size_in_bytes: int | None) -> None:
    assert memory_gb(size_in_bytes) is None
