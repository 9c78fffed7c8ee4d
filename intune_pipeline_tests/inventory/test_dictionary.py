"""The data dictionary is current and complete."""

from intune_pipeline.inventory import dictionary, schema
from intune_pipeline.settings import project_directory


def test_the_page_is_what_the_tables_say() -> None:
    page = (project_directory() / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert page == dictionary.markdown(), f"run: {dictionary.__doc__}"


def test_every_table_and_column_says_what_it_means() -> None:
    silent = [
        f"{table.fullname}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if not column.comment or not table.comment
    ]
    assert silent == []
