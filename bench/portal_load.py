"""How fast the portal's pages are with many devices and users: ``python -m bench.portal_load``.

Prints, per page, the median and the 95th percentile twice: for users who take a second to read each page, and for users
who never stop. The portal is one process, as ``intune-pipeline portal`` starts it; users are in another.
"""

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import psutil
import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import Role
from intune_pipeline.inventory import accounts, embedded_postgres, schema, sessions
from intune_pipeline.inventory import database as databases
from intune_pipeline.inventory.roles import DEFAULT_PREFIX, Acting
from intune_pipeline.inventory.roles import Role as DatabaseRole

SECRET = "load" * 10
HOME = "/integrations/intune"
PAGES = {
    "status": HOME,
    "devices": f"{HOME}/devices",
    "devices, page 100 by model": f"{HOME}/devices?sort=model&order=asc&page=100",
    "devices, search": f"{HOME}/devices?search=SN0099",
    "devices, search for a user": f"{HOME}/devices?search=person29",
    "devices, filter": f"{HOME}/devices?reason=desktop",
    "devices, gone": f"{HOME}/devices?presence=gone&sort=user",
    "devices, by age": f"{HOME}/devices?system=macOS&contact=month&sort=release_date",
    "device": f"{HOME}/device?serial_number=SN000123",
    "decisions, people": f"{HOME}/decisions/people",
    "decisions, search": f"{HOME}/decisions/people?search=user29",
    "decisions, check all": f"{HOME}/decisions/people/check?decision=link&scope=found",
    "decisions, devices": f"{HOME}/decisions/devices?page=20",
    "decisions, duplicates": f"{HOME}/decisions/duplicates",
    "decided": f"{HOME}/decisions/decided",
    "models": f"{HOME}/models",
    "run": f"{HOME}/runs/31",
    "settings": f"{HOME}/settings",
    "audit": f"{HOME}/audit",
    "progress.json": f"{HOME}/progress.json",
}
SEED = """
    insert into accounts (slug, name) values ('load', 'Load');
    insert into connections (account_id, tenant_id, status, connected_at)
        select id, '00000000-0000-4000-8000-000000000001', 'connected', now() from accounts;
    insert into sync_runs (connection_id, trigger, status, list_complete, started_at, finished_at, devices_listed, devices_synced,
                           devices_skipped, skipped_by_reason, assets_updated)
        select c.id, 'schedule', 'succeeded', true, now() - n * interval '1 day', now() - n * interval '1 day' + interval '40 seconds',
               {devices}, {devices} * 7 / 10, {devices} - {devices} * 7 / 10,
               jsonb_build_object('desktop', {devices} - {devices} * 7 / 10), 12
        from connections c, generate_series(30, 0, -1) n;
    insert into employees (account_id, first_name, last_name) select id, 'Ada', 'No ' || n from accounts, generate_series(1, 3000) n;
    insert into assets (account_id, serial_number, asset_type, status, model, model_name, make, assignee_id, operating_system,
                        release_date)
        select a.id, 'SN' || lpad(n::text, 6, '0'), (array['laptop', 'laptop', 'mobile', 'tablet'])[1 + n %% 4], 'allocated',
               '20XWS' || n %% 97, 'ThinkPad T14 Gen ' || 1 + n %% 5, 'Lenovo', 1 + n %% 3000,
               (array['Windows', 'macOS', 'iOS', 'Android'])[1 + n %% 4], case when n %% 5 > 0 then (2018 + n %% 8)::text end
        from accounts a, generate_series(1, {devices} * 7 / 10) n;
    insert into device_outcomes (connection_id, intune_device_id, serial_number, outcome, reason, device_type, rule, rule_reason,
                                 manufacturer, model, model_name, operating_system, device_name, listed_user, asset_id, sync_run_id,
                                 first_seen_at, first_synced_at, last_synced_at, last_contact_at)
        select c.id, gen_random_uuid()::text, 'SN' || lpad(n::text, 6, '0'), case when a.id is null then 'skipped' else 'synced' end,
               case when a.id is null then 'desktop' end, coalesce(a.asset_type, 'desktop'), 'lenovo', 'the model says so',
               'LENOVO', '20XWS' || n %% 97, 'ThinkPad T14 Gen ' || 1 + n %% 5, coalesce(a.operating_system, 'Windows'), 'PC-' || n,
               'person' || n %% 3000 || '@load.example', a.id, r.id - (n %% 50 = 0)::int, now() - n %% 400 * interval '1 day',
               now(), now(), now() - n %% 120 * interval '1 day'
        from connections c, (select max(id) as id from sync_runs) r, generate_series(1, {devices}) n
        left join assets a on a.serial_number = 'SN' || lpad(n::text, 6, '0');
    insert into pipeline.snapshots (asset, partition_key, tenant_id, run_id, listing_id, listed_at, complete, devices_listed, personal, rows)
        values ('classified_devices', 'load', '00000000-0000-4000-8000-000000000001', 'r', 'l', now(), true, {devices}, 0, {devices});
    insert into pipeline.classified_devices (partition_key, intune_device_id, ownership, serial_number, operating_system, os_version,
                                             manufacturer, model, device_name, user_email, user_display_name, storage_bytes,
                                             device_type, rule, rule_reason, skip_reason)
        select 'load', intune_device_id, 'company', serial_number, operating_system, '10.0.26100.1', manufacturer, model, device_name,
               listed_user, 'Ada Person', 512000000000, device_type, rule, rule_reason, reason from device_outcomes;
    insert into audit_log (account_id, actor, action, subject) select id, 'ada', 'settings', n::text from accounts, generate_series(1, 500) n;
    insert into employee_holds (connection_id, email, first_name, last_name, lookalike_id, grade, reason)
        select c.id, 'user' || n || '@load.example', 'Ada', 'No ' || n, n, case when n %% 3 = 0 then 'surely' else 'probably' end,
               'the same name' from connections c, generate_series(1, 3000) n;
    insert into lifecycle_holds (connection_id, intune_device_ids, reason)
        select connection_id, jsonb_agg(intune_device_id), 'Many at once.'
        from (select * from device_outcomes order by serial_number limit 3000) gone group by connection_id;
    insert into asset_changes (asset_id, sync_run_id, field, old_value, new_value)
        select a.id, r.id, 'os_version', '10.0.' || n, '10.0.' || n + 1 from assets a, generate_series(1, 5) n, (select max(id) as id from sync_runs) r;
    analyze;
"""


def serve(url: str, port: int) -> None:
    """The portal's process."""
    import uvicorn

    from intune_pipeline.portal.app import create_app
    from intune_pipeline.portal.serving import server_config
    from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings

    portal = PortalSettings(
        portal_url=f"http://127.0.0.1:{port}",
        portal_session_secret=SECRET,
        auth0_domain="sign-in.invalid",
        auth0_client_id="x",
        auth0_client_secret="x",
        auth0_audience="x",
    )
    microsoft = MicrosoftSettings(microsoft_client_id="x", microsoft_client_secret="x")
    app = create_app(Settings(), portal, microsoft, databases.create_engine(url, acting=Acting(DatabaseRole.PORTAL)))
    uvicorn.Server(server_config(app, host="127.0.0.1", port=port)).run()


def session(engine: sa.Engine) -> str:
    """The cookie of a signed-in admin."""
    now = datetime.now(UTC)
    person = sessions.SignedIn("x", "ada@load.example", "Ada", Role.PRIMARY_ADMIN, beta=True, authenticated_at=now)
    with engine.begin() as db:
        return sessions.begin(db, person, accounts.get(db, "load").id, now)


async def user(
    address: str, cookie: str, until: float, pause: float, offset: int, times: dict[str, list[float]]
) -> None:
    """Read page after page until the time is over."""
    async with httpx2.AsyncClient(base_url=address, cookies={"allwhere-intune": cookie}, timeout=30) as client:
        await asyncio.sleep(pause * offset / 20)
        pages = list(PAGES.items())
        while time.monotonic() < until:
            name, path = pages[offset % len(pages)]
            offset += 1
            began = time.perf_counter()
            answer = await client.get(path)
            times[name].append(1000 * (time.perf_counter() - began))
            assert answer.status_code == 200, (path, answer.status_code)
            await asyncio.sleep(pause)


async def load(address: str, cookie: str, users: int, seconds: float, pause: float) -> dict[str, list[float]]:
    times: dict[str, list[float]] = defaultdict(list)
    until = time.monotonic() + seconds
    await asyncio.gather(*(user(address, cookie, until, pause, number, times) for number in range(users)))
    return times


def report(title: str, times: dict[str, list[float]], seconds: float) -> None:
    every = [one for measured in times.values() for one in measured]
    print(f"\n{title}: {len(every) / seconds:.0f} pages a second")
    for name, measured in [*times.items(), ("all", every)]:
        cut = statistics.quantiles(measured, n=20)[-1] if len(measured) > 1 else measured[0]
        print(f"  {name:28} median {statistics.median(measured):6.1f} ms   p95 {cut:6.1f} ms   ({len(measured)})")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int, default=10_000)
    arguments.add_argument("--users", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=15)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        server = embedded_postgres.start(Path(directory))
        url = databases.create_if_missing(server.url("postgres"), "load")
        engine = databases.create_engine(url)
        databases.create_roles(engine, DEFAULT_PREFIX, {})
        databases.upgrade(engine)
        with engine.begin() as db:
            db.exec_driver_sql(SEED.format(devices=given.devices))
            assert db.scalar(sa.select(sa.func.count()).select_from(schema.device_outcomes)) == given.devices
        cookie = session(engine)
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(url, port), daemon=True)
        process.start()
        address = f"http://127.0.0.1:{port}"
        while True:
            try:
                httpx2.get(f"{address}/sign-in")
                break
            except httpx2.ConnectError:
                time.sleep(0.1)
        asyncio.run(load(address, cookie, 2, 2, 0))
        portal = psutil.Process(process.pid)
        for title, pause in (("with a second to read each page", 1.0), ("without a pause", 0.0)):
            before = sum(portal.cpu_times()[:2])
            times = asyncio.run(load(address, cookie, given.users, given.seconds, pause))
            cpu = 1000 * (sum(portal.cpu_times()[:2]) - before) / sum(map(len, times.values()))
            report(f"{given.users} users {title}, {given.devices:,} devices", times, given.seconds)
            print(f"  portal's own CPU             {cpu:6.1f} ms a page")
        process.terminate()
        process.join()
        engine.dispose()
        server.release()


if __name__ == "__main__":
    main()
