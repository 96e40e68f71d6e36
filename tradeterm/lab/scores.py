"""Who was right: agents, models, resolvers, the operator, the risk rules, and plain holding.

Read from the book of record alone. Entries are judged by their ghosts (``model/ghosts.py``),
opinions by the recorded prices (``lab/opinions.py``), so a figure here can be worked out again
from ``tradeterm journal``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import StoredRow
from tradeterm.lab import gates, opinions
from tradeterm.lab.measures import ENOUGH, calibration, rate, reliability
from tradeterm.lab.outcomes import ZERO, Body, Outcome, mean, outcomes, summary
from tradeterm.lab.performance import run_report
from tradeterm.model.ghosts import HORIZONS, POLICY, POLICY_TEXT
from tradeterm.model.stages import ProposalEnd
from tradeterm.model.timing import SECOND, iso

CAVEATS: Final = (
    """A ghost moved no market and took no other order's money: nobody traded ahead of it, and many
    may be open at once that no account could have paid for together.""",
    """Ghosts on one symbol may overlap; an interval takes them for independent and is too narrow
    then.""",
    """What was sent is judged here by its ghost too, not by how it was really closed: trailing,
    signals and the operator's own exits are in the P&L, not in these scores.""",
    f"Below {ENOUGH} cases a rate says little; it is shown with its count and marked.",
)


def report(reader: Reader) -> dict[str, Any]:
    """The whole report of the newest run."""

    def rows(kind: str) -> list[StoredRow]:
        return reader.journal(kind=kind, limit=-1)

    ghost_rows = [row for kind in _GHOSTS for row in rows(kind)]
    ghosts = outcomes(sorted(ghost_rows, key=lambda row: row.seq))
    by_proposal = {one.ghost["proposal"]: one for one in ghosts.values()}
    speakers = {one["id"]: one for one in reader.agent_outputs()[::-1]}
    prices = opinions.Prices(row.data for row in rows("prices"))
    conflicts = {row.id: row.data["parent"] for row in rows("conflict")}
    cards, verdicts, edited = reader.cards(), reader.verdicts(), gates.edits(rows("card"))
    heard = opinions.published(speakers.values())
    replies = rows("agent_answer")
    heard += opinions.votes(rows("agent_question"), replies)
    entries = sum(row.data["intent"] is not None for row in rows("proposal"))
    return {
        "policy": POLICY,
        "policy_text": POLICY_TEXT,
        "horizons": list(HORIZONS),
        "enough": ENOUGH,
        "proposals": entries,
        "ghosts": {
            "opened": len(ghosts),
            "closed": sum(one.end is not None for one in ghosts.values()),
            "not_followed": entries - len(by_proposal),
        },
        "outcomes": _by_end(list(ghosts.values())),
        "decisions": _decisions(ghosts.values(), speakers),
        "opinions": opinions.scores(heard, prices),
        "gates": [
            *gates.resolvers(rows("resolution"), conflicts, by_proposal),
            *gates.deciders(cards, edited, by_proposal),
            *gates.risk_rules(verdicts, cards, edited, ghosts.values()),
        ],
        "approval": gates.approval(cards, by_proposal),
        "pnl": _pnl(reader, _models([*rows("answer"), *replies])),
        "baselines": _baselines(reader, prices),
        "caveats": [" ".join(each.split()) for each in CAVEATS],
    }


_GHOSTS: Final = ("ghost_opened", "ghost_closed")


def _by_end(ghosts: Sequence[Outcome]) -> list[Body]:
    groups = [
        summary(end.value, [one for one in ghosts if one.ghost["end"] == end.value])
        for end in ProposalEnd
    ]
    return [*(group for group in groups if group["count"]), summary("all", ghosts)]


def _decisions(ghosts: Iterable[Outcome], speakers: Mapping[str, Body]) -> list[Body]:
    """Who proposed entries, and what they came to whatever was done with them."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in ghosts:
        by = speakers[one.ghost["signal"]]["by"]
        groups.setdefault((one.ghost["agent"], by), []).append(one)
    found = []
    for (agent, by), each in sorted(groups.items()):
        final = [
            (float(speakers[one.ghost["signal"]]["confidence"]), one.pnl > 0)
            for one in each
            if one.pnl is not None
        ]
        found.append({
            "agent": agent, "by": by,
            **asdict(rate([came for _, came in final])), **asdict(calibration(final)),
            "bp": mean(one.points for one in each),
            "pnl": sum((one.pnl for one in each if one.pnl is not None), ZERO),
            "reliability": [asdict(one) for one in reliability(final)],
        })  # fmt: skip
    return found


# -- money -------------------------------------------------------------------------------------


def _pnl(reader: Reader, models: Sequence[Body]) -> Body:
    """What the account really earned, and what asking models cost."""
    found = run_report(reader)
    equity = found["equity"]
    return {
        "currency": _settings(reader)["market"]["account"]["currency"],
        "to": found["to"],
        "start": equity["start"],
        "equity": equity["end"],
        "earned": equity["earned"],
        "percent": found["percent"],
        "realised": found["trades"][0]["pnl"],
        "llm_cost": equity["earned"] - found["net_of_llm"],
        "net_of_llm": found["net_of_llm"],
        "models": models,
    }


def _models(answers: Iterable[StoredRow]) -> list[Body]:
    """Requests to each model: how many, how many brought a valid answer, seconds and cost (USD)."""
    tries: dict[str, list[Body]] = {}
    for row in answers:
        votes = row.data.get("votes", [row.data])
        for one in (each for vote in votes for each in vote["tries"]):
            tries.setdefault(one["model"], []).append(one)
    return [
        {
            "model": model,
            "calls": len(each),
            "valid": sum(one["outcome"] == "valid" for one in each),
            "seconds": mean(one["latency"] / SECOND for one in each),
            "cost": sum((Decimal(one["cost"]) for one in each), ZERO),
        }
        for model, each in sorted(tries.items())
    ]


def _settings(reader: Reader) -> Body:
    started = reader.run_info()["started"] or {}
    found: Body = started["settings"]
    return found


def _baselines(reader: Reader, prices: opinions.Prices) -> list[Body]:
    """The deposit put into the targets' shares at the first recorded price and left alone.

    Fees are paid once, when it is bought; an asset without a symbol in the run stays cash.
    """
    settings = _settings(reader)
    currency = settings["market"]["account"]["currency"]
    deposit = Decimal(settings["market"]["account"]["deposit"])
    fee = Decimal(settings["market"]["fees"]["tiers"][0]["taker"]) / 100
    targets = {name: Decimal(share) for name, share in settings["portfolio"]["targets"].items()}
    plans = {"hold BTC": {"BTC": Decimal(100)}, "hold the targets": targets}
    found = []
    for name, shares in plans.items():
        held = {asset: prices.span(f"{asset}/{currency}") for asset in shares}
        known = {asset: span for asset, span in held.items() if span is not None}
        if not known:
            continue
        worth = ZERO
        for asset, share in shares.items():
            put = deposit * share / sum(shares.values(), ZERO)
            if (span := known.get(asset)) is not None:
                (_, first), (_, last) = span
                put = put / (1 + fee) * Decimal(str(last)) / Decimal(str(first))
            worth += put
        ends = [stamp for span in known.values() for stamp in (span[0][0], span[1][0])]
        worth = worth.quantize(Decimal("0.01"))
        found.append({
            "name": name, "from": iso(min(ends)), "to": iso(max(ends)), "equity": worth,
            "earned": worth - deposit, "percent": float((worth / deposit - 1) * 100),
            "cash": [asset for asset in shares if asset not in known],
        })  # fmt: skip
    return found
