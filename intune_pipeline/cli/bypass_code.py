"""``bypass-code``: revealing one code and rotating the keys.

Belongs here: the commands. Does not belong here: ciphers (``inventory.vault``).
"""

import getpass

import click


@click.group("bypass-code")
def group() -> None:
    """Activation-lock bypass codes: stored encrypted, revealed one at a time, audited."""


@group.command("reveal")
@click.argument("account")
@click.argument("serial")
@click.option("--reason", required=True, help="Why the code is needed; kept in the audit log.")
def reveal(account: str, serial: str, reason: str) -> None:
    """Decrypt and print the bypass code of SERIAL in ACCOUNT; who, when and why is recorded."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory.vault import Vault
    from intune_pipeline.settings import Settings

    vault = Vault(Settings.load().bypass_code_keys)
    with store.opened() as engine, engine.begin() as db:
        code = vault.reveal(db, account, serial, reason=reason, actor=operator())
    click.echo(code)


@group.command("rotate")
def rotate() -> None:
    """Encrypt all accounts' keys with the first key of BYPASS_CODE_KEYS; codes of earlier versions are sealed anew."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory.vault import Vault
    from intune_pipeline.settings import Settings

    vault = Vault(Settings.load().bypass_code_keys)
    with store.opened() as engine:
        rotated = vault.rotate(engine)
    click.echo(f"{rotated.keys} keys of accounts are encrypted with the first key; the others can be removed now.")
    if rotated.codes or rotated.dropped:
        click.echo(
            f"{rotated.codes} bypass codes of an earlier version are bound to their asset now; "
            f"{rotated.dropped} without a device are collected again by the next sync."
        )


def operator() -> str:
    """Who runs the command, as the audit log names them."""
    return f"operator:{getpass.getuser()}"
