"""The page "Integrations › Microsoft Intune" of allwhere, for a customer's admins, and the same as a JSON API.

Belongs here: sign-in, pages, words for people, the API. Does not belong here: what decides (``domain``), SQL
(``inventory``), Microsoft's answers (``microsoft``) and running a sync: the portal asks for one by a row of
``sync_requests`` and reads its progress from ``sync_runs``.
"""
