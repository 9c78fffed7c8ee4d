"""Keeps a copy of an allwhere account's assets and employees in step with its change feed.

    ALLWHERE_TOKEN=… python follow_changes.py https://portal.example.com copy.json

The copy and its cursor are saved together, so it may crash anywhere: it goes on with the cursor it saved last. Some changes are
then told twice, which does no harm, because each tells the asset or employee as it is now.
"""

import json
import os
import sys
from pathlib import Path

import requests


def get(session: requests.Session, url: str, **params: object) -> dict | None:
    """One answer of the API; None for a cursor that is older than 90 days."""
    answer = session.get(url, params=params, timeout=60)
    if answer.status_code == requests.codes.gone:
        return None
    answer.raise_for_status()
    return answer.json()


def everything(session: requests.Session, api: str) -> dict:
    """The cursor comes first, so that what changes while assets and employees are listed is told afterwards."""
    copy = {"cursor": get(session, f"{api}/changes", cursor="latest")["cursor"], "asset": {}, "employee": {}}
    for entity in ("asset", "employee"):
        page = get(session, f"{api}/{entity}s")
        while page[f"{entity}s"]:
            copy[entity] |= {str(one["id"]): one for one in page[f"{entity}s"]}
            page = get(session, f"{api}/{entity}s", after=page[f"{entity}s"][-1]["id"])
    return copy


def follow(session: requests.Session, api: str, path: Path) -> None:
    """Bring the copy up to date, page by page."""
    copy = json.loads(path.read_text()) if path.exists() else everything(session, api)
    more = True
    while more:
        page = get(session, f"{api}/changes", cursor=copy["cursor"])
        for change in page["changes"] if page else ():
            copy[change["entity"]][str(change["entity_id"])] = change["current"]
            if change["current"] is None:
                del copy[change["entity"]][str(change["entity_id"])]
        copy, more = ({**copy, "cursor": page["cursor"]}, page["more"]) if page else (everything(session, api), True)
        partial = path.with_suffix(".partial")  # then in one step: the copy before, or the copy after
        partial.write_text(json.dumps(copy))
        partial.replace(path)


if __name__ == "__main__":
    with requests.Session() as signed_in:
        signed_in.headers["Authorization"] = f"Bearer {os.environ['ALLWHERE_TOKEN']}"
        follow(signed_in, f"{sys.argv[1]}/api/v1", Path(sys.argv[2]))
