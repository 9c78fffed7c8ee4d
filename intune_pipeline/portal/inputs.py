"""What people and programs may send: types of form fields, queries and JSON bodies.

Belongs here: limits shared by pages and API. PostgreSQL stores no NUL.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from intune_pipeline.domain.vocabulary import LifecycleDecision

#: The largest number that every reader of JSON keeps exact.
MAX_ID = 2**53 - 1
MAX_TEXT = 500
_NO_NUL = r"^[^\x00]*$"

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=_NO_NUL)]
FilledText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT, pattern=_NO_NUL)]
#: Why a bypass code is needed: `inventory.vault.SHORTEST_REASON` characters between its first and last that are no space.
RevealReason = Annotated[
    str, StringConstraints(min_length=10, max_length=MAX_TEXT, pattern=r"^[^\x00-\x20\s][^\x00]{8,}[^\x00-\x20\s]$")
]
LifecycleAnswer = Literal[LifecycleDecision.RELEASED, LifecycleDecision.DROPPED]
