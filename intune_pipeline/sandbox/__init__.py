"""A fake Microsoft cloud for demonstrations, tests and sales: Entra, Graph and a sign-in provider over HTTPS.

It listens on loopback only, speaks with certificates of its own authority, keeps everything in memory and imports
nothing of the product it stands in for. Start it inside a process with ``cloud.SandboxCloud(...).running()`` or on its
own with ``python -m intune_pipeline.sandbox``. Nothing is imported here, so that naming the package stays cheap.
"""
