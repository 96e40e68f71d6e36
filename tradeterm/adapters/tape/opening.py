"""Whether a run is recorded and by what, and recordings as markets."""

from __future__ import annotations

from pathlib import Path

from tradeterm.adapters.tape.live_recording import LiveRecording
from tradeterm.adapters.tape.moment import RecordedMoment
from tradeterm.adapters.tape.recorded import RecordedFeed, recordings
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.errors import DataError, UsageError
from tradeterm.model.market import Feed
from tradeterm.model.timing import parse_instant
from tradeterm.model.vocabulary import MarketMode
from tradeterm.settings.market import MarketSettings
from tradeterm.settings.recording import RecordingSettings


def recorder(
    inner: Feed, folder: Path, limits: RecordingSettings, *, begin: bool, wanted: bool
) -> Feed:
    """``inner`` recorded into ``folder``, or itself when nobody asked for a recording.

    ``begin`` a new run, or continue one: then the folder's existence has decided already.
    Raises UsageError when a run that was begun without a tape cannot get one any more.
    """
    live = inner.mode == MarketMode.LIVE.value
    if live and not begin and not folder.is_dir():
        raise DataError(
            f"the run's tape {folder} is gone: without it nothing says what the live market was; "
            "put it back, or begin a new run with --fresh or --db FILE"
        )
    if live:
        return LiveRecording.of(inner, folder, limits, begin=begin)
    if begin:
        return RecordingFeed.begin(inner, folder, limits) if wanted else inner
    if folder.is_dir():
        return RecordingFeed.resume(inner, folder, limits)
    if wanted:
        raise UsageError(
            "this run was begun without --record, and a tape without its beginning replays "
            "nothing; leave --record out, or begin a new run with --fresh or --db FILE"
        )
    return inner


def open_recorded(
    spec: str, settings: MarketSettings, symbols: tuple[str, ...] | None
) -> RecordedFeed | None:
    """The recorded run in a folder, or in its only subfolder; None when it holds no recording.

    ``spec`` is the folder, perhaps with ``@`` and the moment to begin at. Raises DataError, and
    UsageError for a moment that is none.
    """
    folder, at, moment = spec.rpartition("@")
    if not at or Path(spec).exists():
        folder, moment = spec, ""
    found = recordings(Path(folder))
    if len(found) > 1:
        raise DataError(
            f"{folder} holds {len(found)} recorded runs; name one of them: "
            + ", ".join(each.name for each in found)
        )
    if not found:
        return None
    if moment:
        return RecordedMoment(found[0], parse_instant(moment), settings, symbols)
    return RecordedFeed(found[0], mode=MarketMode.REPLAY.value, symbols=symbols)
