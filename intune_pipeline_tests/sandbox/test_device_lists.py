"""Whatever devices are called and however long pages are, the pages together are the fleet."""

from urllib.parse import urlsplit

import orjson
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.sandbox.device_lists import DeviceLists
from intune_pipeline.sandbox.faults import Faults
from intune_pipeline.sandbox.odata import Query
from intune_pipeline.sandbox.tenants import SandboxTenant

text = st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=3)
records = st.lists(st.fixed_dictionaries({"id": text, "deviceName": text}), max_size=30)


@given(fleet=records, size=st.integers(1, 8), top=st.integers(0, 12))
def test_pages_together_are_the_fleet(fleet: list[dict[str, str | None]], size: int, top: int) -> None:
    numbered = [{**record, "serialNumber": str(number)} for number, record in enumerate(fleet)]
    tenant, lists = SandboxTenant("acme", numbered), DeviceLists(Faults(largest_page=size), "https://graph.example")
    shown, query = [], f"$top={top}&$select=serialNumber"
    for _ in range(len(fleet) + 1):
        page = orjson.loads(lists.answer(tenant, Query.parse(query)).encoded())
        shown += [device["serialNumber"] for device in page["value"]]
        if "@odata.nextLink" not in page:
            break
        query = urlsplit(page["@odata.nextLink"]).query
    assert sorted(shown, key=int) == [str(number) for number in range(len(fleet))]
