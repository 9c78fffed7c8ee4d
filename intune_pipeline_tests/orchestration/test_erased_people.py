"""A sync does not bring an erased person back, and keeps nobody of skipped devices."""

import sqlalchemy as sa

from intune_pipeline.inventory import audit, erasures
from intune_pipeline_tests.orchestration.conftest import World

PEOPLE = """
    select lower(user_email) from pipeline.raw_intune_devices where user_email is not null
    union select lower(user_email) from pipeline.classified_devices where user_email is not null
    union select lower(email) from pipeline.employees
    union select email_key from employee_emails
"""


def test_an_erased_person_is_not_brought_back_while_the_erasure_stands(world: World) -> None:
    world.execute("update connections set mdm_assignee_updates = true")
    world.sync()
    [(email, employee_id)] = world.query(
        "select m.email, m.employee_id from employee_emails m join assets a on a.assignee_id = m.employee_id order by 1 limit 1"
    )
    held = world.query("select count(*) from assets where assignee_id = :id", id=employee_id)
    with world.engine.begin() as db:
        erasures.erase(db, "acme", email, reason="asked for it", actor="operator:joe")
    for _ in range(2):
        world.sync()
        assert world.last.succeeded
        assert email.lower() not in {one for (one,) in world.query(PEOPLE)}
    assert world.query("select count(*) from assets where assignee_id = :id", id=employee_id) == held
    with world.engine.connect() as db:
        assert audit.broken(db) == []
    with world.engine.begin() as db:
        erasures.lift(db, "acme", email, reason="hired again", actor="operator:joe")
    world.sync()
    assert email.lower() in {one for (one,) in world.query(PEOPLE)}


def test_frames_keep_users_of_eligible_devices_only(world: World) -> None:
    world.sync()
    skipped = sa.text("""
        select count(*), count(coalesce(c.user_id, c.user_email, c.user_principal_name, c.user_display_name)),
               count(coalesce(r.user_id, r.user_email, r.user_principal_name, r.user_display_name))
        from pipeline.classified_devices c join pipeline.raw_intune_devices r using (partition_key, intune_device_id)
        where (c.skip_reason is null) = :eligible
    """)
    with world.engine.connect() as db:
        devices, judged, listed = db.execute(skipped, {"eligible": False}).one()
        assert devices > 0
        assert judged == listed == 0
        devices, judged, listed = db.execute(skipped, {"eligible": True}).one()
        assert judged == listed > 0
