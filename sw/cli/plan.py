"""``spikeloom plan``: search for the best hardware within a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.hw.options import TimeMode
from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import table
from spikeloom.sw.cli.device import board_option, clock_option
from spikeloom.sw.cli.images import ImageOptions, image_options
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.output import console, json_option, print_json, say, working
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.cli.settings import was_given
from spikeloom.sw.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spikeloom.hw.planning import Plan
    from spikeloom.hw.search import Budget, Found, Search
    from spikeloom.sw.network.record import IntArray

#: Images of a data set that are taken, since an exact prediction of each takes time: of a network
#: with more synapses than this, one.
_IMAGES, _LARGE = 4, 10_000_000


@click.command()
@network_argument
@board_option("The board whose room the plan may take.")
@click.option(
    "--max-luts",
    type=click.IntRange(1),
    metavar="N",
    help="Look-up tables that the plan may take, of an ECP5's and without a link if no board is "
    "named.",
)
@click.option(
    "--max-rams", type=click.IntRange(0), metavar="N", help="Block RAMs that it may take, likewise."
)
@click.option(
    "--cycles",
    type=click.FloatRange(1),
    metavar="N",
    help="Clock cycles that an image may take: the plan that needs the least hardware for it.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    metavar="F",
    help="Images per second instead, at the clock.",
)
@click.option(
    "--counters/--no-counters",
    default=True,
    help="Whether a board's design gets the counters of every layer, as `build` includes them, "
    "too, unless it has --no-counters.  [default: counters]",
)
@clock_option("Of the design.  [default: the board's oscillator]")
@click.option(
    "--time",
    type=click.Choice([mode.value for mode in TimeMode]),
    default=TimeMode.AUTO.value,
    show_default=True,
    help="As for `spikeloom generate`.",
)
@image_options
@click.option(
    "--out",
    type=Output(),
    metavar="FILE",
    help="Plan file to write, for --plan of `generate`, `cosim`, `build`, `board` and `inspect`.",
)
@click.option(
    "--pareto",
    type=Output(),
    metavar="PNG",
    help="Picture of the plans of which none is both slower and larger than another; they are "
    "printed, too.",
)
@json_option
def command(
    network: contract.Network,
    board: str | None,
    max_luts: int | None,
    max_rams: int | None,
    cycles: float | None,
    fps: float | None,
    counters: bool,
    clock: float | None,
    time: str,
    images: ImageOptions,
    out: Path | None,
    pareto: Path | None,
    as_json: bool,
) -> None:
    """Find the best lanes, events, slots and units of every layer for NETWORK.

    NETWORK is {network}.

    Cycles follow from the events that sample images cause, and are predicted exactly for the plan
    that is found. Without --data or --images, random values of a typical density take their place.
    Block RAMs are counted; look-up tables and flip-flops are estimated.

    Without a goal, the plan is the fastest that fits. With --cycles or --fps it is one with little
    hardware that reaches the goal. Engines are compact if nothing else fits, or if that reaches
    the goal with less hardware.

    \b
        spikeloom plan digits-conv --board ulx3s-85f --data digits --out build/plan.json
        spikeloom plan net.safetensors --board icebreaker --fps 500 --out build/plan.json
        spikeloom plan digits-conv --max-luts 8000 --data digits --pareto build/front.png
        spikeloom build digits-conv --board ulx3s-85f --plan build/plan.json --out build/board
    """
    if board is None and max_luts is None and max_rams is None:
        raise ConfigError("how much room is there? Give --board, --max-luts or --max-rams")
    if cycles is not None and fps is not None:
        raise ConfigError("--cycles and --fps are both goals: give one of them")
    if board is None and was_given("counters"):
        raise ConfigError("counters are part of a board's design: add --board")
    if images.data is not None or images.file is not None or images.labels is not None:
        images.require()
    elif was_given("data_root") or images.limit is not None:
        raise ConfigError("--data-root and --limit are for --data: add it, or leave them out")

    from spikeloom.hw.boards import Board
    from spikeloom.hw.search import Budget, NoRoomError, Search

    target = None if board is None else Board.find(board)
    mhz = clock if clock is not None else None if target is None else target.clock
    if fps is not None:
        if mhz is None:
            raise ConfigError("--fps depends on the clock: give --clock or --board")
        cycles = mhz * 1e6 / fps
    if target is None:
        budget = Budget.of_numbers(max_luts, max_rams)
    else:
        budget = Budget.of_board(target, counters=counters).within(
            luts=max_luts, block_ram=max_rams
        )
    with working("searching for a plan"):
        activity, source, number = _activity(network, images)
        search = Search(network, budget, activity, time)
        try:
            found = search.fastest() if cycles is None else search.reaching(cycles)
        except NoRoomError as error:
            raise ConfigError(f"{error}. {_advice(error.smallest, counters)}") from None
        step = search.next_step(found)
        front = search.front() if pareto is not None else None
    content = _content(search, found, step, mhz)
    content |= {
        "images": number,
        "source": source,
        "board": None if target is None else target.name,
        "front": None if front is None else [_point(one, mhz) for one in front],
        "out": None if out is None else str(out),
        "pareto": None if pareto is None else str(pareto),
    }
    if out is not None:
        _save(network, search, found, content, out)
    if pareto is not None and front is not None:
        from spikeloom.sw.cli.front import draw

        draw(content["front"], content, pareto)
    if as_json:
        print_json(content)
    _show(content, budget)


def _activity(
    network: contract.Network, images: ImageOptions
) -> tuple[Mapping[str, IntArray], str, int]:
    """Return values to search by, where they are from, and of how many images they are."""
    from spikeloom.hw.prediction import activity
    from spikeloom.hw.search import COUNTS, PIXELS, SPIKES, typical
    from spikeloom.sw.tasks import of_network

    if images.data is None and images.file is None:
        shares = f"pixels {PIXELS:.0%}, counts {COUNTS:.0%}, spikes {SPIKES:.0%} not zero"
        return typical(network, 2), f"no images, but typical densities ({shares})", 2
    pixels, _ = images.read(network.input, of_network(network.about))
    taken = pixels[: images.limit or (1 if _synapses(network) > _LARGE else _IMAGES)]
    source = images.data if images.data is not None else str(images.file)
    return activity(network, taken), source, len(taken)


def _synapses(network: contract.Network) -> int:
    """Return the number of pairs of a source value and a neuron that a weight connects."""
    return sum(
        connection.synapses.pairs(connection.pooled_shape(network.shapes[connection.source]))
        for layer in network.layers
        for connection in layer.connections
    )


def _advice(smallest: Plan, counters: bool) -> str:
    """Return, in words, the smallest board that has room for a plan."""
    from spikeloom.hw.boards import Board
    from spikeloom.hw.search import Budget

    boards = sorted(map(Board.find, Board.names()), key=lambda board: board.resources.luts)
    for board in boards:
        budget = Budget.of_board(board, counters=counters)
        if budget.fits(budget.amounts(smallest)):
            return (
                f"The smallest of our boards that has room is {board.title} (--board {board.name})"
            )
    return "None of our boards has room: take a smaller network, or weights of fewer bits"


def _content(search: Search, found: Found, step: Found | None, mhz: float | None) -> dict[str, Any]:
    """Return a plan as JSON values."""
    layers = []
    for layer in search.network.layers:
        name = layer.name
        choice, cost = found.state[name], found.layers[name]
        exact = found.prediction[name]
        layers.append(
            {
                "name": name,
                "lanes": choice.lanes,
                "events": choice.events,
                "slots": choice.slots,
                "units": found.plan[name].units,
                "planes": choice.planes,
                "copies": choice.copies,
                "cycles": float(exact.cycles[1:].mean()),
                "utilisation": exact.utilisation,
                "luts": round(cost.amounts.luts),
                "block_ram": cost.amounts.block_ram,
            }
        )
    beside = search.engines.beside
    return {
        **_point(found, mhz),
        "latency": found.prediction.latency,
        "clock_mhz": mhz,
        "bottleneck": found.bottleneck,
        "layers": layers,
        "beside": {"luts": round(beside.luts), "block_ram": beside.block_ram},
        "next": None if step is None else _point(step, mhz) | {"fits": _fits(search, step)},
    }


def _fits(search: Search, found: Found) -> bool:
    return search.budget.fits(found.amounts)


def _point(found: Found, mhz: float | None) -> dict[str, Any]:
    """Return the figures of a plan as one of many."""
    return {
        "cycles": found.cycles,
        "images_per_second": None if mhz is None else mhz * 1e6 / found.cycles,
        "luts": round(found.amounts.luts),
        "flipflops": round(found.amounts.flipflops),
        "compact": found.plan.config.compact,
        "block_ram": found.amounts.block_ram,
        "choices": {
            name: [choice.lanes, choice.events, choice.slots]
            + ([] if choice.planes is None else [choice.planes])
            + ([] if choice.copies == 1 else [None, choice.copies])
            for name, choice in found.state.items()
        },
    }


def _save(
    network: contract.Network, search: Search, found: Found, content: dict[str, Any], out: Path
) -> None:
    from spikeloom.hw.planning import PlanFile

    keys = ("board", "source", "images", "clock_mhz", "cycles", "luts", "flipflops", "block_ram")
    about = {key: content[key] for key in keys}
    PlanFile(network.name, network.digest, found.plan.config, about).save(out)


def _show(content: dict[str, Any], budget: Budget) -> None:
    """Print a plan, and what is next to it."""
    out = console()
    say(f"cycles for {content['images']} images of {content['source']}, a mean of them per image:")
    layers = table(
        *("layer", "#lanes M", "#events E", "#slots", "#units U", "#copies C"),
        *("#cycles", "#utilisation", "#LUTs", "#RAMs"),
    )
    for layer in content["layers"]:
        mark = "*" if layer["name"] == content["bottleneck"] else ""
        layers.add_row(
            layer["name"] + mark,
            str(layer["lanes"]),
            f"{layer['planes']} planes" if layer["planes"] else str(layer["events"]),
            "-" if layer["planes"] else str(layer["slots"]),
            str(layer["units"]),
            str(layer["copies"]),
            f"{layer['cycles']:,.0f}",
            f"{layer['utilisation']:.2f}",
            f"{layer['luts']:,}",
            str(layer["block_ram"]),
        )
    beside = content["beside"]
    if beside["luts"]:
        rest = (*"-------", f"{beside['luts']:,}", str(beside["block_ram"]))
        layers.add_row("link, self test", *rest)
    out.print(layers)
    say(f"{_text(content)} of {budget.title}; the slowest layer is {content['bottleneck']} (*)")
    if content["compact"]:
        say("engines are compact where they can be, as by --compact")
    step = content["next"]
    if step is None:
        say("no more hardware makes it faster: the input, or a pool, sets the pace")
    else:
        more, faster = step["luts"] - content["luts"], content["cycles"] - step["cycles"]
        rams = step["block_ram"] - content["block_ram"]
        fits = "" if step["fits"] else ", which does not fit"
        say(
            f"one more step: {faster:,.0f} clock cycles less for {more:+,} look-up tables and "
            f"{rams:+,} block RAMs{fits}"
        )
    if content["front"] is not None:
        _show_front(content["front"])
        say(f"wrote {content['pareto']}")
    if content["out"] is not None:
        say(f"wrote {content['out']}: take it by --plan")


def _show_front(front: Sequence[dict[str, Any]]) -> None:
    points = table("#cycles", "#images/s", "#LUTs", "#RAMs", "M x E (x C), or P, by layer")
    for point in front:
        pace = point["images_per_second"]
        points.add_row(
            f"{point['cycles']:,.0f}",
            "-" if pace is None else f"{pace:,.0f}",
            f"{point['luts']:,}",
            str(point["block_ram"]),
            " ".join(map(_choice_text, point["choices"].values()))
            + (", compact" if point["compact"] else ""),
        )
    console().print(points)


def _choice_text(choice: Sequence[int | None]) -> str:
    """Return lanes, events and copies of a layer, or its planes if it is unrolled."""
    lanes, events, _, *more = choice
    planes, copies = [*more, None, None][:2]
    if planes is not None:
        return f"P={planes}"
    return f"{lanes}x{events}" if copies is None else f"{lanes}x{events}x{copies}"


def _text(point: dict[str, Any]) -> str:
    """Return the figures of a plan in words."""
    pace = point["images_per_second"]
    speed = f"{point['cycles']:,.0f} clock cycles per image"
    if pace is not None:
        speed += f", {pace:,.0f} images per second at {point['clock_mhz']:g} MHz"
    return (
        f"{speed}; about {point['luts']:,} look-up tables, {point['flipflops']:,} flip-flops and "
        f"{point['block_ram']:,} block RAMs"
    )
