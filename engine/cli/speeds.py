"""How the figures of `engine bench` look."""

from __future__ import annotations

from engine.bench.figures import Bench, CaseFigures, PeerFigures, Scaled, WholeParticle
from engine.cli import show


def print_bench(found: Bench) -> None:
    """Prints everything that was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in found.machine.versions.items())
    show.say(f"{found.machine.cpu}, {show.counted(found.machine.cores, 'core')}, {found.machine.system}; {versions}")
    show.say("Processor seconds of one thread; ratios are medians over rounds in which all take turns.")
    for case in found.cases:
        _print_case(case)
    if found.scaling:
        _print_scaling(found.scaling)
    if found.peers:
        _print_peers(found.peers)
    show.say("")
    for one in found.absent:
        show.say(f"{one.peer}: {one.reason}")
    loads = " to ".join("unknown" if load is None else f"{load:.1f}" for load in (found.load_start, found.load_end))
    peak = f", peak memory {show.size(found.peak_bytes)}" if found.peak_bytes else ""
    show.say(f"took {show.duration(found.seconds)}, load {loads}{peak}")


def _print_case(case: CaseFigures) -> None:
    show.say("")
    show.say(
        f": low-pass {case.lowpass_fpx:g} of {case.box_px} px, {case.window}³ shifts {case.window_step_px:.2g} px apart, "
        f"{case.n_points:,} frequencies, {show.counted(case.n_rounds, 'round')}",
        bold=case.case,
    )
    head = ("", "ms/orientation", "orientations/s/core", "x kernel", "GFLOP/s", "of sgemm")
    body = [
        (
            f"  {one.name}",
            _figure(one.ms_per_orientation),
            _figure(one.orientations_per_s),
            _figure(one.times_kernel),
            "" if one.gflops_per_s is None else _figure(one.gflops_per_s),
            "" if one.share_of_sgemm is None else f"{one.share_of_sgemm:.0%}",
        )
        for one in case.speeds
    ]
    sgemm = ("  sgemm, 1024 x 1024", "", "", "", _figure(case.sgemm_gflops_per_s), "")
    show.rows([head, *body, sgemm], right=range(1, len(head)))
    _print_whole(case.whole)
    if case.workers:
        show.say(f"  {case.workers.n_workers} workers: {case.workers.times_faster:.2f} x one (wall clock)")
    show.say(f"  memory of one reference and one particle: {show.size(case.memory_bytes)}")


def _print_whole(whole: WholeParticle) -> None:
    parts = [("transform", whole.transform_s), ("alignment", whole.align_s), ("insertion", whole.insert_s)]
    named = ", ".join(f"{name} {_figure(1e3 * seconds)} ms" for name, seconds in parts)
    show.say(
        f"  whole particle, {whole.n_rotations:,} rotations: {_figure(1e3 * whole.seconds)} ms, "
        f"{_figure(whole.particles_per_s)} particles/s ({named})"
    )
    for name, seconds in whole.naive_s.items():
        show.say(f"    {name}: {show.duration(seconds)}, {_figure(whole.times_naive[name])} x as long")


def _print_scaling(scaling: list[Scaled]) -> None:
    show.say("")
    show.say("", bold="scaling of the kernel")
    head = ("", "case", "rotations", "frequencies", "ms/orientation", "x first")
    body = [
        (
            f"  {one.varies}",
            one.case,
            f"{one.n_rotations:,}",
            f"{one.n_points:,}",
            _figure(one.ms_per_orientation),
            _figure(one.times_first),
        )
        for one in scaling
    ]
    show.rows([head, *body], right=range(2, len(head)))


def _print_peers(figures: list[PeerFigures]) -> None:
    show.say("")
    show.say("", bold="whole searches by other programs")
    head = ("", "job", "case", "particles", "s/particle", "engine s/particle", "x engine")
    body = [
        (
            f"  {one.peer}",
            one.job,
            one.case,
            one.n_particles,
            _figure(one.seconds_per_particle),
            _figure(one.engine_seconds_per_particle),
            _figure(one.times_engine),
        )
        for one in figures
    ]
    show.rows([head, *body], right=range(3, len(head)))


def _figure(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
