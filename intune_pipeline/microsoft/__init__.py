"""Everything between this product and Microsoft: Entra tokens and consent, Intune's devices over Graph, error causes.

Belongs here: how to ask Microsoft, how long to wait, how to tell a whole answer from a broken one, what an error means.
Does not belong here: what a device's values mean (``domain``), where they are stored (``inventory``), when to ask
(``orchestration``). Settings arrive as plain values (`cloud.MicrosoftCloud`, `cloud.Credential`).
"""
