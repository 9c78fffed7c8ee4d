"""Where databases and Dagster's home are when the settings do not say."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from intune_pipeline import local
from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres
from intune_pipeline.local import DatabaseUrls, database_urls, export, prepare_dagster_home
from intune_pipeline.settings import Settings, SettingsError

VARIABLES = ("ALLWHERE_DATABASE_URL", "DAGSTER_POSTGRES_URL", "DAGSTER_HOME")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory a server of root's may be in; pytest closes its own to other users."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


@pytest.fixture
def project(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own."""
    (place / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setattr(local, "project_directory", lambda: place)
    monkeypatch.setattr(local, "local_directory", lambda: place / ".local")
    return place


def reachable(url: str) -> str:
    engine = sa.create_engine(url)
    with engine.connect() as db:
        name = db.execute(sa.text("select current_database()")).scalar_one()
    engine.dispose()
    return str(name)


def test_nothing_set_means_an_embedded_server_with_both_databases(project: Path) -> None:
    from intune_pipeline.inventory import embedded_postgres

    urls = database_urls(Settings.load())
    assert (reachable(urls.allwhere), reachable(urls.dagster)) == ("allwhere", "dagster")
    assert database_urls(Settings.load()) == urls
    assert (project / ".local" / "postgres" / "data").is_dir()
    assert "postgres" not in repr(urls)
    embedded_postgres.start(project / ".local" / "postgres").release()


@pytest.mark.usefixtures("fixed_names")
def test_dagsters_database_is_created_beside_a_given_one(
    monkeypatch: pytest.MonkeyPatch,
    postgres: EmbeddedPostgres,
    new_database: Callable[..., str],
    maintenance: sa.Engine,
) -> None:
    url = new_database()
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", url)
    urls = database_urls(Settings.load())
    assert urls.allwhere == url
    assert reachable(urls.dagster) == "dagster"
    with maintenance.connect() as db:
        db.execute(sa.text("drop database dagster with (force)"))


@pytest.mark.usefixtures("fixed_names")
def test_who_may_not_create_dagsters_database_is_told(
    monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str], maintenance: sa.Engine
) -> None:
    with maintenance.connect() as db:
        db.execute(sa.text("create role tenant login"))
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", new_database().replace("postgres@", "tenant@"))
    with pytest.raises(
        SettingsError, match=r"DAGSTER_POSTGRES_URL is not set and .* may not create the database dagster"
    ):
        database_urls(Settings.load())
    with maintenance.connect() as db:
        db.execute(sa.text("drop role tenant"))


def test_given_addresses_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", "postgresql://a:b@db/allwhere")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql://a:b@db/other")
    assert database_urls(Settings.load()) == DatabaseUrls(
        "postgresql+psycopg2://a:b@db/allwhere", "postgresql+psycopg2://a:b@db/other"
    )


def test_dagsters_home_gets_the_repositorys_configuration(project: Path) -> None:
    home = prepare_dagster_home(Settings.load(dagster_home=project / "home"))
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_a_configuration_somebody_keeps_stays(project: Path) -> None:
    kept = project / "home" / "dagster.yaml"
    kept.parent.mkdir()
    kept.write_text("# mine\n")
    prepare_dagster_home(Settings.load(dagster_home=kept.parent))
    assert kept.read_text() == "# mine\n"


def test_a_missing_configuration_is_one_sentence(project: Path) -> None:
    (project / "dagster.yaml").unlink()
    with pytest.raises(SettingsError, match=r"has no dagster\.yaml"):
        prepare_dagster_home(Settings.load(dagster_home=project / "home"))


def test_children_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    export(DatabaseUrls("a", "b"), Path("/home"))
    assert [os.environ[name] for name in VARIABLES] == ["a", "b", "/home"]
