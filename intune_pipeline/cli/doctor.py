"""``doctor``: what works and what does not, a line each.

Belongs here: the checks' order and how they are printed. Does not belong here: what a check knows.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click

from intune_pipeline.errors import PipelineError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from intune_pipeline.settings import MicrosoftSettings, Settings

MAX_CLOCK_SKEW_SECONDS = 120
Found = TypeVar("Found")


class _FindingError(PipelineError):
    """Something is not as it should be; the message says what to do."""


@click.command("doctor")
@click.argument("account", required=False)
def command(account: str | None) -> int:
    """Check settings, databases, keys and clock; with ACCOUNT also its tenant's token, role and one Graph call."""
    from intune_pipeline.settings import MicrosoftSettings, Settings

    checkup = _Checkup()
    settings = checkup.step("settings", Settings.load, lambda _: "read and well formed")
    microsoft = checkup.step("Microsoft settings", MicrosoftSettings.load, _app)
    if settings is not None:
        checkup.step("bypass code keys", partial(_keys, settings), str)
        checkup.step("alerts", partial(_alerts, settings), str)
        checkup.step("e-mails to admins", _mails, str)
        try:
            _check_stores(checkup, account, settings, microsoft)
        except PipelineError as error:
            checkup.say("database", str(error), passed=False)
    if microsoft is not None:
        checkup.step("clock", partial(_clock, microsoft), str)
    return checkup.status


class _Checkup:
    """Prints a line per check and remembers whether all passed."""

    def __init__(self) -> None:
        self.status = 0

    def step(self, name: str, check: Callable[[], Found], sentence: Callable[[Found], str]) -> Found | None:
        """Run one check; what it finds, or None after it failed."""
        try:
            found = check()
        except PipelineError as error:
            self.say(name, str(error), passed=False)
            return None
        except Exception as error:  # noqa: BLE001 - the other checks are worth their lines all the same
            self.say(name, f"stopped at an unexpected {type(error).__name__}", passed=False)
            return None
        self.say(name, sentence(found), passed=True)
        return found

    def say(self, name: str, sentence: str, *, passed: bool) -> None:
        """Print one line."""
        self.status = self.status if passed else 1
        click.secho("✓" if passed else "✗", fg="green" if passed else "red", nl=False)
        click.echo(f" {name}: {sentence}")


def _app(microsoft: "MicrosoftSettings") -> str:
    return f"app {microsoft.microsoft_client_id} at {microsoft.microsoft_login_url} and {microsoft.microsoft_graph_url}"


def _keys(settings: "Settings") -> str:
    if not settings.bypass_code_keys:
        return "BYPASS_CODE_KEYS is not set, so bypass codes are not collected"
    return f"{len(settings.bypass_code_keys)} keys, the first encrypts"


def _alerts(settings: "Settings") -> str:
    from intune_pipeline.orchestration.sync.alerts import how_many_addresses

    addresses = how_many_addresses(settings.intune_alert_urls)
    if not addresses:
        return "INTUNE_ALERT_URLS is not set, so nobody is told when a sync fails"
    return f"{addresses} {'address' if addresses == 1 else 'addresses'}"


def _mails() -> str:
    from intune_pipeline.orchestration.sync.mails import mailer_of
    from intune_pipeline.settings import MailSettings, SettingsError

    mailer = mailer_of(MailSettings.load())
    if mailer.problem:
        raise SettingsError(mailer.problem)
    return "by INTUNE_MAIL_URL" if mailer.send else "INTUNE_MAIL_URL is not set, so no customer's admin has e-mails"


def _check_stores(
    checkup: _Checkup, account: str | None, settings: "Settings", microsoft: "MicrosoftSettings | None"
) -> None:
    from intune_pipeline.cli import store
    from intune_pipeline.microsoft.health import check_tenant

    with store.opened(migrated=False) as engine:
        checkup.step("database", partial(_database, engine), str)
        migrated = checkup.step("migrations", partial(_migrations, engine), str)
        if migrated:
            checkup.step("row-level security", partial(_row_security, engine), str)
            checkup.step("audit log", partial(_audit_log, engine), str)
            checkup.step("administrators' roles", partial(_roles_told, engine), str)
        if migrated and account and microsoft:
            tenant_id = checkup.step(account, partial(_tenant, engine, account), "connected to tenant {}".format)
            for step in check_tenant(microsoft.cloud, microsoft.credential, tenant_id) if tenant_id else ():
                checkup.say(f"{account} {step.name}", step.sentence, passed=step.passed)
        checkup.step("Dagster's storage", _dagster_storage, str)
        if migrated:
            _check_pulse(checkup, engine, settings)


def _check_pulse(checkup: _Checkup, engine: "Engine", settings: "Settings") -> None:
    """What starts the syncs. In an installation in which nothing has run yet nothing is wrong."""
    from intune_pipeline.cli.probe import look
    from intune_pipeline.orchestration.process.pulse import Sign

    for found in look(engine, settings):
        checkup.say(found.name, found.says, passed=found.sign is not Sign.BAD)


def _tenant(engine: "Engine", account: str) -> str:
    from intune_pipeline.inventory import connections

    with engine.connect() as db:
        return connections.syncable(db, account).tenant_id or ""


def _database(engine: "Engine") -> str:
    with engine.connect() as db:
        version = db.exec_driver_sql("show server_version").scalar_one()
    return f"PostgreSQL {version}, database {engine.url.database}"


def _roles_told(engine: "Engine") -> str:
    """Whether id tokens carry ``wids``. Only sign-ins show it: our permission does not let us read the app's manifest."""
    from intune_pipeline.inventory import linking

    with engine.connect() as db:
        last = linking.last_sign_in_told_roles(db)
    if last is None:
        return "not known before the first sign-in at Microsoft; the app's manifest needs groupMembershipClaims DirectoryRole"
    at, told = last
    if not told:
        raise _FindingError(
            f"the id token of the last sign-in at Microsoft, {at:%Y-%m-%d %H:%M} UTC, had no wids, so its tenant was not "
            "connected; unless that person has no role at all, set groupMembershipClaims to DirectoryRole in the app's manifest"
        )
    return f"told by the last sign-in at Microsoft, {at:%Y-%m-%d %H:%M} UTC"


def _migrations(engine: "Engine") -> str:
    from intune_pipeline.inventory.database import pending

    waiting = pending(engine)
    if waiting:
        raise _FindingError(f"{len(waiting)} pending; run: intune-pipeline db upgrade")
    return "up to date"


def _row_security(engine: "Engine") -> str:
    import sqlalchemy as sa

    from intune_pipeline.inventory import row_security

    query = "select rolname, rolsuper or rolbypassrls as is_exempt from pg_roles where rolname = current_user"
    with engine.connect() as db:
        if open_tables := row_security.unprotected(db):
            raise _FindingError(f"{', '.join(open_tables)} lack it; run: intune-pipeline db upgrade")
        user = db.execute(sa.text(query)).one()
    if user.is_exempt:
        return f"in force, but not for the superuser {user.rolname}; create roles: intune-pipeline db upgrade --roles"
    return f"in force, for {user.rolname} too"


def _audit_log(engine: "Engine") -> str:
    from intune_pipeline.inventory import audit

    with engine.connect() as db:
        breaks = audit.broken(db)
    if breaks:
        where = ", ".join(f"{one.account} at entry {one.id}" for one in breaks)
        raise _FindingError(f"was changed outside the product: {where}; compare it with a backup")
    return "every account's chain holds"


def _dagster_storage() -> str:
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        return f"{instance.get_runs_count()} runs"


def _clock(microsoft: "MicrosoftSettings") -> str:
    from intune_pipeline.microsoft.health import clock_skew

    seconds = clock_skew(microsoft.cloud).total_seconds()
    if abs(seconds) > MAX_CLOCK_SKEW_SECONDS:
        raise _FindingError(
            f"this machine's clock is {seconds:+.0f} s off Microsoft's, which spoils signatures; synchronise it"
        )
    return f"{seconds:+.0f} s off Microsoft's"
