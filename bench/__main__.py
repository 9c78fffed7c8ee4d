"""``python -m bench [SECTION…]``: measure, print, and write ``docs/benchmarks.md``; without a section all of them."""

import argparse
import os

from bench import beside, least, pace, profiles, report, starts, syncs, tenants

SECTIONS = {
    "sync": lambda options: syncs.measure(options.devices, options.rounds),
    "profile": lambda options: profiles.measure(min(options.devices[-1], 10_000)),
    "least": lambda options: least.measure([size for size in options.devices if size >= 10_000]),
    "details": lambda options: syncs.measure_details(min(options.devices[-1], 10_000)),
    "pace": lambda options: pace.measure(min(options.devices[-1], 10_000)),
    "beside": lambda options: beside.measure(min(options.devices[-1], 10_000), options.rounds),
    "starts": lambda options: starts.measure(options.rounds * 3),
    "tenants": lambda options: tenants.measure(options.rounds),
    "night": lambda _: tenants.measure_night(40),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--devices", nargs="+", type=int, default=[1_000, 10_000, 100_000], help="fleets, ascending")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken; 100,000 devices have one")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    for name in options.sections or SECTIONS:
        before = os.getloadavg()[0]
        report.keep(name, SECTIONS[name](options), load_before=before)


if __name__ == "__main__":
    main()
