"""Every command that is not the console itself, loaded when somebody asks for one."""

from __future__ import annotations

from typing import Any

import click


class ReaderGone(Exception):
    """Who read our output has seen enough: ``| head``."""


_WHOLE = 400
#: Where ``tradeterm --help`` lists each command.
SECTIONS = (
    ("Run, and look on", ("run", "watch", "serve")),
    (
        "What is, and why",
        (
            *("status", "positions", "orders", "fills", "plans", "portfolio", "conflicts"),
            *("proposals", "votes", "differences", "explain", "journal", "postings"),
        ),
    ),
    ("How it went", ("performance", "scores", "fidelity")),
    (
        "Orders to a run, driven by another process or by nobody",
        (
            *("halt", "resume", "flatten", "close", "close-losers", "move-stop", "move-target"),
            *("break-even", "trailing", "cancel", "cancel-entries", "amend", "cancel-plan"),
            *("reject", "reject-all", "undo-reject", "defer", "edit", "level", "reset-breaker"),
            *("task", "set", "reconcile", "adopt", "drill"),
        ),
    ),
    (
        "Settings, data, checks",
        ("config", "data", "risk", "doctor", "verify", "replay", "assess"),
    ),
)


class Commands(click.Group):
    """The console's start waits for none of the other commands' modules."""

    def invoke(self, ctx: click.Context) -> Any:
        """A closed pipe is not click's to answer: its exit code 1 means here that a check failed."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """What is here already first: ``run`` needs no other module."""
        return self.commands.get(cmd_name) or self._all().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A name that is none gets the nearest one, or the reason why there is none."""
        from difflib import get_close_matches

        name = args[0]
        if self.get_command(ctx, name) is None:
            if name == "approve":
                ctx.fail("a card is approved at the console only, by its keys: a asks, y sends")
            near = get_close_matches(name, self.list_commands(ctx), 1)
            if near:
                ctx.fail(f"there is no command {name!r}; did you mean {near[0]}?")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the alphabet."""
        return sorted(self._all())

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By what they are for; the first sentence of each, whole."""
        commands = self._all()
        wide = max(map(len, commands))
        for title, names in SECTIONS:
            with formatter.section(title):
                formatter.write_dl([
                    (f"{name:<{wide}}", commands[name].get_short_help_str(limit=_WHOLE))
                    for name in names
                ])  # fmt: skip

    def _all(self) -> dict[str, click.Command]:
        from tradeterm.adjusting import adjusting_commands
        from tradeterm.diagnosing import diagnosing_commands
        from tradeterm.gathering import gathering_commands
        from tradeterm.inspecting import inspecting_commands
        from tradeterm.listing import listing_commands
        from tradeterm.ordering import ordering_commands
        from tradeterm.replaying import replaying_commands
        from tradeterm.reporting import reporting_commands
        from tradeterm.scoring import scoring_commands
        from tradeterm.showing import showing_commands
        from tradeterm.tracing import tracing_commands
        from tradeterm.vetting import vetting_commands

        for command in (
            *adjusting_commands(),
            *diagnosing_commands(),
            *gathering_commands(),
            *inspecting_commands(),
            *listing_commands(),
            *ordering_commands(),
            *replaying_commands(),
            *reporting_commands(),
            *scoring_commands(),
            *showing_commands(),
            *tracing_commands(),
            *vetting_commands(),
        ):
            if command.name not in self.commands:
                self.add_command(command)
        return dict(self.commands)
