"""The Verilog around a simulated accelerator: the harness, and what it binds into it."""

from __future__ import annotations

from importlib import resources

from spikeloom.sim.bench import counters, recorder
from spikeloom.sim.design import Design, EngineInfo
from spikeloom.sim.job import COUNTERS, sent_file, steps_file


def sources(design: Design) -> dict[str, str]:
    """Return the text of each file that Verilator reads, by file name."""
    macros = {
        "ACCELERATOR": design.top,
        "PIXEL": design.input_bits,
        "PAYLOAD": design.payload_width,
    }
    harness = resources.files("spikeloom.sim").joinpath("harness.sv").read_text(encoding="utf-8")
    defined = "".join(f"`define {name} {value}\n" for name, value in macros.items())
    bound = [
        *(_recorders(design, k, layer) for k, layer in enumerate(design.layers) if design.debug),
        *(_counters(design, k, layer) for k, layer in enumerate(design.layers) if design.counters),
    ]
    return {
        "accelerator.v": design.verilog,
        "harness.sv": defined + harness,
        "bound.sv": "".join(bound) + "\n",
    }


def _recorders(design: Design, index: int, layer: EngineInfo) -> str:
    """Return Verilog that binds recorders to both taps of a layer of the accelerator."""
    taps, name = layer.taps, layer.name
    assert taps is not None
    steps = layer.units * layer.steps_per_cycle * (taps.potential.width + taps.spike.width)
    return "".join(
        f'bind {design.top} spikeloom_recorder #(.WIDTH({width}), .FILE("{file}"))\n'
        f"  {recorder(index, part)} (.clk(clk), .rst(rst), .strobe({strobe}), .data({data}));\n"
        for part, strobe, width, file, data in (
            (
                "steps",
                f"tap__{name}__step",
                steps,
                steps_file(name),
                f"{{tap__{name}__spike, tap__{name}__potential}}",
            ),
            (
                "sent",
                f"tap__{name}__sent",
                layer.lanes * taps.value.width,
                sent_file(name),
                f"tap__{name}__value",
            ),
        )
    )


def _counters(design: Design, index: int, layer: EngineInfo) -> str:
    """Return Verilog that binds a module that shows a layer's counters."""
    ports = ", ".join(f".{name}(counters__{layer.name}__{name})" for name in COUNTERS)
    return f"bind {design.top} spikeloom_counters {counters(index)} ({ports});\n"
