"""People: their names, who is one, who is whom.

One module per subject: ``noise`` (what surrounds a name), ``readings`` and ``names`` (splitting), ``addresses`` (how an
address is made from a name), ``conventions`` and ``learning`` (what a company does), ``capitals``, ``words`` and
``not_people`` (rooms, bots, functions), ``identity`` (users and employees), ``lookalikes`` (one person, two employees).
"""

from intune_pipeline.domain.people.conventions import Convention, Conventions
from intune_pipeline.domain.people.identity import (
    LONGEST_EMAIL,
    Employee,
    EmployeeDirectory,
    KnownUser,
    Person,
    people_of,
    person_of,
    user_key,
)
from intune_pipeline.domain.people.learning import learn
from intune_pipeline.domain.people.lookalikes import Known, Lookalike, LookalikeIndex
from intune_pipeline.domain.people.names import LONGEST_NAME, MOST_WORDS, Verdict, judge, split_name
from intune_pipeline.domain.people.spelling import email_key

__all__ = [
    "LONGEST_EMAIL",
    "LONGEST_NAME",
    "MOST_WORDS",
    "Convention",
    "Conventions",
    "Employee",
    "EmployeeDirectory",
    "Known",
    "KnownUser",
    "Lookalike",
    "LookalikeIndex",
    "Person",
    "Verdict",
    "email_key",
    "judge",
    "learn",
    "people_of",
    "person_of",
    "split_name",
    "user_key",
]
