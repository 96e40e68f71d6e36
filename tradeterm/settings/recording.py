"""Settings of the tape a run records (config/recording.yaml)."""

from __future__ import annotations

from pydantic import Field

from tradeterm.settings.section import Section


class RecordingSettings(Section):
    """How a recorded run is kept beside its book of record."""

    file_size: float = Field(gt=0, le=4096)
    """MiB, packed, after which a new file is begun."""
    file_hours: float = Field(gt=0, le=168)
    """Hours of market after which a new file is begun."""
    total_size: float = Field(gt=0)
    """MiB that all tapes of one book of record may take; the oldest files go first."""
    block_seconds: float = Field(ge=0.05, le=60)
    """Seconds after which events go to disk although nothing that followed from them waits."""
