"""(j): phones with the app SMS Gateway for Android, beside as many that have a link."""

import asyncio
import time

from bench.figures import Figure, Figures
from bench.measures import fleet
from bench.plan import Plan
from bench.servers import Server
from kit.load import http
from kit.load.app_phones import AppPhones, make_key
from kit.load.deliveries import Quantiles, text
from kit.load.loops import Wrong
from kit.load.org import Org
from kit.program import cores

LINKS, APPS = "links", "apps"
RETRIES = 15
"""Of the times to settle, before the phones count as idle."""


def case(phones: int, kind: str) -> str:
    return f"{phones:,} {kind}"


async def beside_links(server: Server, plan: Plan, figures: Figures) -> None:
    """Connects links, then as many apps, and measures both while all are connected."""
    phones = plan.apps

    def add(kind: str, name: str, unit: str, value: float) -> None:
        figure = Figure("j", case(phones, kind), name, unit)
        figures.add(server.side.name, figure, value)

    orgs = [Org(server, f"links-{n}") for n in range(plan.fleet_orgs)]
    app_org = Org(server, "apps")
    share = phones // plan.fleet_orgs
    try:
        for org in (*orgs, app_org):
            await org.__aenter__()
        await asyncio.sleep(plan.settle_s)
        rss, cpu = server.rss_bytes(), server.cpu_s()
        await asyncio.gather(
            *(org.connect(share, acks=True, at_once=fleet.AT_ONCE, settled=False) for org in orgs)
        )
        for org in orgs:
            await org.online(share)
        await asyncio.sleep(plan.settle_s)
        add(LINKS, fleet.MEMORY, "KB", (server.rss_bytes() - rss) / phones / 1000)
        add(LINKS, "server CPU per connect", "µs", (server.cpu_s() - cpu) / phones * 1e6)
        rss, cpu, begun = server.rss_bytes(), server.cpu_s(), time.perf_counter()
        key = await make_key(app_org)
        with AppPhones(
            app_org,
            key,
            phones,
            server.database.parent,
            haste=plan.app_haste,
            core=cores()[1],
        ) as apps:
            await apps.online()
            add(APPS, fleet.CONNECT, "s", time.perf_counter() - begun)
            add(APPS, "server CPU per connect", "µs", (server.cpu_s() - cpu) / phones * 1e6)
            await asyncio.sleep(plan.settle_s)
            add(APPS, fleet.MEMORY, "KB", (server.rss_bytes() - rss) / phones / 1000)
            # What failed in the crowd is tried again after 10 s.
            await asyncio.sleep(RETRIES * plan.settle_s)
            cpu = server.cpu_s()
            await asyncio.sleep(plan.idle_s)
            add("both", fleet.IDLE, "% of a core", (server.cpu_s() - cpu) / plan.idle_s * 100)
            for kind, latencies in (
                (LINKS, await fleet.send_among(orgs, plan.fleet_sends)),
                (APPS, await _send_to_apps(app_org, apps, plan.fleet_sends)),
            ):
                add(kind, "API to phone p50", "ms", latencies.p50)
                add(kind, "API to phone p99", "ms", latencies.p99)
        for org in orgs:
            await org.all_sent()
            await org.check()
    finally:
        for org in (*orgs, app_org):
            await org.__aexit__()


async def _send_to_apps(org: Org, apps: AppPhones, count: int) -> Quantiles:
    """Sends one message after the other, each once the one before was on the air."""
    caller = http.Caller(lambda: org.server.port)
    latencies = []
    try:
        for number in range(count):
            body = f"{text(number)} by the app"
            content = f'{{"to":"+15553334444","body":"{body}"}}'.encode()
            request = http.encode("POST", f"/send/{org.name}", content, headers=org.headers)
            begun = time.perf_counter()
            status, answer = await caller.ask(request)
            if status != 200:
                raise Wrong(f"/send/{org.name}: {status} {answer!r}")
            latencies.append(await apps.aired(body, begun))
    finally:
        caller.close()
    return Quantiles.of(latencies)
