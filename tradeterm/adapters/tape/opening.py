"""Whether a run is recorded, and by what."""

from __future__ import annotations

from pathlib import Path

from tradeterm.adapters.tape.live_recording import LiveRecording
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.errors import DataError, UsageError
from tradeterm.model.market import Feed
from tradeterm.model.vocabulary import MarketMode
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
