"""Time zones from the package tzdata alone: the system's own files are put out of sight first."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib import resources

DISTRIBUTIONS = ["tzdata"]


def work():
    """Convert across the days on which the clocks change."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    assert zoneinfo.TZPATH == ()
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    day = datetime(2024, 3, 31, 0, 59, tzinfo=UTC)
    local = [(day + timedelta(minutes=step)).astimezone(berlin).strftime("%H:%M %Z") for step in (0, 1)]
    assert local == ["01:59 CET", "03:00 CEST"], local
    back = datetime(2024, 10, 27, 2, 30, tzinfo=berlin)
    assert (back.utcoffset(), back.replace(fold=1).utcoffset()) == (timedelta(hours=2), timedelta(hours=1))
    kathmandu = datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Asia/Kathmandu"))
    assert kathmandu.utcoffset() == timedelta(hours=5, minutes=45)
    yield f"Berlin: {' -> '.join(local)}; the system's zones were in {before or 'no folder'}"
    names = zoneinfo.available_timezones()
    assert len(names) > 500, len(names)
    zones = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    assert set(zones) == names
    try:
        zoneinfo.ZoneInfo("Europe/Nowhere")
    except zoneinfo.ZoneInfoNotFoundError as error:
        yield f"{len(names)} zones; refused: {error}"
    else:
        raise AssertionError("a zone that does not exist was found")
