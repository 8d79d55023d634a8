"""Vector instructions inside numba's functions: the few loops whose values must stay in registers.

numba has no vector types, so these are written in LLVM's intermediate language, which every processor's back end lowers to the
vectors it has. Sums run in the order in which they are written: the bits do not depend on the vector width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

MATHS = {"nnan", "nsz", "arcp", "contract", "afn"}
"""What the compiler may do to arithmetic. Not "reassoc": no sum is reordered."""

SOURCES = hashlib.blake2b(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()
"""What all loops of this folder are made from."""


def compiled(function: Callable[..., Any]) -> Any:
    """The function as a loop of this folder: compiled at its first call, kept on disk, the interpreter's lock released.

    numba looks at the date of the function's own file alone; what is kept must also go when another file here changes.
    Where no folder can be written, nothing is kept: each start of the program compiles anew.
    """
    options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy", "fastmath": MATHS}
    try:
        loop: Any = njit(cache=True, **options)(function)
    except RuntimeError:  # numba: no locator available
        return njit(**options)(function)
    kept = loop._cache._cache_file
    kept._source_stamp = (kept._source_stamp, SOURCES)
    _loops.append(loop)
    return loop


_loops: list[Any] = []


def are_kept() -> bool:
    """Whether any loops, as they are made from the sources here, were compiled for this processor and kept on disk."""
    processor = _loops[0].targetctx.codegen().magic_tuple() if _loops else None
    return any(key[1] == processor for loop in _loops for key in loop._cache._cache_file._load_index())


LANES = 16
"""Floats of a vector: one register of AVX-512, two of AVX2, four of NEON or SSE."""

COLUMNS = (3, 4, 5)
"""Numbers of shifts along y that `column_sums` can take together: what their sums need of registers, and no more."""

_FLOAT, _INT32 = ir.FloatType(), ir.IntType(32)
_FLAGS = ("contract",)


def _vector(n: int) -> ir.VectorType:
    return ir.VectorType(_FLOAT, n)


def _splat(b: ir.IRBuilder, value: Any, n: int) -> Any:
    undefined = ir.Constant(_vector(n), ir.Undefined)
    first = b.insert_element(undefined, value, ir.Constant(_INT32, 0))
    return b.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT32, n), [0] * n))


def _part(b: ir.IRBuilder, vector: Any, lanes: Sequence[int]) -> Any:
    return b.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), _lanes(lanes))


def _lanes(lanes: Sequence[int]) -> Any:
    return ir.Constant(ir.VectorType(_INT32, len(lanes)), list(lanes))


def _plus(b: ir.IRBuilder, total: Any, factor: Any, value: Any) -> Any:
    """total + factor * value."""
    return b.fadd(total, b.fmul(factor, value, flags=_FLAGS), flags=_FLAGS)


def _lerp(b: ir.IRBuilder, low: Any, high: Any, fraction: Any) -> Any:
    return _plus(b, low, fraction, b.fsub(high, low, flags=_FLAGS))


def _at(b: ir.IRBuilder, data: Any, place: Any, n: int) -> Any:
    return b.bitcast(b.gep(data, [place]), _vector(n).as_pointer())


def _load(b: ir.IRBuilder, data: Any, place: Any, n: int) -> Any:
    loaded = b.load(_at(b, data, place, n))
    loaded.align = 4
    return loaded


def _store(b: ir.IRBuilder, value: Any, data: Any, place: Any, n: int) -> None:
    b.store(value, _at(b, data, place, n)).align = 4


def _data(context: Any, b: ir.IRBuilder, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, b, array).data


class _Loop:
    """for number in range(n), carrying vectors: `totals` inside, `set` at the end of the body, `results` after it."""

    def __init__(self, b: ir.IRBuilder, n: Any, starts: Sequence[Any]) -> None:
        self._b, self._n, self._starts = b, n, starts

    def __enter__(self) -> _Loop:
        b = self._b
        before, self._head = b.block, b.append_basic_block("head")
        body, self._after = b.append_basic_block("body"), b.append_basic_block("after")
        b.branch(self._head)
        b.position_at_end(self._head)
        self.number = b.phi(self._n.type)
        self.number.add_incoming(ir.Constant(self._n.type, 0), before)
        self.totals = [b.phi(start.type) for start in self._starts]
        for total, start in zip(self.totals, self._starts, strict=True):
            total.add_incoming(start, before)
        b.cbranch(b.icmp_signed("<", self.number, self._n), body, self._after)
        b.position_at_end(body)
        return self

    def set(self, values: Sequence[Any]) -> None:
        for total, value in zip(self.totals, values, strict=True):
            total.add_incoming(value, self._b.block)

    def __exit__(self, *_: object) -> None:
        b = self._b
        self.number.add_incoming(b.add(self.number, ir.Constant(self._n.type, 1)), b.block)
        b.branch(self._head)
        b.position_at_end(self._after)


@intrinsic
def trilinear(typing, flat, corner, row, sheet, x, y, z):
    """The complex number (re, im) between eight neighbours of a table of interleaved float32.

    corner: place of the lower neighbour's real part; row, sheet: floats from one y, one z to the next; x, y, z: fractions.
    """
    signature = types.UniTuple(types.float32, 2)(flat, corner, row, sheet, x, y, z)

    def generate(context: Any, b: ir.IRBuilder, kinds: Any, given: Any) -> Any:
        return context.make_tuple(
            b, kinds.return_type, _trilinear(b, _data(context, b, kinds.args[0], given[0]), given, 2)
        )

    return signature, generate


POINTS = 4
"""Frequencies that `products_of_four` does at a time: as many complex numbers as eight floats hold."""


@intrinsic
def products_of_four(typing, flat, row, sheet, corners, x, y, z, signs, particle, weight, products, energies, n):
    """conj(reference) * particle for n times POINTS frequencies; their weight * |reference|^2 is added to energies (2 POINTS,).

    flat, row, sheet, corners and fractions as in `trilinear`, one a frequency; signs of the reference's imaginary part;
    particle and products interleaved (re, im).
    """
    signature = types.void(flat, row, sheet, corners, x, y, z, signs, particle, weight, products, energies, n)

    def generate(context: Any, b: ir.IRBuilder, kinds: Any, given: Any) -> Any:
        row, sheet, n = given[1], given[2], given[12]
        table, corners, x, y, z, signs, particle, weight, products, energies = (
            _data(context, b, kinds.args[at], given[at]) for at in (0, *range(3, 12))
        )
        width = 2 * POINTS
        twice = [lane // 2 for lane in range(width)]
        alternating = ir.Constant(_vector(width), [1.0, -1.0] * POINTS)

        def constant(value: int) -> Any:
            return ir.Constant(n.type, value)

        def place(point: Any) -> Any:
            return b.sext(b.load(b.gep(corners, [point])), n.type)

        def pair(corner: Any, share_y: Any) -> list[Any]:
            """Near and far, between the rows."""
            above = b.add(corner, sheet)
            return [
                _lerp(b, _load(b, table, low, 4), _load(b, table, b.add(low, row), 4), share_y)
                for low in (corner, above)
            ]

        with _Loop(b, n, [_load(b, energies, constant(0), width)]) as loop:
            first = b.mul(loop.number, constant(POINTS))
            along_y, along_z = (_load(b, part, first, POINTS) for part in (y, z))
            pairs = [pair(place(b.add(first, constant(p))), _part(b, along_y, [p] * 4)) for p in range(POINTS)]
            halves = []
            for p in (0, 1):
                near, far = (b.shuffle_vector(pairs[p][at], pairs[p + 2][at], _lanes(range(8))) for at in (0, 1))
                halves.append(_lerp(b, near, far, _part(b, along_z, [p] * 4 + [p + 2] * 4)))
            low, high = (
                b.shuffle_vector(*halves, _lanes([at, at + 1, 8 + at, 9 + at, 4 + at, 5 + at, 12 + at, 13 + at]))
                for at in (0, 2)
            )
            along_x, sign, share = (_part(b, _load(b, part, first, POINTS), twice) for part in (x, signs, weight))
            value = _lerp(b, low, high, along_x)
            here = b.mul(first, constant(2))
            data = _load(b, particle, here, width)
            re, im = (_part(b, value, [lane // 2 * 2 + part for lane in range(width)]) for part in (0, 1))
            swapped = _part(b, data, [lane ^ 1 for lane in range(width)])
            im = b.fmul(im, b.fmul(sign, alternating, flags=_FLAGS), flags=_FLAGS)
            product = _plus(b, b.fmul(re, data, flags=_FLAGS), im, swapped)
            _store(b, product, products, here, width)
            loop.set([_plus(b, loop.totals[0], b.fmul(share, value, flags=_FLAGS), value)])
        _store(b, loop.totals[0], energies, constant(0), width)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def trilinear_real(typing, flat, corner, row, sheet, x, y, z):
    """The number between eight neighbours of a table of float32; as `trilinear`."""
    signature = types.float32(flat, corner, row, sheet, x, y, z)

    def generate(context: Any, b: ir.IRBuilder, kinds: Any, given: Any) -> Any:
        return _trilinear(b, _data(context, b, kinds.args[0], given[0]), given, 1)[0]

    return signature, generate


def _trilinear(b: ir.IRBuilder, table: Any, given: Any, n_parts: int) -> list[Any]:
    """Neighbours along x lie side by side: four loads of a pair, of n_parts floats each."""
    _, corner, row, sheet, x, y, z = given
    width = 2 * n_parts
    pair = _between_rows(b, table, corner, row, sheet, _splat(b, y, width), _splat(b, z, width))
    low, high = _part(b, pair, range(n_parts)), _part(b, pair, range(n_parts, width))
    value = _lerp(b, low, high, _splat(b, x, n_parts))
    return [b.extract_element(value, ir.Constant(_INT32, lane)) for lane in range(n_parts)]


def _between_rows(b: ir.IRBuilder, table: Any, corner: Any, row: Any, sheet: Any, y: Any, z: Any) -> Any:
    """The neighbours along x, between rows and sheets: vectors of as many floats as y and z have."""
    width, above = y.type.count, b.add(corner, sheet)
    near = _lerp(b, _load(b, table, corner, width), _load(b, table, b.add(corner, row), width), y)
    far = _lerp(b, _load(b, table, above, width), _load(b, table, b.add(above, row), width), y)
    return _lerp(b, near, far, z)


@intrinsic
def cubic(typing, flat, corner, row, sheet, weights):
    """The sum over four neighbours along each axis of a table of float32, weighted.

    corner: place of the lowest neighbour; row, sheet as in `trilinear_real`; weights (12,): along x, along y, along z.
    """
    signature = types.float32(flat, corner, row, sheet, weights)

    def generate(context: Any, b: ir.IRBuilder, kinds: Any, given: Any) -> Any:
        flat, corner, row, sheet, weights = given
        table, shares = _data(context, b, kinds.args[0], flat), _data(context, b, kinds.args[4], weights)

        def share(number: int) -> Any:
            return _splat(b, b.load(b.gep(shares, [ir.Constant(_INT32, number)])), 4)

        total = ir.Constant(_vector(4), [0.0] * 4)
        for z in range(4):
            place, plane = corner, ir.Constant(_vector(4), [0.0] * 4)
            for y in range(4):
                plane = _plus(b, plane, share(4 + y), _load(b, table, place, 4))
                place = b.add(place, row)
            total = _plus(b, total, share(8 + z), plane)
            corner = b.add(corner, sheet)
        along_x = b.fmul(total, _load(b, shares, ir.Constant(_INT32, 0), 4), flags=_FLAGS)
        lanes = [b.extract_element(along_x, ir.Constant(_INT32, lane)) for lane in range(4)]
        return b.fadd(b.fadd(lanes[0], lanes[1]), b.fadd(lanes[2], lanes[3]))

    return signature, generate


@intrinsic
def add_row_sums(typing, data, first, count, table, row, out, place):
    """Adds sums of data times exp(+i t) and exp(-i t): out from place holds their real parts, then their imaginary parts.

    data: interleaved (re, im), of which count numbers from the first-th; table: (., LANES) flat, the factors of data number i
    in row + i, first LANES / 2 cosines, then as many sines. Each part holds LANES / 2 sums with + and as many with -.
    """
    signature = types.void(data, first, count, table, row, out, place)

    def generate(context: Any, b: ir.IRBuilder, kinds: Any, given: Any) -> Any:
        data, first, count, table, row, out, place = given
        numbers = _data(context, b, kinds.args[0], data)
        factors = _data(context, b, kinds.args[3], table)
        sums = _data(context, b, kinds.args[5], out)
        one, lanes = ir.Constant(count.type, 1), ir.Constant(count.type, LANES)

        def with_number(totals: Sequence[Any], number: Any) -> list[Any]:
            here = b.shl(b.add(first, number), one)
            factor = _load(b, factors, b.mul(b.add(row, number), lanes), LANES)
            parts = [b.load(b.gep(numbers, [at])) for at in (here, b.add(here, one))]
            return [_plus(b, total, _splat(b, part, LANES), factor) for total, part in zip(totals, parts, strict=True)]

        zero = ir.Constant(_vector(LANES), [0.0] * LANES)
        with _Loop(b, b.ashr(count, one), [zero] * 4) as pairs:  # two sums at a time: an addition takes some cycles
            even = b.shl(pairs.number, one)
            pairs.set([*with_number(pairs.totals[:2], even), *with_number(pairs.totals[2:], b.add(even, one))])
        together = [b.fadd(p, q, flags=_FLAGS) for p, q in zip(pairs.totals[:2], pairs.totals[2:], strict=True)]
        with _Loop(b, b.and_(count, one), together) as rest:
            rest.set(with_number(rest.totals, b.sub(count, one)))
        re, im = rest.totals
        twice, again = [*range(LANES // 2)] * 2, [*range(LANES // 2, LANES)] * 2
        opposite = ir.Constant(_vector(LANES), [-1.0] * (LANES // 2) + [1.0] * (LANES // 2))
        turned_re = _plus(b, _part(b, re, twice), opposite, _part(b, im, again))
        turned_im = b.fsub(_part(b, im, twice), b.fmul(opposite, _part(b, re, again), flags=_FLAGS), flags=_FLAGS)
        for at, part in ((place, turned_re), (b.add(place, lanes), turned_im)):
            _store(b, b.fadd(_load(b, sums, at, LANES), part, flags=_FLAGS), sums, at, LANES)
        return context.get_dummy_value()

    return signature, generate


def _column_sums(n: int) -> Any:
    """Fourier sums over rows -reach … reach of 2 LANES floats (re, im), for shifts +t and -t, n of t at once.

    data[middle + k stride]: row k; cosines, sines: (., width) flat, of which n columns from the column-th are used.
    Opposite rows and opposite shifts share their products. out from place: for each t the real parts at +t, then at -t, LANES
    floats each; their imaginary parts lie `apart` floats further on.
    """

    def generate(context: Any, b: ir.IRBuilder, kinds: Any, given: Any) -> Any:
        data, middle, stride, reach, cosines, sines, width, column, out, place, apart = given
        rows = _data(context, b, kinds.args[0], data)
        cosine, sine = _data(context, b, kinds.args[4], cosines), _data(context, b, kinds.args[5], sines)
        sums = _data(context, b, kinds.args[8], out)

        def constant(value: int) -> Any:
            return ir.Constant(middle.type, value)

        def row_at(start: Any) -> list[Any]:
            return [_load(b, rows, b.add(start, constant(half * LANES)), LANES) for half in (0, 1)]

        zero = ir.Constant(_vector(LANES), [0.0] * LANES)
        with _Loop(b, reach, [*(row_at(middle) * n), *([zero] * 2 * n)]) as loop:
            k = b.add(loop.number, constant(1))
            away = b.mul(k, stride)
            ahead, behind = row_at(b.add(middle, away)), row_at(b.sub(middle, away))
            even = [b.fadd(p, m, flags=_FLAGS) for p, m in zip(ahead, behind, strict=True)]
            odd = [b.fsub(p, m, flags=_FLAGS) for p, m in zip(ahead, behind, strict=True)]
            start = b.add(b.mul(k, width), column)
            totals = []
            for phases, parts, first in ((cosine, even, 0), (sine, odd, 2 * n)):
                for t in range(n):
                    phase = _splat(b, b.load(b.gep(phases, [b.add(start, constant(t))])), LANES)
                    totals += [_plus(b, loop.totals[first + 2 * t + half], phase, parts[half]) for half in (0, 1)]
            loop.set(totals)
        for t in range(n):
            (c_re, c_im), (s_re, s_im) = (loop.totals[at : at + 2] for at in (2 * t, 2 * n + 2 * t))
            for sign, re, im in (
                (0, b.fsub(c_re, s_im, flags=_FLAGS), b.fadd(c_im, s_re, flags=_FLAGS)),
                (1, b.fadd(c_re, s_im, flags=_FLAGS), b.fsub(c_im, s_re, flags=_FLAGS)),
            ):
                here = b.add(place, constant((2 * t + sign) * LANES))
                _store(b, re, sums, here, LANES)
                _store(b, im, sums, b.add(here, apart), LANES)
        return context.get_dummy_value()

    @intrinsic
    def column_sums(typing, data, middle, stride, reach, cosines, sines, width, column, out, place, apart):
        return types.void(data, middle, stride, reach, cosines, sines, width, column, out, place, apart), generate

    return column_sums


sums_of_3, sums_of_4, sums_of_5 = map(_column_sums, COLUMNS)


@intrinsic
def spread(typing, flat, corner, row, sheet, x, y, z, re, im, weight):
    """Adds (re, im, weight, 0) to the eight neighbours of a table of four interleaved float32, by trilinear shares."""
    signature = types.void(flat, corner, row, sheet, x, y, z, re, im, weight)

    def generate(context: Any, b: ir.IRBuilder, kinds: Any, given: Any) -> Any:
        flat, corner, row, sheet, x, y, z, re, im, weight = given
        table = _data(context, b, kinds.args[0], flat)
        value = ir.Constant(_vector(4), [0.0] * 4)
        for lane, part in enumerate((re, im, weight)):
            value = b.insert_element(value, part, ir.Constant(_INT32, lane))
        one = ir.Constant(_FLOAT, 1.0)
        next_x = ir.Constant(corner.type, 4)
        for sheets, share_z in ((0, b.fsub(one, z)), (1, z)):
            for rows, share_y in ((0, b.fsub(one, y)), (1, y)):
                edge = b.add(corner, sheet) if sheets else corner
                edge = b.add(edge, row) if rows else edge
                share = b.fmul(share_z, share_y)
                # One vector a corner: a wider one would read half of what its neighbour has just written, and wait for it.
                for place, share_x in ((edge, b.fsub(one, x)), (b.add(edge, next_x), x)):
                    part = _plus(b, _load(b, table, place, 4), _splat(b, b.fmul(share, share_x), 4), value)
                    _store(b, part, table, place, 4)
        return context.get_dummy_value()

    return signature, generate
