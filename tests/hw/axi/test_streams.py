"""Packets that are as they should be, and others: each in is one out, of whole images."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.sim import Simulator
from support.hw.components import Bench, plan_of, small_plan

from spikeloom.hw.axi import AxiPlan
from spikeloom.hw.axi.core import Core
from spikeloom.hw.axi.streams import Inlet, Outlet
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.sw.network import DirectInput, Linear


def small_plan_without_counters() -> Plan:
    """Return one logit of three values, of four bits."""
    return plan_of((3,), Linear(np.array([[1, -2, 1]])), bits=4)


PLAN = AxiPlan(small_plan_without_counters())
SIZE = 3
Packet = list[int]


def signed_plan() -> Plan:
    """Return one logit of three values, of four bits in two's complement."""
    plain = small_plan_without_counters()
    pixels = DirectInput((3,), 4, signed=True)
    return plan(replace(plain.network, input=pixels), plain.config)


def expected(packets: list[Packet], number: int) -> tuple[list[int], list[int], dict[str, int]]:
    """Return values, which images are broken, and errors, as ``docs/axi.md`` says."""
    values: list[int] = []
    broken: list[int] = []
    errors = {"short": 0, "long": 0, "range": 0}
    for packet in packets:
        whole = number * SIZE
        errors["short"] += len(packet) < whole
        errors["long"] += len(packet) > whole
        kept = (packet + [0] * whole)[:whole]
        errors["range"] += sum(value > 15 for value in kept)
        values += [value & 15 for value in kept]
        for k in range(number):
            image = packet[SIZE * k :][:SIZE]
            wrong = len(image) < SIZE or any(value > 15 for value in image)
            broken.append(int(wrong or (k == number - 1 and len(packet) > whole)))
    return values, broken, errors


def run_inlet(
    packets: list[Packet], number: int, seed: int, skip: bool = False, plan: AxiPlan = PLAN
) -> tuple[list[int], list[int], dict[str, int]]:
    dut = Inlet(plan)
    rng = random.Random(seed)
    values: list[int] = []
    broken: list[int] = []
    errors = {"short": 0, "long": 0, "range": 0}

    async def drive(ctx: Any) -> None:
        ctx.set(dut.packet, number)
        if skip:
            ctx.set(dut.skip, 1)
            await ctx.tick()
            ctx.set(dut.skip, 0)
        for packet in packets:
            for k, value in enumerate(packet):
                while rng.random() < 0.3:
                    await ctx.tick()
                ctx.set(dut.i.payload, {"data": value, "last": k == len(packet) - 1})
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)

    async def watch(ctx: Any) -> None:
        for _ in range(1000):
            ctx.set(dut.o.ready, rng.random() < 0.6)
            if not ctx.get(dut.o.valid):
                ctx.set(dut.hold, rng.random() < 0.4)
            found = await ctx.tick().sample(
                dut.o.valid, dut.o.ready, dut.o.payload, dut.first, dut.done, dut.broken,
                dut.short, dut.long, dut.range,
            )  # fmt: skip
            valid, ready, value, first, done, bad, *wrong = found[2:]
            if valid and ready:
                assert first == (len(values) % SIZE == 0)
                assert done == (len(values) % SIZE == SIZE - 1)
                values.append(value)
                if done:
                    broken.append(bad)
            else:
                assert not first
                assert not done
            for name, flag in zip(errors, wrong, strict=True):
                errors[name] += flag
        assert not ctx.get(dut.busy)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive, background=True)
    simulator.add_testbench(watch)
    simulator.run()
    return values, broken, errors


def test_values_of_two_s_complement_are_sign_extended() -> None:
    """TDATA has a byte for four bits, and all those above them are the sign."""
    packets = [[0xF8, 0xFF, 7], [0, 0xF7, 1], [8, 0, 0], [0xFE, 0, 3]]
    values, broken, errors = run_inlet(packets, 1, seed=0, plan=AxiPlan(signed_plan()))
    assert values == [-8, -1, 7, 0, 7, 1, -8, 0, 0, -2, 0, 3]
    assert broken == [0, 1, 1, 0]
    assert errors == {"short": 0, "long": 0, "range": 2}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_inlet(number: int) -> None:
    rng = random.Random(number)
    whole = number * SIZE
    packets = []
    for length in [whole, whole - 1, whole + 1, 1, whole, 2 * whole, whole, whole + 2]:
        packets.append([rng.randrange(16 if rng.random() < 0.9 else 256) for _ in range(length)])
    assert run_inlet(packets, number, seed=number) == expected(packets, number)


def test_inlet_skips_the_rest_of_a_packet() -> None:
    packets = [[1, 2, 3, 4], [5, 6, 7]]
    assert run_inlet(packets, 1, seed=0, skip=True) == expected(packets[1:], 1)


@pytest.mark.parametrize(("number", "sent"), [(1, 3), (2, 3), (2, 4), (3, 1), (3, 2)])
def test_outlet_completes_what_it_has_begun(number: int, sent: int) -> None:
    dut = Outlet(PLAN)
    seen: list[tuple[int, int, int]] = []
    completed = -(-sent // number) * number - sent

    async def test(ctx: Any) -> None:
        ctx.set(dut.packet, number)
        ctx.set(dut.o.ready, 1)
        for k in range(sent):
            ctx.set(dut.i.payload, {"value": -k - 1, "last": 1})
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.broken, k == 1)
            await ctx.tick()
        # The next one is given up while it is offered.
        ctx.set(dut.o.ready, 0)
        ctx.set(dut.broken, 0)
        ctx.set(dut.close, 1)
        await ctx.tick()
        ctx.set(dut.close, 0)
        ctx.set(dut.o.ready, 1)
        for _ in range(completed + 2):
            assert ctx.get(dut.closing) == 1 or not ctx.get(dut.busy)
            if not ctx.get(dut.closing):
                break
            await ctx.tick()
        ctx.set(dut.i.payload, {"value": 3, "last": 1})
        for _ in range(number):
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        await ctx.tick()
        assert not ctx.get(dut.busy)

    async def watch(ctx: Any) -> None:
        sampled = ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
        async for _, _, valid, ready, payload in sampled:
            if valid and ready:
                value = payload.value - (payload.value >> 31 << 32)
                seen.append((value, payload.last, payload.broken))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(test)
    simulator.add_process(watch)
    simulator.run()
    values = [-k - 1 for k in range(sent)] + [0] * completed + [3] * number
    assert [value for value, _, _ in seen] == values
    assert [last for _, last, _ in seen] == [
        int(k % number == number - 1) for k in range(len(values))
    ]
    # `broken` counts with `last`.
    marks = [broken for _, last, broken in seen if last]
    wrong = [1 // number] + ([(sent - 1) // number] if completed else [])
    assert marks == [int(k in wrong and k < len(marks) - 1) for k in range(len(marks))]


@pytest.mark.parametrize("damaged", range(3))
def test_one_damaged_image_marks_its_whole_packet_and_no_other(damaged: int) -> None:
    dut = Outlet(PLAN)
    bench = Bench(dut)
    sent = bench.get(dut.o, 9)

    async def drive(ctx: Any) -> None:
        ctx.set(dut.packet, 3)
        ctx.set(dut.i.valid, 1)
        for k in range(9):
            ctx.set(dut.i.payload, {"value": k, "last": 1})
            ctx.set(dut.broken, k == 3 + damaged)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    bench.simulator.add_testbench(drive)
    bench.run()
    assert [one["value"] for one in sent] == list(range(9))
    assert [one["broken"] for one in sent if one["last"]] == [0, 1, 0]


@pytest.mark.parametrize("part", [Inlet, Outlet, Core])
def test_every_component_converts_alone(part: Any) -> None:
    for planned in (small_plan(), small_plan_without_counters(), signed_plan()):
        text = verilog.convert(part(AxiPlan(planned)), name="alone", emit_src=False)
        assert "module alone(" in text
